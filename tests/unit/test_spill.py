"""The spill file: what is written is read, and damage takes only what it touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.buffer import Claimed
from tests.batches import claimed
from workers import spill
from workers.errors import Damaged

WRITTEN = 1_700_000_000_000_000
batches = st.lists(
    st.builds(
        Claimed,
        batch=st.uuids(),
        acceptance=st.integers(0, 2**63),
        source=st.integers(0, 2**31),
        rows=st.integers(0, 2**31),
        deaths=st.integers(0, 9),
        payload=st.binary(max_size=200),
    ),
    max_size=5,
)


@given(batches)
def test_what_is_written_is_read(given_batches: list[Claimed]) -> None:
    assert spill.decode(spill.encode(given_batches, WRITTEN)) == spill.Contents(WRITTEN, given_batches, None)


@given(batches, st.data())
def test_no_flipped_bit_goes_unseen(given_batches: list[Claimed], data: st.DataObject) -> None:
    file = bytearray(spill.encode(given_batches, WRITTEN))
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        found = spill.decode(bytes(file))
        assert all(batch in given_batches for batch in found.batches)
        raise Damaged(found.damage) if found.damage else AssertionError("read as whole")


@given(batches, st.data())
def test_no_cut_goes_unseen(given_batches: list[Claimed], data: st.DataObject) -> None:
    file = spill.encode(given_batches, WRITTEN)
    cut = file[: data.draw(st.integers(0, len(file) - 1))]
    with pytest.raises(Damaged):
        raise Damaged(spill.decode(cut).damage)


def test_a_rotten_record_leaves_its_neighbours_readable() -> None:
    first, rotten, last = claimed("a"), claimed("b", payload=b"ROTTEN" * 9), claimed("c")
    file = spill.encode([first, rotten, last], WRITTEN).replace(b"ROTTENROTTEN", b"ROTTENrotten")
    found = spill.decode(file)
    assert found.batches == [first, last]
    assert found.damage == "the 2. record's checksum is wrong"


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        (b"", "shorter than a header"),
        (b"GARBAGE!" + b"\0" * 40, "not a spill file"),
        (spill.encode([], WRITTEN).replace(b"LBSPILL\x01", b"LBSPILL\x09"), "not a spill file of a version"),
    ],
)
def test_a_file_without_a_good_header_is_refused(file: bytes, complaint: str) -> None:
    with pytest.raises(Damaged, match=complaint):
        spill.decode(file)


def test_bytes_after_the_trailer_are_damage() -> None:
    assert spill.decode(spill.encode([], WRITTEN) + b"x").damage


def test_names_sort_by_the_time_of_writing() -> None:
    assert sorted([spill.name(10**15), spill.name(9), spill.name(10**16)]) == [
        spill.name(9),
        spill.name(10**15),
        spill.name(10**16),
    ]
