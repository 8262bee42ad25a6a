"""Replay of the quarantine: sql/0004_replay.sql, and the permission to do it."""

from typing import ClassVar

from django.db import migrations, models

from webapp.logs import editions

FIELDS: dict[str, models.Field] = {  # type: ignore[type-arg]
    "dropped": models.BigIntegerField(default=0),
    "replay_began": models.DateTimeField(null=True),
    "replayed": models.DateTimeField(null=True),
    "replay_batch": models.UUIDField(null=True),
    "replay_reason": models.TextField(null=True),
    "replay_detail": models.TextField(null=True),
}


class Migration(migrations.Migration):
    dependencies: ClassVar = [("logs", "0003_catalogue")]
    operations: ClassVar = [
        migrations.RunSQL(
            (editions.SQL_DIR / "0004_replay.sql").read_text(),
            state_operations=[
                migrations.AddField("quarantine", name, field) for name, field in FIELDS.items()
            ],
        ),
        migrations.AlterModelOptions(
            name="quarantine",
            options={
                "managed": False,
                "permissions": [("replay_quarantine", "Can send lines of the quarantine again")],
                "verbose_name_plural": "quarantine",
            },
        ),
    ]
