"""`POST /api/v1/tokens`: a token to send with, for a person who may make one; told once, in this answer only.

The same rights as in the admin: who is no superuser can hand out no more than he may read himself. A source
that is not there yet is made if he may make sources, and its maker may read it.
"""

from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.models import Grant, Source, Token, create_token
from webapp.access.scope import for_user
from webapp.api import params
from webapp.api.problems import BadParams, complaint
from webapp.api.reading import Reading, problems
from webapp.logs.mending import Note

NOT_YOURS = "You may not make tokens. Ask whoever runs Logboom."
LONGEST_NAME = 100
ROOM = 8  # for a number behind it


class TokenParams(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=LONGEST_NAME, help_text="What tells it from others in the list.")
    source = serializers.CharField(max_length=100, help_text="Where its lines go.")  # type: ignore[assignment]
    scope = serializers.ChoiceField(["ingest"], default="ingest", help_text="Others are made in the admin.")


class Made(TokenParams):
    token = serializers.CharField(help_text="The value; it is shown here and never again.")


class Tokens(Reading):
    @extend_schema(
        operation_id="createToken",
        summary="Make a token to send with",
        tags=["me"],
        request=TokenParams,
        responses={201: OpenApiResponse(Made, "The token."), **problems()},
    )
    def post(self, request: Request) -> Response:
        user = request.user
        if not (isinstance(user, User) and may_make(user)):
            raise PermissionDenied(NOT_YOURS)
        values = params.read(request, TokenParams)
        value = made(user, values["name"], values["source"])
        return Response({**values, "token": value}, status=201, headers={"Cache-Control": "no-store"})


def may_make(user: Any) -> bool:
    return isinstance(user, User) and user.has_perm("access.add_token")


def made(user: User, name: str, source_name: str) -> str:
    """The value. Raises BadParams or PermissionDenied."""
    try:
        with transaction.atomic():
            source = source_for(user, source_name)
            return create_token(name, "ingest", source=source, created_by=user)[1]
    except ValidationError as error:
        raise refused(error, name) from error
    except IntegrityError as error:  # somebody else made the same, just now
        raise taken(name) from error


def source_for(user: User, name: str) -> Source:
    source = Source.objects.filter(name=name).first()
    if source is None:
        return new_source(user, name)
    if not for_user(user).allows(source.pk):
        raise PermissionDenied(f"You may not read {source} yourself.")
    return source


def new_source(user: User, name: str) -> Source:
    if not user.has_perm("access.add_source"):
        raise PermissionDenied(f"There is no source {name}, and you may not make one.")
    source = Source(name=name)
    try:
        source.full_clean()
    except ValidationError as error:
        raise params.refused("bad_value", "source", error.messages[0]) from error
    source.save()
    if not for_user(user).allows(source.pk):
        Grant.objects.create(user=user, source=source)
    return source


def refused(error: ValidationError, name: str) -> BadParams:
    if "name" in getattr(error, "error_dict", {}):
        return taken(name)
    return params.refused("bad_value", "name", error.messages[0])


def taken(name: str) -> BadParams:
    """With a name that is free."""
    stem = name[: LONGEST_NAME - ROOM]
    known = set(Token.objects.filter(name__startswith=stem).values_list("name", flat=True))
    free = next(f"{stem} {number}" for number in count(2) if f"{stem} {number}" not in known)
    note = Note(0, len(name), "There is a token of this name.", None, free)
    return BadParams("bad_value", [complaint("name", note)])
