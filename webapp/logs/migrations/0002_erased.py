"""The record of what was removed on request: sql/0002_erased.sql."""

from typing import ClassVar

from django.db import migrations

from webapp.logs import editions


class Migration(migrations.Migration):
    dependencies: ClassVar = [("logs", "0001_initial")]
    operations: ClassVar = [migrations.RunSQL((editions.SQL_DIR / "0002_erased.sql").read_text())]
