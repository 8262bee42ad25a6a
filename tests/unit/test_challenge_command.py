"""What the command refuses before a line is sent, in a sentence and with the exit code for nothing proved."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from webapp.challenge import targets


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No installation runs from here, and nothing listens where the environment points."""
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    for name, value in {
        "LOGBOOM_INGEST_URL": "http://127.0.0.1:9",
        "LOGBOOM_INGEST_TOKEN": "i",
        "LOGBOOM_WEB_URL": "http://127.0.0.1:9",
        "LOGBOOM_READ_TOKEN": "r",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["check"], "check wants the journal"),
        (["check", "/nowhere/j"], "there is no journal"),
        (["run", "/nowhere/j"], "a journal goes with `check`"),
        (["--duration", "86400", "--rate", "10000"], "at most 10,000,000 lines"),
        (["--faults", "local", "--yes"], "local faults are for the installation that `make up` runs here"),
        (["--web-url", "logs.example.org"], "is no http:// or https:// address"),
        (["--login", "ada"], "does not answer"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_challenged_is_refused_in_a_sentence(
    words: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGBOOM_PASSWORD", "wrong")
    with pytest.raises(CommandError, match=why) as refused:
        call_command("challenge", *words)
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--batch", "5001"],
        ["--threads", "0"],
        ["--duration", "inf"],
        ["spill"],
    ],
    ids=" ".join,
)
def test_a_number_out_of_bounds_is_refused_by_name(words: list[str]) -> None:
    with pytest.raises(CommandError, match=words[0]):
        call_command("challenge", *words)


def test_a_missing_token_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGBOOM_INGEST_TOKEN")
    with pytest.raises(CommandError, match="--ingest-token or LOGBOOM_INGEST_TOKEN"):
        call_command("challenge")


def test_a_person_who_logs_in_needs_no_token_for_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGBOOM_READ_TOKEN")
    assert targets.find(targets.Given()).read_token is None
    monkeypatch.setenv("LOGBOOM_PASSWORD", "wrong")
    with pytest.raises(CommandError, match=r"127\.0\.0\.1:9 does not answer"):
        call_command("challenge", "--login", "ada")
