"""Batches, segments and quarantine in Django's admin: to look at, never to change.

These tables are large. Pages are counted up to a bound and no further, ordered by an index that exists, and
found by exact id; nothing here can start a scan of them. A reader sees the batches of his own sources only.
"""

import uuid
from typing import Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webapp.access.models import Source
from webapp.access.scope import for_user
from webapp.logs.models import Batch, Quarantine, Segment

COUNTED = 10_000  # rows: pages beyond this are reached by searching, not by leafing
RAW_SHOWN = 8 * 1024  # bytes of a quarantined line on its page
TEXT_SHARE = 0.9  # with fewer printable characters than this, bytes are shown as hexadecimal


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    @cached_property
    def count(self) -> int:
        return cast("QuerySet[Any]", self.object_list)[:COUNTED].count()


class Looking(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only, bounded, and within the reader's scope where rows have a source."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OfSource(Looking):
    """Rows that belong to a source, found by their batch."""

    search_fields = ["batch"]
    search_help_text = "A batch's whole id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        names = Source.objects.filter(pk=OuterRef("source")).values("name")[:1]
        rows: QuerySet[Any] = super().get_queryset(request).annotate(source_name=Subquery(names))
        scope = for_user(request.user)
        return rows if scope.sources is None else rows.filter(source__in=scope.sources)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the index on the id: the stock search would cast every row's id to text."""
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(batch=uuid.UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

    @admin.display(description="source")
    def source_named(self, row: Any) -> str:
        return row.source_name or f"#{row.source}"


@admin.register(Batch)
class BatchAdmin(OfSource):
    list_display = [
        "batch",
        "source_named",
        "dialect",
        "rows",
        "rejected",
        "quarantined",
        "received",
        "committed",
        "seg",
    ]
    ordering = ["-seg", "-first_pos"]
    sortable_by = ()
    exclude = ["content_hash", "source"]
    readonly_fields = ["source_named", "content"]

    @admin.display(description="SHA-256 of the body")
    def content(self, batch: Batch) -> str:
        return bytes(batch.content_hash).hex()


@admin.register(Segment)
class SegmentAdmin(Looking):
    list_display = ["seg", "rows", "time_min", "time_max", "committed"]
    ordering = ["-seg"]
    sortable_by = ()


@admin.register(Quarantine)
class QuarantineAdmin(OfSource):
    list_display = ["created", "source_named", "reason", "detail", "line", "batch", "beginning"]
    list_display_links = ["created", "reason"]
    ordering = ["-id"]
    sortable_by = ()
    exclude = ["raw", "source"]
    readonly_fields = ["source_named", "content"]

    @admin.display(description="begins with")
    def beginning(self, row: Quarantine) -> str:
        return readable(bytes(row.raw[:80]))

    @admin.display(description="as received")
    def content(self, row: Quarantine) -> SafeString:
        raw = bytes(row.raw)
        note = f"{len(raw):,} bytes" + (f", the first {RAW_SHOWN:,} shown" if len(raw) > RAW_SHOWN else "")
        return format_html("<p>{}</p><pre>{}</pre>", note, readable(raw[:RAW_SHOWN]))


def readable(raw: bytes) -> str:
    """Bytes that nobody vouches for, as text without a single control character, or as hexadecimal."""
    text = raw.decode("utf-8", "backslashreplace")
    if sum(map(shows, text)) < TEXT_SHARE * len(text) or text.count("\\x") * 4 > len(text) / 2:
        return raw.hex(" ", 2)
    return "".join(character if shows(character) else f"\\u{ord(character):04x}" for character in text)


def shows(character: str) -> bool:
    """Not a control, not a mark that reverses the direction of writing."""
    return character == "\n" or character.isprintable()
