"""Deaths over a spill file: counted by what a life leaves behind, never by an end that is no death."""

from pathlib import Path

import pytest

from ingest.buffer import Claimed
from tests.batches import claimed
from workers.deaths import Deaths

A, B = claimed("a"), claimed("b", deaths=2)


def dies(file: Path, *group: Claimed) -> None:
    """Ends within the group: what is noted there is what stays."""
    with Deaths(file).risking(group):
        left = file.with_suffix(".deaths").read_bytes()
    file.with_suffix(".deaths").write_bytes(left)


def deaths(file: Path) -> list[int]:
    return [Deaths(file).told(batch).deaths for batch in (A, B)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "1.spill"


def test_a_file_nobody_died_over_says_what_the_broker_said(file: Path) -> None:
    assert deaths(file) == [0, 2]


def test_each_life_that_ended_counts_for_those_it_had_in_hand(file: Path) -> None:
    dies(file, A, B)
    dies(file, B)
    assert deaths(file) == [1, 4]


def test_an_end_that_is_no_death_counts_nothing_and_forgets_nothing(file: Path) -> None:
    dies(file, A)
    with pytest.raises(OSError, match="away"), Deaths(file).risking([A, B]):
        raise OSError("the database is away")
    with Deaths(file).risking([A, B]):
        pass
    assert deaths(file) == [1, 2]


def test_without_deaths_nothing_lies_there(file: Path) -> None:
    with Deaths(file).risking([A]):
        assert [path.name for path in file.parent.iterdir()] == ["1.deaths"]
    assert list(file.parent.iterdir()) == []


def test_a_file_that_has_done_its_work_is_forgotten(file: Path) -> None:
    dies(file, A)
    Deaths(file).forget()
    assert deaths(file) == [0, 2]


def test_half_a_note_counts_anew(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    dies(file, A)
    note = file.with_suffix(".deaths")
    note.write_bytes(note.read_bytes()[:10])
    assert deaths(file) == [0, 2]
    assert "counted anew" in caplog.text


def test_where_nothing_can_be_written_the_work_goes_on(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.with_suffix(".deaths").mkdir()
    with Deaths(file).risking([A]):
        pass
    assert "not counted" in caplog.text
