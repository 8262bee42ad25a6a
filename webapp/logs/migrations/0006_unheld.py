"""Differences that are of spilled batches say so."""

from typing import ClassVar

from django.db import migrations

from webapp.logs import editions


class Migration(migrations.Migration):
    dependencies: ClassVar = [("logs", "0005_ledger")]
    operations: ClassVar = [migrations.RunSQL((editions.SQL_DIR / "0006_unheld.sql").read_text())]
