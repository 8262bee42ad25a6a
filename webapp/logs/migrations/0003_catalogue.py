"""The field catalogue: plain tables, alike on every edition."""

from typing import ClassVar

from django.db import migrations

from webapp.logs import editions


class Migration(migrations.Migration):
    dependencies: ClassVar = [("logs", "0002_erased")]
    operations: ClassVar = [migrations.RunSQL((editions.SQL_DIR / "0003_catalogue.sql").read_text())]
