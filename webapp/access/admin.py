"""Sources, tokens and grants in Django's admin.

A token's value is in the answer to the request that made it and nowhere else: not in a message (those travel
in a cookie), not in the log of changes. Who is not a superuser can hand out no more than he may read himself.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webapp.access.models import Grant, Source, Token, token_value
from webapp.access.scope import ALL, Scope, for_user
from webapp.logs import pipeline
from webapp.logs.errors import ReadError, StoreError
from webapp.pipeline.saying import number


class Bounded(forms.ModelForm):  # type: ignore[type-arg]
    """A form that knows what the person behind it may hand out."""

    may_give: Scope = ALL

    def check_gift(self, sources: list[Source], everything: bool) -> None:
        if everything and self.may_give != ALL:
            raise ValidationError("Only who may read every source can hand this out.")
        if beyond := [str(source) for source in sources if not self.may_give.allows(source.pk)]:
            raise ValidationError(f"You may not read {', '.join(beyond)} yourself.")


class GrantForm(Bounded):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self.check_gift([cleaned["source"]] if cleaned.get("source") else [], False)
        return cleaned


class TokenForm(Bounded):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        scope = cleaned.get("scope") or self.instance.scope
        source = cleaned.get("source") or self.instance.source
        chosen, every = list(cleaned.get("sources", ())), bool(cleaned.get("all_sources"))
        if scope == Token.Scope.READ and not (chosen or every):
            raise ValidationError("A read token needs its sources named, or all of them.")
        if scope != Token.Scope.READ and (chosen or every):
            raise ValidationError("Only a read token takes a list of sources, or all of them.")
        self.check_gift(chosen + ([source] if source else []), every or scope == Token.Scope.ADMIN)
        return cleaned


class BoundedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.may_give = for_user(request.user)  # type: ignore[attr-defined]  # a class made for this request
        return form


Column = Callable[[Source], Any]


def columns() -> list[Column]:
    """What each source sent in the last 24 hours: read once a request, for all rows of its page."""
    try:
        used = pipeline.look(pipeline.use)
    except (StoreError, ReadError):
        return [not_told]

    @admin.display(description="lines, 24 h")
    def lines(source: Source) -> str:
        return number(used[source.pk].lines) if source.pk in used else "0"

    @admin.display(description="refused, 24 h")
    def refused(source: Source) -> str:
        return number(used[source.pk].refused) if source.pk in used else "0"

    @admin.display(description="last seen", empty_value="not yet, or long ago")
    def last_seen(source: Any) -> datetime | None:
        seen = [source.token_used, used[source.pk].last if source.pk in used else None]
        return max((at for at in seen if at), default=None)

    return [lines, refused, last_seen]


def columns_of(request: Any) -> list[Column]:
    """The same ones each time the admin asks: it knows a field by its identity."""
    if not hasattr(request, "use_columns"):
        request.use_columns = columns()
    return cast(list[Column], request.use_columns)


@admin.display(description="use, 24 h")
def not_told(source: Source) -> str:
    return "the database did not tell in time"


@admin.display(description="in the explorer")
def explore(source: Source) -> SafeString:
    given = {"q": f"source:{source.name}", "start": "now-24h", "end": "now"}
    return format_html('<a href="{}?{}">lines</a>', reverse("search"), urlencode(given))


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    search_fields = ["name", "description"]
    fields = ["name", "description", "weight", "retention_days", "identical_is_retry"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        rows: QuerySet[Source] = super().get_queryset(request)
        return rows.annotate(token_used=Max("token__last_used"))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["name", "description", *columns_of(request), explore, "weight", "retention_days"]

    def get_fields(self, request: HttpRequest, obj: Source | None = None) -> list[Any]:
        return [*self.fields, *self.get_readonly_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> list[Any]:
        return ["id", "created", *columns_of(request), explore] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        """Its lines would stay, and nobody could be allowed to read them."""
        return False


@admin.register(Grant)
class GrantAdmin(BoundedAdmin):
    form = GrantForm
    list_display = ["source", "user", "group", "created"]
    list_filter = ["source"]
    list_select_related = ["source", "user", "group"]
    autocomplete_fields = ["source"]


@admin.register(Token)
class TokenAdmin(BoundedAdmin):
    form = TokenForm
    list_display = ["name", "scope", "beginning", "source", "active", "last_seen", "expires", "created_by"]
    list_filter = ["scope", "disabled"]
    list_select_related = ["source", "created_by"]
    search_fields = ["name", "prefix"]
    filter_horizontal = ["sources"]
    readonly_fields = ["beginning", "created_by", "created", "last_seen"]
    fields = [
        "name",
        "scope",
        "source",
        "sources",
        "all_sources",
        "expires",
        "disabled",
        *readonly_fields,
    ]

    @admin.display(description="begins with")
    def beginning(self, token: Token) -> str:
        return f"{token.prefix}…" if token.prefix else "-"

    @admin.display(description="last seen", ordering="last_used", empty_value="never")
    def last_seen(self, token: Token) -> datetime | None:
        """Of an ingest token by the minute, of another one by ten of them."""
        return token.last_used

    @admin.display(boolean=True, description="active")
    def active(self, token: Token) -> bool:
        return token.active

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> list[str]:
        """What a token is for is settled when it is made: its holder's programs rely on it."""
        fixed = ["scope", "source"] if obj else []
        return [*self.readonly_fields, *fixed]

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]  # the admin lets nobody else in
            request.token_value = token_value(obj)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: Token, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Copy the token now",
            "opts": self.opts,
            "token": obj,
            "value": request.token_value,  # type: ignore[attr-defined]
        }
        return TemplateResponse(
            request, "admin/access/token/shown_once.html", context, headers={"Cache-Control": "no-store"}
        )

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """One by one: a bulk delete would not be published before beat's next look."""
        for token in queryset:
            token.delete()
