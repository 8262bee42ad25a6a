"""Pages, histograms and single lines, on real tables: each line once, sums that agree, a set that stays."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from django.conf import LazySettings

from tests.reading import put
from tests.rows import NOW_US, record, unit
from webapp.access.scope import ALL, NOTHING, Scope
from webapp.logs import store
from webapp.logs.asking import Ask, Refused
from webapp.logs.errors import CursorExpired
from webapp.logs.histogram import histogram
from webapp.logs.lines import Line
from webapp.logs.search import Order, Page, line, search

HOUR = 3_600_000_000
DAY = 24 * HOUR


def pages(ask: Ask, limit: int, order: Order) -> Iterator[Page]:
    cursor = ""
    while True:
        page = search(ask, ALL, limit=limit, order=order, cursor=cursor)
        yield page
        if page.next is None:
            return
        cursor = page.next


def ids(lines: list[Line]) -> list[str]:
    return [one.id for one in lines]


def messages(page: Page) -> list[str]:
    return [one.message for one in page.logs]


# ---- pages ----


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_pages_over_equal_times_hold_each_line_once_both_ways(url: str, order: Order) -> None:
    for group in range(4):
        put(url, *(record(f"{group}-{at}", NOW_US + at % 2) for at in range(13)))
    put(url, record("old", NOW_US - 20 * DAY), record("older", NOW_US - 25 * DAY))
    whole = ids(search(Ask(), ALL, limit=1000, order=order).logs)
    there = list(pages(Ask(), 5, order))
    assert [one for page in there for one in ids(page.logs)] == whole
    assert len(set(whole)) == 54
    back = [there[-1]]
    while back[-1].prev is not None:
        back.append(search(Ask(), ALL, limit=5, order=order, cursor=back[-1].prev))
    assert [ids(page.logs) for page in reversed(back)] == [ids(page.logs) for page in there]


def test_a_page_reached_backwards_leads_forwards_again(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(30)))
    first, second, third = list(pages(Ask(), 10, "desc"))
    returned = search(Ask(), ALL, limit=10, cursor=third.prev or "")
    assert ids(returned.logs) == ids(second.logs)
    assert ids(search(Ask(), ALL, limit=10, cursor=returned.next or "").logs) == ids(third.logs)
    assert ids(search(Ask(), ALL, limit=10, cursor=returned.prev or "").logs) == ids(first.logs)
    assert first.prev is None and third.next is None


def test_pages_are_of_the_first_page_s_set_whatever_is_stored_meanwhile(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(10)))
    first = search(Ask(), ALL, limit=5)
    put(plain_url, *(record(f"late {at}", NOW_US + at) for at in range(10)))
    second = search(Ask(), ALL, limit=5, cursor=first.next or "")
    assert messages(first) + messages(second) == [str(at) for at in reversed(range(10))]
    assert second.next is None
    assert (second.total, second.as_of) == (10, first.as_of)


def test_nanoseconds_order_lines_and_bound_ranges(plain_url: str) -> None:
    put(plain_url, *(record(str(nanos), NOW_US, nanos=nanos) for nanos in (5, 1, 999, 0)))
    ns = NOW_US * 1000
    assert messages(search(Ask(), ALL, order="asc")) == ["0", "1", "5", "999"]
    assert messages(search(Ask(start=str(ns + 1), end=str(ns + 999)), ALL, order="asc")) == ["1", "5"]


def test_the_range_holds_its_start_and_not_its_end(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at * HOUR, nanos=0) for at in range(4)))
    ask = Ask(start=str(NOW_US + HOUR), end=str(NOW_US + 3 * HOUR))
    assert messages(search(ask, ALL, order="asc")) == ["1", "2"]


def test_a_cursor_of_another_query_is_refused(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(10)))
    cursor = search(Ask(q="service:checkout"), ALL, limit=2).next or ""
    for other in (Ask(q="service:web"), Ask(q="service:checkout", start="now-1h")):
        with pytest.raises(Refused, match="another query"):
            search(other, ALL, limit=2, cursor=cursor)
    with pytest.raises(Refused, match="no cursor of ours"):
        search(Ask(), ALL, cursor=cursor[:-4] + "AAAA")


def test_a_cursor_is_no_capability(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(10)), source=3)
    cursor = search(Ask(), ALL, limit=2).next or ""
    assert messages(search(Ask(), Scope(frozenset({4})), limit=2, cursor=cursor)) == []


def test_a_cursor_expires_with_its_token(plain_url: str, settings: LazySettings) -> None:
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(10)))
    cursor = search(Ask(), ALL, limit=2).next or ""
    settings.TOKEN_SECONDS = -1
    with pytest.raises(CursorExpired):
        search(Ask(), ALL, limit=2, cursor=cursor)


# ---- time runs out ----


def test_when_time_runs_out_the_answer_covers_the_newest_and_its_cursor_goes_on(plain_url: str) -> None:
    now = time.time_ns() // 1000
    put(plain_url, record("new", now), record("old", now - 3 * DAY))
    day = time.strftime("log_p%Y%m%d", time.gmtime((now - 3 * DAY) / 1e6))
    with psycopg.connect(plain_url) as blocker:
        blocker.execute(f"LOCK TABLE {day} IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
        page = search(Ask(timeout_ms=1000), ALL)
        assert (messages(page), page.partial, page.total, page.total_relation) == (["new"], True, 1, "gte")
        assert page.covered is not None and page.covered["end"] is None
        counts = histogram(Ask(start="now-4d", timeout_ms=1000), ALL)
        assert (counts.partial, counts.total) == (True, 1)
    rest = search(Ask(), ALL, cursor=page.next or "")
    assert (messages(rest), rest.partial, rest.next) == (["old"], False, None)


def test_when_not_even_the_first_slice_was_read_the_cursor_starts_over(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(3)))
    for order in ("desc", "asc"):
        with psycopg.connect(plain_url) as blocker:
            blocker.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
            page = search(Ask(timeout_ms=100), ALL, order=order)  # type: ignore[arg-type]
        assert page.partial and not page.logs
        again = search(Ask(), ALL, order=order, cursor=page.next or "")  # type: ignore[arg-type]
        assert sorted(messages(again)) == ["0", "1", "2"]


# ---- totals ----


def test_totals_are_exact_up_to_the_bound_and_say_so_beyond(
    plain_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.logs.search.COUNT_BOUND", 20)
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(20)))
    ask = Ask()
    assert (search(ask, ALL, limit=3).total, search(ask, ALL, limit=3).total_relation) == (20, "eq")
    put(plain_url, record("one more", NOW_US))
    bound, exact, none = (search(ask, ALL, limit=3, count=count) for count in ("bound", "exact", "none"))  # type: ignore[arg-type]
    assert (bound.total, bound.total_relation) == (20, "gte")
    assert (exact.total, exact.total_relation) == (21, "eq")
    assert (none.total, none.total_relation) == (None, None)
    assert search(ask, ALL, limit=0, count="exact").total == 21


# ---- histogram ----


def test_a_histogram_adds_up_to_the_total_under_one_as_of(url: str) -> None:
    for source in (1, 2):
        put(
            url,
            *(
                record(str(at), NOW_US - at * 137 * 1_000_000, severity=[None, 1, 9, 13, 17, 20, 24][at % 7])
                for at in range(300)
            ),
            source=source,
        )
    page = search(Ask(), ALL, limit=1, count="exact")
    for by in ("severity", "service", "host", "source", "a.b", "c", "nothing"):
        counts = histogram(Ask(as_of=page.as_of), ALL, by=by)
        assert counts.total == page.total == 600
        assert counts.total == sum(sum(series.counts) for series in counts.series)
        assert all(len(series.counts) == len(counts.times) <= 60 for series in counts.series)


def test_buckets_agree_with_searches_of_the_same_ranges(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at * 7_000_000, nanos=at % 1000) for at in range(100)))
    start, end = NOW_US * 1000 + 7_500_000_001, NOW_US * 1000 + 600_000_000_500
    counts = histogram(Ask(start=str(start), end=str(end)), ALL, step="1m")
    edges = [*counts.times, counts.end]
    for at, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        found = search(Ask(start=low, end=high), ALL, limit=0, count="exact").total
        assert found == sum(series.counts[at] for series in counts.series)
    assert counts.times[0] == counts.start and counts.start.endswith("7.500000001Z")


def test_what_is_not_among_the_top_is_other_and_what_has_no_value_is_missing(plain_url: str) -> None:
    services = ["a"] * 5 + ["b"] * 4 + ["other"] * 3 + ["d"] * 2 + [""] * 6
    put(plain_url, *(record(str(at), NOW_US + at, service=name) for at, name in enumerate(services)))
    counts = histogram(Ask(), ALL, by="service", top=3)
    assert [(series.value, series.kind, series.total) for series in counts.series] == [
        ("a", "value", 5),
        ("b", "value", 4),
        ("other", "value", 3),
        ("other", "other", 2),
        ("missing", "missing", 6),
    ]


def test_a_histogram_of_nothing_has_zeros_and_not_gaps(plain_url: str) -> None:
    put(plain_url, record("one", NOW_US), record("two", NOW_US + 50_000_000))
    counts = histogram(Ask(start=str(NOW_US), end=str(NOW_US + 60_000_000)), ALL, step="10s")
    assert [series.counts for series in counts.series] == [[1, 0, 0, 0, 0, 1]]
    empty = histogram(Ask(q="absent"), ALL)
    assert (empty.total, empty.series) == (0, [])
    assert empty.times


def test_two_reads_under_one_as_of_agree_while_lines_are_stored(plain_url: str) -> None:
    done = threading.Event()

    def write() -> None:
        with store.connect(plain_url) as conn:
            while not done.is_set():
                store.store(conn, [unit(*(record("x", NOW_US + at) for at in range(20)))])

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        totals = []
        for _ in range(15):
            page = search(Ask(), ALL, limit=10_000, count="exact")
            again = search(Ask(as_of=page.as_of), ALL, limit=10_000, count="exact")
            counts = histogram(Ask(as_of=page.as_of), ALL)
            assert ids(page.logs) == ids(again.logs)
            assert page.total == again.total == counts.total
            totals.append(page.total)
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert totals[-1] != totals[0], "nothing was stored meanwhile: this has shown nothing"


# ---- scope and single lines ----


def test_a_scope_bounds_every_answer(plain_url: str) -> None:
    for source in (1, 2):
        put(plain_url, record(f"of {source}"), source=source)
    one = Scope(frozenset({1}))
    assert messages(search(Ask(), one)) == ["of 1"]
    assert search(Ask(q="NOT nothing OR service:checkout"), one, limit=0, count="exact").total == 1
    assert histogram(Ask(), one).total == 1
    assert search(Ask(), NOTHING).logs == [] and histogram(Ask(), NOTHING).total == 0
    hidden = next(found for found in search(Ask(), ALL).logs if found.message == "of 2")
    assert line(one, hidden.id) is None
    assert line(ALL, hidden.id) == hidden


def test_a_line_says_where_it_comes_from(plain_url: str) -> None:
    put(plain_url, record("before"))
    batch = put(
        plain_url,
        record("hello", NOW_US, nanos=123, severity=18, trace_id=bytes(range(16)), span_id=bytes(range(8)),
               attributes=b'{"big":12345678901234567890.10}', flags=5, host=""),
    )  # fmt: skip
    found = search(Ask(q="hello"), ALL).logs[0]
    assert (found.severity, found.severity_number) == ("error", 18)
    assert found.batch == str(batch)
    assert found.time.endswith(".000000123Z")
    assert found.trace_id == "000102030405060708090a0b0c0d0e0f"
    assert found.span_id == "0001020304050607"
    assert bytes(found.attributes) == b'{"big": 12345678901234567890.10}'
    assert found.flags == ["time_missing", "text_repaired"]
    assert (found.host, found.service, found.source) == (None, "checkout", "3")


@pytest.mark.parametrize("wrong", ["", "x", "AAAA", "!" * 30, "A" * 30, "_" * 30])
def test_an_id_that_is_none_is_no_line(plain_url: str, wrong: str) -> None:
    assert line(ALL, wrong) is None


def test_lines_of_one_transaction_know_their_own_batches(plain_url: str) -> None:
    units = [unit(*(record(f"{at}", NOW_US) for _ in range(at))) for at in range(4)]
    with store.connect(plain_url) as conn:
        store.store(conn, units)
    for found in search(Ask(), ALL).logs:
        assert found.batch == str(units[int(found.message)].batch)


def test_filters_given_several_times_are_alternatives(plain_url: str) -> None:
    names = ["api", "web", "db"]
    put(plain_url, *(record(name, NOW_US + at, service=name) for at, name in enumerate(names)))
    assert messages(search(Ask(services=("api", "db")), ALL)) == ["db", "api"]
    assert messages(search(Ask(services=("api", "db"), severities=("error",)), ALL)) == []
    assert messages(search(Ask(services=("api", "db"), severities=("error", "<=info")), ALL)) == ["db", "api"]


def test_an_answer_without_any_time_is_partial_and_goes_on(plain_url: str) -> None:
    put(plain_url, record("one"))
    clock = Ask(timeout_ms=1)
    pages_read = [search(clock, ALL)]
    while not pages_read[-1].logs and pages_read[-1].next:
        pages_read.append(search(replace(clock, timeout_ms=1000), ALL, cursor=pages_read[-1].next))
    assert messages(pages_read[-1]) == ["one"]
