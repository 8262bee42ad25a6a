"""What comes from a log cannot steer the terminal it is shown on."""

import io
import json

import pytest

from ingest.terminal import Progress, harmless, harmless_json, indented


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten", "over\\rwritten"),
        ("one\ntwo", "one\\ntwo"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b", "a\\u2028b"),
        ("back\x08space", "back\\x08space"),
        ("\ud800", "\ufffd"),
        ("tab\tand ünïcode 漢 stay", "tab\tand ünïcode 漢 stay"),
    ],
)
def test_control_characters_are_written_out(hostile: str, shown: str) -> None:
    assert harmless(hostile) == shown


def test_a_message_of_many_lines_cannot_pass_for_another_line() -> None:
    assert (
        indented("Traceback:\r\n  File x\n2026-01-01 forged\n")
        == "Traceback:\n      File x\n    2026-01-01 forged"
    )


def test_json_means_the_same_after_it_was_made_harmless() -> None:
    value = {"m": "\x1b[2J\x9b\u202e\n\u2028 漢"}
    shown = harmless_json(value)
    assert json.loads(shown) == value
    assert not any(character in shown for character in "\x1b\x9b\u202e\n\u2028")


def test_progress_tells_bytes_and_rate_and_stays_off_pipes() -> None:
    out = io.StringIO()
    progress = Progress("a\x1b.log", 2_000_000, out)
    progress.move(1_000_000, 500)
    assert "50%" in progress.text() and "1.0/2.0 MB" in progress.text() and "lines/s" in progress.text()
    assert "\x1b" not in progress.text()
    assert "500 acknowledged" in progress.text()
    assert out.getvalue() == ""
