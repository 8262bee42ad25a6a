"""Batches, segments and quarantine in Django's admin: to look at, never to change; quarantine to send again.

These tables are large. Pages are counted up to a bound and no further, ordered by an index that exists, and
found by exact id or within a span of time; nothing here can start a scan of them, whatever stands in the
address. A reader sees the batches of his own sources only, and their lines in the explorer.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ingest.errors import IngestError
from webapp.access.models import Source
from webapp.access.scope import for_user
from webapp.logs import pipeline, replay
from webapp.logs.bytes import dump, printable, readable
from webapp.logs.errors import ReadError, StoreError
from webapp.logs.models import Batch, Quarantine, Segment

COUNTED = 10_000  # rows: pages beyond this are reached by searching, not by leafing
BEGINNING = 40  # bytes of it in the list
RAW_SHOWN = 8 * 1024  # bytes of a quarantined line on its page; the file has all of them


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    @cached_property
    def count(self) -> int:
        return cast("QuerySet[Any]", self.object_list)[:COUNTED].count()


class Looking(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only, bounded, and within the reader's scope where rows have a source."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # counts beside filters would be counts of all that matches
    list_per_page = 50
    actions: Any = None
    may_look_up: ClassVar[tuple[str, ...]] = ()  # what an address may select by: found by an index

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.may_look_up

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


# ---- into the explorer ----


def explorer(query: str, start: datetime | str, end: datetime | str) -> str:
    """The address of a search."""
    given = {"q": query, "start": moment(start), "end": moment(end)}
    return f"{reverse('search')}?{urlencode(given)}"


def moment(at: datetime | str) -> str:
    return at if isinstance(at, str) else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def link(address: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', address, text)


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
        "lines",
    ]
    ordering = ["-seg", "-first_pos"]
    sortable_by = ()
    exclude = ["content_hash", "source"]
    readonly_fields = ["source_named", "content", "lines"]
    may_look_up = ("seg",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the times of its transaction's lines, which hold its own."""
        segment = Segment.objects.filter(pk=OuterRef("seg"))
        first, last = (Subquery(segment.values(name)[:1]) for name in ("time_min", "time_max"))
        rows: QuerySet[Any] = super().get_queryset(request).annotate(time_min=first, time_max=last)
        return rows

    @admin.display(description="SHA-256 of the body")
    def content(self, batch: Batch) -> str:
        return bytes(batch.content_hash).hex()

    @admin.display(description="in the explorer", empty_value="-")
    def lines(self, batch: Any) -> SafeString | None:
        if not batch.rows or batch.time_min is None:
            return None
        end = batch.time_max + timedelta(microseconds=1)
        return link(explorer(f"batch:{batch.batch}", batch.time_min, end), "lines")


@admin.register(Segment)
class SegmentAdmin(Looking):
    list_display = ["seg", "rows", "time_min", "time_max", "committed", "batches"]
    ordering = ["-seg"]
    sortable_by = ()
    readonly_fields = ["batches"]

    @admin.display(description="its batches")
    def batches(self, segment: Segment) -> SafeString:
        return link(f"{reverse('admin:logs_batch_changelist')}?seg={segment.seg}", "batches")


# ---- quarantine ----


class Since(admin.SimpleListFilter):
    """Always a bound, so that rows are found by the index on the time; a batch's id is one too."""

    title = "when"
    parameter_name = "since"
    HOURS: ClassVar = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
    NAMES: ClassVar = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.NAMES.items())

    def choices(self, changelist: Any) -> Any:
        """Without "all"."""
        for name, title in self.NAMES.items():
            yield {
                "selected": name == self.chosen,
                "query_string": changelist.get_query_string({self.parameter_name: name}),
                "display": title,
            }

    @property
    def chosen(self) -> str:
        return str(self.value() if self.value() in self.HOURS else "24h")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if request.GET.get("q", "").strip():
            return queryset
        return queryset.filter(created__gt=timezone.now() - timedelta(hours=self.HOURS[self.chosen]))


class Reason(admin.SimpleListFilter):
    """The reasons of the last day, and the one that was asked for."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        try:
            known = {reason for reason, _ in pipeline.look(pipeline.refused).reasons}
        except (StoreError, ReadError):
            known = set()  # not told in time: what was asked for still works
        asked = request.GET.get(self.parameter_name)
        return [(reason, reason) for reason in sorted(known | ({asked} if asked else set()))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


class Replayed(admin.SimpleListFilter):
    title = "sent again"
    parameter_name = "replayed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Not yet"), ("refused", "Refused again"), ("yes", "Sent again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "refused":
            return queryset.filter(replayed__isnull=True, replay_reason__isnull=False)
        if self.value() in ("yes", "no"):
            return queryset.filter(replayed__isnull=self.value() == "no")
        return queryset


@admin.register(Quarantine)
class QuarantineAdmin(OfSource):
    actions = ["send_again"]
    list_display = ["created", "source_named", "reason", "detail", "line", "batch", "state", "beginning"]
    list_display_links = ["created", "reason"]
    list_filter = [Since, Reason, Replayed]
    may_look_up = ("since", "reason", "replayed")
    ordering = ["-created", "-id"]
    sortable_by = ()
    exclude = ["raw", "source", "replay_began", "replayed", "replay_batch", "replay_reason", "replay_detail"]
    readonly_fields = ["source_named", "again", "as_text", "as_bytes", "whole"]
    change_form_template = "admin/logs/quarantine/change_form.html"

    class Media:
        css: ClassVar = {"all": ["ui/admin.css"]}

    @admin.display(description="begins with")
    def beginning(self, row: Quarantine) -> str:
        return readable(bytes(row.raw[:BEGINNING]))

    @admin.display(description="as text")
    def as_text(self, row: Quarantine) -> SafeString:
        return format_html('<pre class="lb-raw lb-text">{}</pre>', printable(bytes(row.raw[:RAW_SHOWN])))

    @admin.display(description="as bytes")
    def as_bytes(self, row: Quarantine) -> SafeString:
        return format_html('<pre class="lb-raw">{}</pre>', dump(bytes(row.raw[:RAW_SHOWN])))

    @admin.display(description="as received")
    def whole(self, row: Quarantine) -> SafeString:
        size = len(row.raw)
        note = f", the first {RAW_SHOWN:,} shown above" if size > RAW_SHOWN else ""
        address = reverse("admin:logs_quarantine_raw", args=[row.pk])
        return format_html('{} bytes{} · <a href="{}">download</a>', f"{size:,}", note, address)

    @admin.display(description="sent again")
    def state(self, row: Quarantine) -> str:
        return "yes" if row.replayed else "refused" if row.replay_reason else "-"

    @admin.display(description="sent again")
    def again(self, row: Quarantine) -> str:
        if row.replayed:
            return f"{row.replayed:%Y-%m-%d %H:%M} as {row.replay_batch}"
        if row.replay_reason:
            return f"refused: {row.replay_reason}: {row.replay_detail}"
        return "cut off, to be tried again" if row.replay_began else "-"

    def get_urls(self) -> list[Any]:
        raw = path("<int:number>/raw/", self.admin_site.admin_view(self.download), name="logs_quarantine_raw")
        again = path(
            "<int:number>/replay/", self.admin_site.admin_view(self.replay_one), name="logs_quarantine_replay"
        )
        return [raw, again, *super().get_urls()]

    # ---- sending again ----

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("logs.replay_quarantine")

    @admin.action(description=f"Send again (at most {replay.MOST:,})", permissions=["replay"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """What is ticked, or all that the filter finds: what was not tried yet first, the newest first."""
        untried = F("replay_reason").asc(nulls_first=True)
        waiting = queryset.filter(replayed__isnull=True).order_by(untried, "-created", "-id")
        ids = list(waiting.values_list("pk", flat=True)[: replay.MOST + 1])
        self.tell(request, ids[: replay.MOST])
        if len(ids) > replay.MOST:
            self.message_user(request, "There are more: send again once more.", messages.WARNING)

    def tell(self, request: HttpRequest, ids: list[int], text: str | None = None) -> None:
        try:
            report = replay.replay(ids, for_user(request.user), text)
        except (StoreError, IngestError) as error:
            self.message_user(request, f"Nothing was sent: {error}", messages.ERROR)
            return
        sent, before = report.count("replayed"), report.count("already")
        level = messages.SUCCESS if sent else messages.INFO
        self.message_user(request, f"Sent again: {sent:,}. Sent before: {before:,}.", level)
        refused = [entry for entry in report.entries if entry.outcome == "refused"]
        if refused:
            why = f"Refused again: {len(refused):,}, the first as {refused[0].reason}: {refused[0].detail}"
            self.message_user(request, why, messages.WARNING)
        if report.stopped:
            self.message_user(request, f"Not tried: {report.left:,}. {report.stopped}", messages.WARNING)

    def replay_one(self, request: HttpRequest, number: int) -> HttpResponse:
        """A page with the entry's text, to be mended and sent."""
        row = self.get_queryset(request).filter(pk=number).first()
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        if not self.has_replay_permission(request):
            raise PermissionDenied
        raw = bytes(row.raw).decode("utf-8", "replace")
        if request.method == "POST":
            # A browser sends line ends of its own, and what was not touched goes out as the bytes it is.
            text = request.POST.get("text", "").replace("\r\n", "\n")
            self.tell(request, [number], None if text in ("", raw.replace("\r\n", "\n")) else text)
            return HttpResponseRedirect(reverse("admin:logs_quarantine_change", args=[number]))
        context = {
            **self.admin_site.each_context(request),
            "title": "Send again",
            "opts": self.model._meta,
            "row": row,
            "text": None if row.line is None else raw,
        }
        return TemplateResponse(request, "admin/logs/quarantine/replay.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        more = {**(extra_context or {}), "may_replay": self.has_replay_permission(request)}
        return super().change_view(request, object_id, form_url, more)

    def download(self, request: HttpRequest, number: int) -> HttpResponse:
        """As a file and nothing else: no browser is to take it for a page."""
        row = self.get_queryset(request).filter(pk=number).first()
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        return HttpResponse(
            bytes(row.raw),
            content_type="application/octet-stream",
            headers={
                "Content-Disposition": f'attachment; filename="quarantine-{number}.bin"',
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cache-Control": "no-store",
            },
        )
