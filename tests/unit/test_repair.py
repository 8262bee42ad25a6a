"""Text that PostgreSQL cannot hold becomes text that it can."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import repair

ESCAPES = {
    rb'"\u0000"': rb'"\ufffd"',
    rb'"\\u0000"': rb'"\\u0000"',
    rb'"\\\u0000"': rb'"\\\ufffd"',
    rb'"\ud83d\ude00"': rb'"\ud83d\ude00"',
    rb'"\ud83d"': rb'"\ufffd"',
    rb'"\ude00\ud83d"': rb'"\ufffd\ufffd"',
    rb'"\ud83d\ud83d\ude00"': rb'"\ufffd\ud83d\ude00"',
    rb'"\uD83D\uDE00 \uDBFF"': rb'"\uD83D\uDE00 \ufffd"',
    rb'"\u00e9\n\""': rb'"\u00e9\n\""',
    b'"\xff"': '"\ufffd"'.encode(),
    b'"\xed\xa0\xbd"': ('"' + "\ufffd" * 3 + '"').encode(),
    b'"\x00"': '"\ufffd"'.encode(),
}


@pytest.mark.parametrize("sent", ESCAPES)
def test_each_offence_becomes_a_replacement_character(sent: bytes) -> None:
    assert repair.json_line(sent) == ESCAPES[sent]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_sound_json_is_left_alone(text: str) -> None:
    for line in (json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode("utf-8")):
        assert repair.json_line(line) == line


@given(st.text(st.sampled_from("\ud800\udbff\udc00\0\\uda0é\N{GRINNING FACE}")))
def test_mended_json_reads_as_text_with_replacements(text: str) -> None:
    mended = json.loads(repair.json_line(json.dumps(text).encode()))
    # What JSON reads as a pair was a pair to begin with.
    sound = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    assert mended == sound


@given(st.binary())
def test_escapes_keep_their_places(line: bytes) -> None:
    assert len(repair.escapes(line)) == len(line)


@given(st.binary())
def test_is_utf8_agrees_with_decoding(body: bytes) -> None:
    try:
        body.decode()
        sound = True
    except UnicodeDecodeError:
        sound = False
    assert repair.is_utf8(body) == sound


def test_a_character_across_two_slices_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "SLICE", 3)
    assert repair.is_utf8("ab\N{GRINNING FACE}é".encode())
    assert not repair.is_utf8("ab\N{GRINNING FACE}".encode()[:-1])
