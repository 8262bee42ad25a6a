"""Sources, tokens and grants in Django's admin.

A token's value is in the answer to the request that made it and nowhere else: not in a message (those travel
in a cookie), not in the log of changes. Who is not a superuser can hand out no more than he may read himself.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from webapp.access.models import Grant, Source, Token, token_value
from webapp.access.scope import ALL, Scope, for_user


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


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "id", "description", "weight", "retention_days", "identical_is_retry"]
    search_fields = ["name", "description"]
    readonly_fields = ["created"]

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
    list_display = ["name", "scope", "beginning", "source", "active", "last_used", "expires", "created_by"]
    list_filter = ["scope", "disabled"]
    list_select_related = ["source", "created_by"]
    search_fields = ["name", "prefix"]
    filter_horizontal = ["sources"]
    readonly_fields = ["beginning", "created_by", "created", "last_used"]
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
