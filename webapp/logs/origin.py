"""Whose transaction ids the segments are: the cluster and the timeline, and the base added to every id.

After a logical restore, a point-in-time restore or a failover, PostgreSQL may give out ids again that lie in
stored rows. So a writer compares the cluster's identity with log_origin when it connects, and stores nothing
on a difference until `manage.py rebase` has lifted the base above the highest segment there is.

The functions below are open to an ordinary role. The timeline is read from the name of the current WAL file:
pg_control_checkpoint() is behind by one checkpoint right after a promotion.
"""

from typing import Any, NamedTuple

import psycopg

from webapp.logs.errors import ForeignCluster, Outage, classify

IDENTITY = """
SELECT system_identifier::text, ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
FROM pg_control_system()
"""


class Identity(NamedTuple):
    system: str
    timeline: int


def identity(conn: psycopg.Connection[Any]) -> Identity:
    """The cluster this connection writes to. A standby is an outage: nothing can be stored there."""
    try:
        row = conn.execute(IDENTITY).fetchone()
    except psycopg.errors.ObjectNotInPrerequisiteState as error:  # it has no current WAL file
        raise Outage("the server is a standby") from error
    assert row is not None
    return Identity(*row)


def kept(conn: psycopg.Connection[Any]) -> Identity:
    row = conn.execute("SELECT system_identifier, timeline FROM log_origin").fetchone()
    if row is None:
        raise ForeignCluster("log_origin is empty: run `manage.py migrate`")
    return Identity(*row)


def check_origin(conn: psycopg.Connection[Any]) -> None:
    """Once per connection, before anything is stored."""
    try:
        here, ours = identity(conn), kept(conn)
    except psycopg.Error as error:
        raise classify(error) from error
    if here != ours:
        raise ForeignCluster(
            f"lines were stored in cluster {ours.system}, timeline {ours.timeline}; this is cluster "
            f"{here.system}, timeline {here.timeline}: run `manage.py rebase`"
        )


REBASE = """
UPDATE log_origin SET system_identifier = %s, timeline = %s, base = greatest(
    base, (SELECT coalesce(max(seg), 0) FROM log_segment), (SELECT coalesce(max(seg), 0) FROM log_batch))
RETURNING base
"""


def rebase(conn: psycopg.Connection[Any]) -> int | None:
    """Lifts the base above every stored segment and takes this cluster as the origin; None if it is already.

    The lock waits for every transaction that has read the old base and holds back the next ones: a segment's
    number and the in-progress ids of a token are then always of the same base.
    """
    try:
        with conn.transaction():
            conn.execute("LOCK TABLE log_batch, log_segment IN SHARE ROW EXCLUSIVE MODE")
            here = identity(conn)
            if here == kept(conn):
                return None
            row = conn.execute(REBASE, here).fetchone()
    except psycopg.Error as error:
        raise classify(error) from error
    assert row is not None
    return int(row[0])
