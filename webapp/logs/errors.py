"""What can go wrong between rows and PostgreSQL, in four words: the word decides what the worker does.

Outage opens the breaker; Busy hands the batches back, DiskFull spills what the broker cannot hold; Poison is
bisected; ForeignCluster stops all storing until a person has run `manage.py rebase`. psycopg's own tree does
not separate these: a cancelled query, a lock wait, a deadlock and a full disk are OperationalErrors there,
like a server that is gone.
"""

import psycopg


class StoreError(Exception):
    """Rows were not stored, or nobody knows whether they were: a redelivery settles it by the ledger."""


class Outage(StoreError):
    """Transient: there is no server to talk to."""


class Busy(StoreError):
    """Transient: the server is there and says not now."""


class DiskFull(Busy):
    """Transient, but perhaps for hours: the server is there, reads and refuses to write."""


class Poison(StoreError):
    """Permanent: some row of the group can never be stored."""


class ForeignCluster(StoreError):
    """Permanent until `manage.py rebase`: not the cluster, or not the timeline, of the stored rows."""


class ReadError(Exception):
    """A read that cannot be answered as asked."""


class BadToken(ReadError):
    """The caller's mistake (400): these characters are not a token of ours."""


class CursorExpired(ReadError):
    """The token was good once (410): too old, of another timeline, or of lines dropped since."""


class OutOfTime(ReadError):
    """Nothing at all was read within the time (503): an answer that covers a part says so instead."""


# Classes 08 (connection) and 28 (authentication), and what the server says while it stops, starts or follows.
OUTAGES = frozenset({"57P01", "57P02", "57P03", "57P04", "3D000", "25006", "53300"})
OUTAGE_CLASSES = frozenset({"08", "28"})
# Data exceptions, integrity, a limit of the program: the row's fault. A missing table or right is not.
POISON_CLASSES = frozenset({"22", "23", "54"})
DISK = frozenset({"53100", "58030"})  # no room, or the disk itself fails
POISONS = frozenset({"08P01"})  # "protocol violation": in a binary COPY, a value of the wrong length


def missing_partition(error: psycopg.Error) -> bool:
    """A day without its partition answers with the number of a violated CHECK, but names no constraint."""
    return error.sqlstate == "23514" and not error.diag.constraint_name


def classify(error: psycopg.Error) -> StoreError:
    state = error.sqlstate
    text = str(error).strip() or type(error).__name__
    if state is None:
        return without_state(error, text)
    if state in POISONS:
        return Poison(text)
    if state in OUTAGES or state[:2] in OUTAGE_CLASSES:
        return Outage(text)
    if state[:2] in POISON_CLASSES and not missing_partition(error):
        return Poison(text)
    return DiskFull(text) if state in DISK else Busy(text)


def without_state(error: psycopg.Error, text: str) -> StoreError:
    """Said by the client: a value it cannot send, or a connection it lost or could not make."""
    if isinstance(error, psycopg.DataError):
        return Poison(text)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Outage(text)
    return Busy(text)
