"""What the worker does about an error depends on these four words alone."""

import psycopg
import pytest
from psycopg import errors

from webapp.logs.errors import Busy, DiskFull, Outage, Poison, StoreError, classify


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), Outage),
        (psycopg.InterfaceError("the connection is closed"), Outage),
        (errors.AdminShutdown("terminating connection"), Outage),
        (errors.CannotConnectNow("the database system is starting up"), Outage),
        (errors.TooManyConnections("sorry, too many clients already"), Outage),
        (errors.InvalidPassword("password authentication failed"), Outage),
        (errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"), Outage),
        (errors.QueryCanceled("canceling statement due to statement timeout"), Busy),
        (errors.LockNotAvailable("canceling statement due to lock timeout"), Busy),
        (errors.DeadlockDetected("deadlock detected"), Busy),
        (errors.OutOfMemory("out of memory"), Busy),
        (errors.DiskFull("could not extend file: No space left on device"), DiskFull),
        (errors.IoError("could not write block 7: Input/output error"), DiskFull),
        (errors.IdleInTransactionSessionTimeout("terminating connection"), Busy),
        (errors.UndefinedTable("relation log does not exist"), Busy),
        (errors.InsufficientPrivilege("permission denied"), Busy),
        (errors.CheckViolation("no partition of relation found for row"), Busy),
        (errors.CharacterNotInRepertoire("invalid byte sequence"), Poison),
        (errors.UntranslatableCharacter("unsupported Unicode escape sequence"), Poison),
        (errors.DatetimeFieldOverflow("timestamp out of range"), Poison),
        (errors.NotNullViolation("null value in column"), Poison),
        (errors.ProgramLimitExceeded("row is too big"), Poison),
        (errors.ProtocolViolation("insufficient data left in message"), Poison),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), Poison),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, psycopg.Error) else "",
)
def test_an_error_is_told_by_its_word(error: psycopg.Error, word: type[StoreError]) -> None:
    assert type(classify(error)) is word
    assert str(error) in str(classify(error))
