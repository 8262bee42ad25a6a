"""django-timescaledb's backend, made to live on servers without the extension and to keep a primary key.

The package assumes that CREATE EXTENSION works, and drops the primary key of a hypertable without putting
one back. Here the extension is made only where the server has loaded it, a TimescaleModel is an ordinary
table elsewhere, and a hypertable gets PRIMARY KEY (id, time).
"""

import logging
from typing import Any

from django.db import DatabaseError, transaction
from timescale.db.backends.postgresql import base
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor

log = logging.getLogger(__name__)

# The loader defines this setting, for every role, exactly when it is preloaded; CREATE EXTENSION without it
# does not fail but kills the connection.
PRELOADED = "SELECT current_setting('timescaledb.disable_load', true) IS NOT NULL"
INSTALLED = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"


class SchemaEditor(TimescaleSchemaEditor):  # type: ignore[misc]
    def _create_hypertable(self, model: Any, field: Any, should_migrate: bool = False) -> None:
        if not self.connection.has_timescale():
            return
        super()._create_hypertable(model, field, should_migrate)
        table, key = self.quote_name(model._meta.db_table), self.quote_name(model._meta.pk.column)
        self.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key}, {self.quote_name(field.column)})")

    def _set_chunk_time_interval(self, model: Any, field: Any) -> None:
        if self.connection.has_timescale():
            super()._set_chunk_time_interval(model, field)


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    SchemaEditorClass = SchemaEditor

    def has_timescale(self) -> bool:
        return self.truth(INSTALLED)

    def truth(self, query: str) -> bool:
        with self.cursor() as cursor:
            cursor.execute(query)
            return bool(cursor.fetchone()[0])

    def prepare_database(self) -> None:
        """Called before every migrate. A role that may not make the extension goes on without it."""
        if self.has_timescale() or not self.truth(PRELOADED):
            return
        try:
            with transaction.atomic(using=self.alias), self.cursor() as cursor:
                cursor.execute("CREATE EXTENSION timescaledb")
        except DatabaseError as error:
            log.warning("TimescaleDB is loaded but cannot be used in this database: %s", error)
