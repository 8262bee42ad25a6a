"""What can go wrong between the queue and the table, beyond what the store and the broker say themselves."""


class WorkerError(Exception):
    """The root: never raised itself."""


class SpillFailed(WorkerError):
    """Transient: the spill volume took nothing (full, over its bound, or failing). Nothing was written."""


class DirectoryTaken(WorkerError):
    """Permanent until the other ends: another process owns this spill directory."""


class Damaged(WorkerError):
    """Permanent: bytes of a spill file are not what was written."""
