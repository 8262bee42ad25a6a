"""What Django may know of the log tables: read-only faces for the admin, and the counters per minute.

Rows are written by store.py and quarantine.py alone. Only `Minute` is Django's own, a django-timescaledb
model: a hypertable where the server has TimescaleDB, an ordinary table elsewhere.
"""

from typing import ClassVar

from django.db import models
from timescale.db.models.models import TimescaleModel


class Batch(models.Model):
    """One line of the ledger."""

    batch = models.UUIDField(primary_key=True)
    acceptance = models.BigIntegerField()
    seg = models.BigIntegerField()
    received = models.DateTimeField()
    committed = models.DateTimeField()
    source = models.IntegerField()
    first_pos = models.IntegerField()
    rows = models.IntegerField()
    rejected = models.IntegerField()
    quarantined = models.IntegerField()
    dialect = models.TextField()
    content_hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "log_batch"
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return str(self.batch)


class Segment(models.Model):
    """One committed transaction."""

    seg = models.BigIntegerField(primary_key=True)
    time_min = models.DateTimeField(null=True)
    time_max = models.DateTimeField(null=True)
    committed = models.DateTimeField()
    rows = models.IntegerField()

    class Meta:
        managed = False
        db_table = "log_segment"

    def __str__(self) -> str:
        return str(self.seg)


class Quarantine(models.Model):
    """A line, or a whole batch, that could not be stored, and why."""

    batch = models.UUIDField(null=True)
    acceptance = models.BigIntegerField(null=True)
    seg = models.BigIntegerField()
    received = models.DateTimeField()
    created = models.DateTimeField()
    source = models.IntegerField()
    line = models.IntegerField(null=True)
    dialect = models.TextField()
    reason = models.TextField()
    detail = models.TextField()
    raw = models.BinaryField()
    dropped = models.BigIntegerField(default=0)  # bytes of the line beyond what is kept
    replay_began = models.DateTimeField(null=True)
    replayed = models.DateTimeField(null=True)
    replay_batch = models.UUIDField(null=True)
    replay_reason = models.TextField(null=True)
    replay_detail = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "quarantine"
        verbose_name_plural = "quarantine"
        permissions: ClassVar = [("replay_quarantine", "Can send lines of the quarantine again")]

    def __str__(self) -> str:
        return f"{self.batch}:{self.line} {self.reason}"


class Minute(TimescaleModel):  # type: ignore[misc]
    """What happened to the lines of one source and dialect in one minute of receipt (balance.py)."""

    source = models.IntegerField()
    dialect = models.TextField()
    received = models.BigIntegerField(default=0)
    refused = models.JSONField(default=dict)  # reason -> lines
    accepted = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    spilled = models.BigIntegerField(default=0)

    class Meta:
        db_table = "log_minute"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["time", "source", "dialect"], name="log_minute_once")
        ]

    def __str__(self) -> str:
        return f"{self.time} {self.source} {self.dialect}"
