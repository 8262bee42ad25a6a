"""`/api/v1/me`: who asks, what he may do and see, and how he likes the explorer.

Preferences are a person's: a token has none. Known keys only, each with its bounds, since they come back in
every page; null takes one back.
"""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.access.models import Source, prefer, preferences_of
from webapp.access.scope import Scope
from webapp.api import params
from webapp.api.reading import Reading, answers, problems
from webapp.api.status import Nothing
from webapp.api.tokens import may_make
from webapp.logs import times

MOST_COLUMNS = 20
FACETS_WIDTH = (120, 1200)  # pixels
LONGEST_NAME = 300


class Zone(serializers.CharField):
    """local, UTC, or a name of the time zone database."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name != "local":
            try:
                times.zone_of(name)
            except times.BadTime as error:
                raise serializers.ValidationError(str(error)) from error
        return str(name)


class Preferences(serializers.Serializer[Any]):
    theme = serializers.ChoiceField(["system", "light", "dark"], required=False, allow_null=True)
    columns = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_NAME, trim_whitespace=False),
        max_length=MOST_COLUMNS,
        required=False,
        allow_null=True,
    )
    density = serializers.ChoiceField(["compact", "cosy"], required=False, allow_null=True)
    wrap = serializers.BooleanField(required=False, allow_null=True)
    tz = Zone(required=False, allow_null=True, help_text="local, UTC or an IANA name.")
    single_keys = serializers.BooleanField(required=False, allow_null=True)
    facets_width = serializers.IntegerField(
        min_value=FACETS_WIDTH[0], max_value=FACETS_WIDTH[1], required=False, allow_null=True
    )


class Changes(serializers.Serializer[Any]):
    preferences = serializers.DictField(help_text="Merged into what is kept; null takes a key back.")


class ChangesDescribed(serializers.Serializer[Any]):
    preferences = Preferences()


class Named(serializers.Serializer[Any]):
    name = serializers.CharField()


class Me(serializers.Serializer[Any]):
    username = serializers.CharField()
    staff = serializers.BooleanField()
    may_make_tokens = serializers.BooleanField()
    preferences = Preferences()
    sources = Named(many=True, help_text="Whose lines you may see.")


class MeView(Reading):
    @extend_schema(
        operation_id="me",
        summary="Who asks, and how he likes the explorer",
        tags=["me"],
        responses=answers(Me, "The person or the token behind the request."),
    )
    def get(self, request: Request) -> Response:
        params.read(request, Nothing)
        return Response(described(request))

    @extend_schema(
        operation_id="prefer",
        summary="Change preferences",
        tags=["me"],
        request=ChangesDescribed,
        responses={200: OpenApiResponse(Me, "As it is now."), **problems()},
    )
    def patch(self, request: Request) -> Response:
        user_id = request.user.pk
        if user_id is None:
            raise PermissionDenied("A token has no preferences: they are a person's.")
        given = params.read(request, Changes)["preferences"]
        prefer(user_id, params.checked(given, Preferences))
        return Response(described(request))


def described(request: Request) -> dict[str, Any]:
    return {
        "username": request.user.get_username() if request.user.pk else request.user.username,
        "staff": request.user.is_staff,
        "may_make_tokens": may_make(request.user),
        "preferences": preferences_of(request.user.pk),
        "sources": [{"name": name} for name in names(scope_of(request))],
    }


def names(scope: Scope) -> list[str]:
    visible = Source.objects.all() if scope.sources is None else Source.objects.filter(pk__in=scope.sources)
    return list(visible.order_by("name").values_list("name", flat=True))
