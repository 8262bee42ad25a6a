"""Parameters and answers as DRF serializers: parameters are checked by them, answers only described.

Answers are written by msgspec from the structs of webapp.logs; tests hold both to the same keys. DRF takes
declared fields off the class, so that names like `source` and `fields` are only strange to the type checker.
"""

from typing import Any

from rest_framework import serializers

from webapp.logs.context import MAX_AROUND
from webapp.logs.facets import MAX_FIELDS
from webapp.logs.facets import MAX_LIMIT as MAX_VALUES
from webapp.logs.histogram import MAX_BUCKETS, MAX_TOP
from webapp.logs.search import MAX_LIMIT

TIME = "RFC 3339, epoch (s, ms, us or ns by its digits), now, now-15m, now/d."


def text(help_text: str, **more: Any) -> serializers.CharField:
    # Not trimmed: the offsets of errors are those of the text as sent.
    options = {"default": "", "allow_blank": True, "trim_whitespace": False, **more}
    return serializers.CharField(help_text=help_text, **options)


def several(help_text: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), default=list, help_text=help_text)


class AskParams(serializers.Serializer[Any]):
    q = text("The query, see docs/searching.md. Empty: every line.")
    start = text(f"First instant of the range: {TIME} Without it: all stored time.")
    end = text("First instant after the range, in the same forms. Without it: open.")
    tz = text("IANA name of the zone for times without one and for calendar steps.", default="UTC")
    source = several("Only lines of this source; several: of any of them.")  # type: ignore[assignment]
    service = several("Only lines of this service; several: of any of them.")
    severity = several("error, >=warn, 17; several: any of them.")
    as_of = text("The set of lines of an earlier answer, for one hour.")
    timeout_ms = serializers.IntegerField(
        default=0,
        min_value=0,
        help_text="Answer within this time, partially if need be; 0: the server's bound.",
    )


class SearchParams(AskParams):
    limit = serializers.IntegerField(default=100, min_value=0, max_value=MAX_LIMIT, help_text="Lines a page.")
    order = serializers.ChoiceField(["desc", "asc"], default="desc", help_text="Newest or oldest first.")
    cursor = text("next or prev of an answer, with the parameters that were asked there.")
    fields = several("Only these keys of a line; other names are attributes. Comma-separated or repeated.")  # type: ignore[assignment]
    count = serializers.ChoiceField(
        ["exact", "bound", "none"], default="bound", help_text="bound counts to 10,000, then says gte."
    )


class HistogramParams(AskParams):
    step = text("auto, or a number and ms, s, m, h, d, w, M or y.", default="auto", allow_blank=False)
    buckets = serializers.IntegerField(
        default=60, min_value=1, max_value=MAX_BUCKETS, help_text="At most so many, with step=auto."
    )
    by = text("One series per value of this field.", default="severity", allow_blank=False)
    top = serializers.IntegerField(
        default=10, min_value=1, max_value=MAX_TOP, help_text="So many values; the rest is the series other."
    )


class CountParams(serializers.Serializer[Any]):
    """What `facets` and `summary` have in common."""

    field = serializers.ListField(
        child=serializers.CharField(),
        default=list,
        max_length=MAX_FIELDS,
        help_text="Count this field's values; several: each. Without it: severity, service, host, source.",
    )
    limit = serializers.IntegerField(
        default=10, min_value=1, max_value=MAX_VALUES, help_text="List so many values; the rest is other."
    )
    contains = text("List only values that contain this, whatever the case.")
    own = serializers.ChoiceField(
        ["exclude", "include"],
        default="exclude",
        help_text="exclude leaves a field's own clauses out of its facet, so that more can be picked.",
    )


class FacetParams(CountParams, AskParams):
    pass


class SummaryParams(CountParams, HistogramParams):
    pass


class ExportParams(AskParams):
    format = serializers.ChoiceField(["ndjson", "csv"], default="ndjson", help_text="What the file is.")
    order = serializers.ChoiceField(["desc", "asc"], default="desc", help_text="Newest or oldest first.")
    end_marker = serializers.BooleanField(
        default=True, help_text="End with a line that says how many there are, and whether that is all."
    )
    timeout_ms = serializers.IntegerField(
        default=0, min_value=0, help_text="End within this time, incomplete if need be; 0: when all is sent."
    )


class LineParams(serializers.Serializer[Any]):
    as_of = text("The set of lines of an earlier answer, for one hour.")


class ContextParams(LineParams):
    before = serializers.IntegerField(
        default=20, min_value=0, max_value=MAX_AROUND, help_text="So many lines that stand before it."
    )
    after = serializers.IntegerField(
        default=20, min_value=0, max_value=MAX_AROUND, help_text="So many lines that stand after it."
    )
    scope = serializers.ChoiceField(
        ["host", "service", "source", "all"],
        default="host",
        help_text="Among the lines of the line's own host, service or source, or among all.",
    )
    cursor = text("prev or next of an answer: what stands beyond it, on that side only.")
    timeout_ms = serializers.IntegerField(default=0, min_value=0, help_text="0: the server's bound.")


class ReceiptParams(serializers.Serializer[Any]):
    wait = serializers.RegexField(
        r"\A[0-9]{1,5}(\.[0-9]{1,3})?(ms|s)?\Z",
        default="0s",
        help_text="Answer when the batch is at its end, or after this time: 500ms, 5s; 30s at most.",
    )


# ---- answers: for the description only ----


class Line(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="Opaque; the permalink.")
    time = serializers.CharField(help_text="RFC 3339, UTC, nine digits.")
    observed = serializers.CharField()
    received = serializers.CharField(allow_null=True)
    severity = serializers.ChoiceField(["trace", "debug", "info", "warn", "error", "fatal"], allow_null=True)
    severity_number = serializers.IntegerField(min_value=1, max_value=24, allow_null=True)
    service = serializers.CharField(allow_null=True)
    host = serializers.CharField(allow_null=True)
    message = serializers.CharField()
    trace_id = serializers.CharField(allow_null=True)
    span_id = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    batch = serializers.UUIDField(allow_null=True)
    attributes = serializers.DictField(child=serializers.JSONField())
    flags = serializers.ListField(child=serializers.CharField())


class Complaint(serializers.Serializer[Any]):
    param = serializers.CharField()
    offset = serializers.IntegerField()
    length = serializers.IntegerField()
    message = serializers.CharField()
    hint = serializers.CharField(allow_null=True)
    fix = serializers.CharField(allow_null=True, help_text="The whole corrected value.")


class Covered(serializers.Serializer[Any]):
    start = serializers.CharField(allow_null=True)
    end = serializers.CharField(allow_null=True)


class Page(serializers.Serializer[Any]):
    total = serializers.IntegerField(allow_null=True)
    total_relation = serializers.ChoiceField(["eq", "gte"], allow_null=True)
    logs = Line(many=True)
    next = serializers.CharField(allow_null=True)
    prev = serializers.CharField(allow_null=True)
    as_of = serializers.CharField()
    as_of_time = serializers.CharField(help_text="Complete as of then.")
    partial = serializers.BooleanField()  # type: ignore[assignment]
    covered = Covered(allow_null=True)
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


class Series(serializers.Serializer[Any]):
    value = serializers.CharField()
    kind = serializers.ChoiceField(["value", "other", "missing"])
    total = serializers.IntegerField()
    counts = serializers.ListField(child=serializers.IntegerField())


class Histogram(serializers.Serializer[Any]):
    start = serializers.CharField()
    end = serializers.CharField()
    step = serializers.CharField()
    total = serializers.IntegerField()
    times = serializers.ListField(child=serializers.CharField(), help_text="Where each bucket begins.")
    series = Series(many=True)
    as_of = serializers.CharField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    covered = Covered(allow_null=True)
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


class Context(serializers.Serializer[Any]):
    line = Line()
    before = Line(many=True)
    after = Line(many=True)
    prev = serializers.CharField(allow_null=True, help_text="A cursor to what stands before `before`.")
    next = serializers.CharField(allow_null=True, help_text="A cursor to what stands after `after`.")
    as_of = serializers.CharField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    covered = Covered(allow_null=True)
    took_ms = serializers.IntegerField()


class Value(serializers.Serializer[Any]):
    value = serializers.CharField()
    count = serializers.IntegerField()
    selected = serializers.BooleanField(help_text="The query's own clauses on this field let it in.")


class Facet(serializers.Serializer[Any]):
    field = serializers.CharField()
    type = serializers.ChoiceField(
        ["string", "number", "boolean", "array", "object", "mixed"], allow_null=True
    )
    total = serializers.IntegerField(help_text="values + other + missing.")
    missing = serializers.IntegerField()
    other = serializers.IntegerField()
    distinct = serializers.IntegerField()
    distinct_relation = serializers.ChoiceField(["eq", "gte"])
    values = Value(many=True)
    covered = Covered(allow_null=True)


class Facets(serializers.Serializer[Any]):
    facets = Facet(many=True)
    as_of = serializers.CharField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


class Summary(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    total_relation = serializers.ChoiceField(["eq", "gte"])
    histogram = Histogram()
    facets = Facet(many=True)
    as_of = serializers.CharField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


class Receipt(serializers.Serializer[Any]):
    batch = serializers.UUIDField()
    state = serializers.ChoiceField(["queued", "spilled", "stored", "quarantined", "mixed"])
    accepted = serializers.IntegerField()
    stored = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    rejected = serializers.IntegerField()
    received_at = serializers.CharField()
    stored_at = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]


class Problem(serializers.Serializer[Any]):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = Complaint(many=True, required=False)  # type: ignore[assignment]
