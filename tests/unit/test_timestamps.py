"""Every form of time, to the nanosecond."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import timestamps

SECOND = 1_795_499_940_000_000  # 2026-11-24T05:59:00Z, in microseconds

FORMS = {
    "2026-11-24T05:59:00Z": (SECOND, 0),
    "2026-11-24t05:59:00z": (SECOND, 0),
    "2026-11-24 05:59:00Z": (SECOND, 0),
    "2026-11-24 05:59:00 Z": (SECOND, 0),
    "2026-11-24T05:59:00": (SECOND, 0),
    "  2026-11-24T05:59:00Z\n": (SECOND, 0),
    "2026-11-24T05:59:00.1Z": (SECOND + 100_000, 0),
    "2026-11-24T05:59:00,5Z": (SECOND + 500_000, 0),
    "2026-11-24T05:59:00.123456789Z": (SECOND + 123_456, 789),
    "2026-11-24T05:59:00.000000001Z": (SECOND, 1),
    "2026-11-24T05:59:00.1234567Z": (SECOND + 123_456, 700),
    "2026-11-24T05:59:00.123456789+00:00": (SECOND + 123_456, 789),
    "2026-11-24T05:59:00.1234567+00:00": (SECOND + 123_456, 700),
    "2026-11-24T05:59:00.123456789999Z": (SECOND + 123_456, 789),
    "2026-11-24T06:59:00+01:00": (SECOND, 0),
    "2026-11-24T00:29:00-05:30": (SECOND, 0),
    "2026-11-24T06:59:00.5+0100": (SECOND + 500_000, 0),
    "2026-11-24T06:59:00+01": (SECOND, 0),
    "2026-11-24T05:58:60Z": (SECOND, 0),
    "1795499940": (SECOND, 0),
    "1795499940000": (SECOND, 0),
    "1795499940000000": (SECOND, 0),
    "1795499940000000001": (SECOND, 1),
    "1795499940.123456789": (SECOND + 123_456, 789),
    "1795499940000.5": (SECOND + 500, 0),
    "1.79549994e9": (SECOND, 0),
    "1795499940.": (SECOND, 0),
    "-1": (-1_000_000, 0),
    "-0.000000001": (-1, 999),
    "1960-01-01T00:00:00Z": (-315_619_200_000_000, 0),
}
NO_TIMES = [
    "",
    "yesterday",
    "2026-11-24",
    "2026-13-24T05:59:00Z",
    "2026-02-30T05:59:00Z",
    "2026-11-24T24:00:00Z",
    "2026-11-24T05:59:61Z",
    "2026-11-24T05:59:00+25:00",
    "2026-11-24T05:59:00Z123Z",
    "2026-11-24T05:59:0٣Z",
    "2026-11-24T05:59:00.+12Z",
    "0000-01-01T00:00:00Z",
    "1" * 21,
    "1e99",
    "1e400000",
    "NaN",
    "true",
    "0x10",
]


@pytest.mark.parametrize("text", FORMS)
def test_each_form_is_read_exactly(text: str) -> None:
    assert timestamps.parse(text) == FORMS[text]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_says_so(text: str) -> None:
    with pytest.raises(timestamps.BadTime):
        timestamps.parse(text)


@pytest.mark.parametrize("number", [1795499940, 1795499940000, 1795499940000000, 1795499940000000000])
def test_whole_numbers_are_told_apart_by_their_digits(number: int) -> None:
    assert timestamps.parse(number) == (SECOND, 0)


def test_a_number_of_too_many_digits_is_no_time() -> None:
    with pytest.raises(timestamps.BadTime):
        timestamps.parse(10**20)


moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1))
separators, zeds = st.sampled_from("Tt "), st.sampled_from(["Z", "z", "", "+00:00"])


@given(moments, st.integers(0, 999), separators, zeds)
def test_nine_digits_survive(moment: datetime, nanos: int, separator: str, zed: str) -> None:
    text = f"{moment.strftime(f'%Y-%m-%d{separator}%H:%M:%S.%f')}{nanos:03}{zed}"
    since = moment.replace(tzinfo=UTC) - timestamps.EPOCH
    assert timestamps.parse(text) == (since // timedelta(microseconds=1), nanos)


@given(moments, st.integers(-23 * 60, 23 * 60))
def test_offsets_lead_to_the_same_moment(moment: datetime, east: int) -> None:
    sign, minutes = "-" if east < 0 else "+", abs(east)
    local = (moment + timedelta(minutes=east)).isoformat(timespec="microseconds")
    text = f"{local}{sign}{minutes // 60:02}:{minutes % 60:02}"
    assert timestamps.parse(text) == timestamps.parse(moment.isoformat(timespec="microseconds") + "Z")


@given(st.integers(10**18, 10**19 - 1))
def test_nanoseconds_and_decimal_seconds_say_the_same(nanos: int) -> None:
    assert timestamps.parse(nanos) == divmod(nanos, 1000)
    assert timestamps.parse(str(nanos)) == divmod(nanos, 1000)
    assert timestamps.parse(f"{nanos // 10**9}.{nanos % 10**9:09}") == divmod(nanos, 1000)


@given(st.text() | st.from_regex(r"[0-9T:.Z +-]{15,35}", fullmatch=True))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    try:
        microseconds, nanos = timestamps.parse(text)
    except timestamps.BadTime:
        return
    assert isinstance(microseconds, int) and 0 <= nanos <= 999
