"""`Authorization: Bearer lb_…` for the REST API: who a program is, and what its token lets it read.

A view finds an `AuthToken` in `request.auth`, or None where the browser session spoke; `scope_of(request)`
gives the scope in both cases. A token is looked up in the database on every request, so revoking is at once.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ingest import directory
from webapp.access import scope
from webapp.access.models import Token
from webapp.access.scope import AuthToken

COARSE = timedelta(minutes=10)  # `last_used` is this exact: a write now and then, not one a request


@dataclass(frozen=True)
class Program:
    """Stands in `request.user` where a token speaks: nobody who could log in."""

    username: str
    pk: None = None
    is_authenticated: bool = True
    is_anonymous: bool = False
    is_active: bool = True
    is_staff: bool = False
    is_superuser: bool = False


class BearerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Program, AuthToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise AuthenticationFailed("The Authorization header wants exactly one token after 'Bearer'.")
        token = known(words[1].decode("latin-1"))
        return Program(username=f"token:{token.name}"), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="logboom"'


class MayRead(BasePermission):
    """A person, or a token for reading: an ingest token must not mistake "no right" for "no lines"."""

    message = "This token is for sending. Reading lines needs a read or an admin token."

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        return not (isinstance(request.auth, AuthToken) and request.auth.scope == "ingest")


def known(value: str) -> AuthToken:
    """Raises AuthenticationFailed with a sentence that says which of the four things is wrong."""
    if not directory.well_formed(value):
        raise AuthenticationFailed("This is not a token of Logboom, or it was not copied whole.")
    token = Token.objects.filter(digest=directory.digest(value)).first()
    if token is None:
        raise AuthenticationFailed("This token is unknown: deleted, or of another installation.")
    if token.disabled:
        raise AuthenticationFailed("This token is disabled.")
    if not token.active:
        raise AuthenticationFailed("This token has expired.")
    note_use(token)
    sources = frozenset(token.sources.values_list("id", flat=True)) if token.scope == "read" else frozenset()
    return AuthToken(token.pk, token.name, token.scope, token.source_id, sources, token.all_sources)


def note_use(token: Token) -> None:
    """By UPDATE, not by save(): a use is no change that ingest would have to hear of."""
    now = timezone.now()
    if token.last_used is None or token.last_used < now - COARSE:
        stale = Q(last_used__isnull=True) | Q(last_used__lt=now - COARSE)
        Token.objects.filter(stale, pk=token.pk).update(last_used=now)


def scope_of(request: Request) -> scope.Scope:
    """The lines that this request may read."""
    if isinstance(request.auth, AuthToken):
        return scope.for_token(request.auth)
    return scope.for_user(request.user)


def receipts_of(request: Request) -> scope.Scope:
    """The batches whose receipts this request may read."""
    if isinstance(request.auth, AuthToken):
        return scope.receipts(request.auth)
    return scope.for_user(request.user)
