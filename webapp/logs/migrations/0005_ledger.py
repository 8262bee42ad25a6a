"""The conservation ledger: plain tables, alike on every edition."""

from typing import ClassVar

from django.db import migrations

from webapp.logs import editions


class Migration(migrations.Migration):
    dependencies: ClassVar = [("logs", "0004_replay")]
    operations: ClassVar = [migrations.RunSQL((editions.SQL_DIR / "0005_ledger.sql").read_text())]
