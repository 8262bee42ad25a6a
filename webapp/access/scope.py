"""What a reader may see: the one place where sources become a filter.

Row-level security cannot be used on compressed hypertables, so every query takes a `Scope` as a mandatory
argument. An empty scope is a real answer ("nothing"), never a missing one: only `ALL` means all.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


@dataclass(frozen=True)
class AuthToken:
    """A token that was looked up and found good."""

    id: int
    name: str
    scope: str  # ingest, read or admin
    source: int | None  # an ingest token's
    sources: frozenset[int]  # a read token's
    all_sources: bool


@dataclass(frozen=True)
class Scope:
    sources: frozenset[int] | None  # None = all

    def allows(self, source: int) -> bool:
        return self.sources is None or source in self.sources


ALL = Scope(None)
NOTHING = Scope(frozenset())


def for_user(user: "AbstractBaseUser | AnonymousUser") -> Scope:
    """The sources granted to the user or to one of the user's groups; all for who may read all sources."""
    from django.contrib.auth.models import User

    from webapp.access.models import Grant

    if not isinstance(user, User) or not user.is_active:
        return NOTHING
    if user.has_perm("access.read_all_sources"):  # a superuser has every permission
        return ALL
    granted = Grant.objects.filter(Q(user=user) | Q(group__in=user.groups.all()))
    return Scope(frozenset(granted.values_list("source_id", flat=True)))


def for_token(token: AuthToken) -> Scope:
    """The lines a token may read. An ingest token reads no lines, only receipts: see `receipts`."""
    if token.scope == "admin" or (token.scope == "read" and token.all_sources):
        return ALL
    return Scope(token.sources) if token.scope == "read" else NOTHING


def receipts(token: AuthToken) -> Scope:
    """The batches whose receipts a token may read: as it may search; an ingest token, its own source's."""
    if token.scope == "ingest":
        return NOTHING if token.source is None else Scope(frozenset({token.source}))
    return for_token(token)
