"""The log tables: sql/0001_*.sql makes them; the models over them are read-only and never make DDL."""

from typing import Any, ClassVar

import timescale.db.models.fields
from django.conf import settings
from django.db import migrations, models

from webapp.logs import editions


def make_log(apps: Any, schema_editor: Any) -> None:
    schema_editor.connection.ensure_connection()
    editions.initialise(schema_editor.connection.connection, settings.RETENTION_DAYS)


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar = []
    operations: ClassVar = [
        migrations.RunSQL((editions.SQL_DIR / "0001_tables.sql").read_text()),
        migrations.RunPython(make_log),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("batch", models.UUIDField(primary_key=True, serialize=False)),
                ("acceptance", models.BigIntegerField()),
                ("seg", models.BigIntegerField()),
                ("received", models.DateTimeField()),
                ("committed", models.DateTimeField()),
                ("source", models.IntegerField()),
                ("first_pos", models.IntegerField()),
                ("rows", models.IntegerField()),
                ("rejected", models.IntegerField()),
                ("quarantined", models.IntegerField()),
                ("dialect", models.TextField()),
                ("content_hash", models.BinaryField()),
            ],
            options={"verbose_name_plural": "batches", "db_table": "log_batch", "managed": False},
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("seg", models.BigIntegerField(primary_key=True, serialize=False)),
                ("time_min", models.DateTimeField(null=True)),
                ("time_max", models.DateTimeField(null=True)),
                ("committed", models.DateTimeField()),
                ("rows", models.IntegerField()),
            ],
            options={"db_table": "log_segment", "managed": False},
        ),
        migrations.CreateModel(
            name="Quarantine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("batch", models.UUIDField(null=True)),
                ("acceptance", models.BigIntegerField(null=True)),
                ("seg", models.BigIntegerField()),
                ("received", models.DateTimeField()),
                ("created", models.DateTimeField()),
                ("source", models.IntegerField()),
                ("line", models.IntegerField(null=True)),
                ("dialect", models.TextField()),
                ("reason", models.TextField()),
                ("detail", models.TextField()),
                ("raw", models.BinaryField()),
            ],
            options={"verbose_name_plural": "quarantine", "db_table": "quarantine", "managed": False},
        ),
        migrations.CreateModel(
            name="Minute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("time", timescale.db.models.fields.TimescaleDateTimeField(interval="1 day")),
                ("source", models.IntegerField()),
                ("dialect", models.TextField()),
                ("received", models.BigIntegerField(default=0)),
                ("refused", models.JSONField(default=dict)),
                ("accepted", models.BigIntegerField(default=0)),
                ("duplicate", models.BigIntegerField(default=0)),
                ("stored", models.BigIntegerField(default=0)),
                ("quarantined", models.BigIntegerField(default=0)),
                ("spilled", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "log_minute",
                "constraints": [
                    models.UniqueConstraint(fields=("time", "source", "dialect"), name="log_minute_once")
                ],
            },
        ),
    ]
