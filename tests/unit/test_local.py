"""What `make up` checks and keeps, without starting anything."""

import os
import socket
import stat
from pathlib import Path

import pytest

from webapp import roles
from webapp.local import configuration, installation, logs, machine, plan, servers, summary, timescale
from webapp.local.machine import Trouble


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own."""
    for name in ("SECRETS", "ENVIRONMENT", "UP", "LOCK"):
        monkeypatch.setattr(installation, name, tmp_path / name.lower())
    return tmp_path


# ---- the machine ----


def test_a_taken_port_is_one_sentence_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Trouble, match=rf"^Port {port} is taken .* with WEB_PORT=\d+\.$"):
            machine.check_ports({"WEB_PORT": ("127.0.0.1", port)})


def test_a_port_is_taken_even_by_a_server_that_would_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE", 0.0)
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken, pytest.raises(Trouble):
        machine.check_ports({"INGEST_PORT": ("127.0.0.1", taken.getsockname()[1])})


def test_two_variables_cannot_name_one_port() -> None:
    free = servers.free_port()
    with pytest.raises(Trouble, match="CACHE_PORT and BROKER_PORT both say"):
        machine.check_ports({"BROKER_PORT": ("127.0.0.1", free), "CACHE_PORT": ("127.0.0.1", free)})


def test_an_address_of_another_machine_names_the_variable() -> None:
    with pytest.raises(Trouble, match="WEB_PORT or BIND"):
        machine.check_ports({"WEB_PORT": ("192.0.2.1", servers.free_port())})


def test_a_directory_that_cannot_be_written_is_one_sentence_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Trouble, match=r"file/var cannot be written .*set VAR_DIR"):
        machine.check_directory(tmp_path / "file" / "var")


def test_a_known_complaint_gets_its_cure() -> None:
    assert machine.cure("FATAL: No space left on device").startswith("Free some disk space")
    assert machine.cure("something else") == "The log says more."


# ---- what is kept ----


def test_only_the_owner_reads_what_an_installation_keeps(here: Path) -> None:
    installation.keep_secret("broker_password")
    assert stat.S_IMODE((here / "secrets").stat().st_mode) == 0o600


def test_a_secret_is_made_once_and_kept(here: Path) -> None:
    assert installation.keep_secret("a") == installation.keep_secret("a")
    assert installation.keep_secret("a") != installation.keep_secret("b")


def test_a_bare_command_finds_the_servers_of_make_up(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"LOG_LEVEL": "DEBUG"})
    installation.write(installation.ENVIRONMENT, {"SECRET_KEY": "kept", "LOG_LEVEL": "INFO"})
    installation.adopt(["manage.py", "token"])
    assert os.environ == {"SECRET_KEY": "kept", "LOG_LEVEL": "DEBUG"}


def test_a_configured_process_is_left_alone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"SECRET_KEY": "its own"})
    installation.write(installation.ENVIRONMENT, {"DATABASE_URL": "postgresql://elsewhere/"})
    installation.adopt(["manage.py", "migrate"])
    assert os.environ == {"SECRET_KEY": "its own"}


def test_up_decides_anew_whose_servers_it_uses(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    installation.write(installation.ENVIRONMENT, {"SECRET_KEY": "kept", "DATABASE_URL": "postgresql://old/"})
    installation.adopt(["manage.py", "up"])
    assert os.environ == {"SECRET_KEY": installation.NO_KEY}


def test_the_lock_says_who_runs(here: Path) -> None:
    assert installation.holder() is None
    with installation.locked():
        assert installation.holder() == os.getpid()
        with pytest.raises(installation.AlreadyUp, match="already up"), installation.locked():
            pass
    assert installation.holder() is None


# ---- the plan ----


def test_a_bind_to_everything_is_called_on_loopback() -> None:
    assert [plan.reachable(host) for host in ("0.0.0.0", "::", "192.0.2.7")] == [
        "127.0.0.1",
        "127.0.0.1",
        "192.0.2.7",
    ]


def test_a_real_server_needs_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert set(plan.embedded()) == {"DATABASE_URL", "BROKER_URL", "CACHE_URL"}
    monkeypatch.setenv("BROKER_URL", "redis://broker.example/0")
    assert set(plan.embedded()) == {"DATABASE_URL", "CACHE_URL"}
    assert "BROKER_PORT" not in plan.ports()


def test_only_web_and_ingest_follow_bind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "BIND", "0.0.0.0")
    exposed = {variable for variable, (host, _) in plan.ports().items() if host != "127.0.0.1"}
    assert exposed == {"WEB_PORT", "INGEST_PORT"}


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    launch = servers.valkey_launch(tmp_path / "broker", 1, broker=True, password="s3cret")
    assert "s3cret" not in " ".join(launch.argv)
    assert stat.S_IMODE(Path(launch.argv[-1]).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", sorted(roles.ROLES))
def test_every_role_has_a_command_that_the_virtual_environment_runs(name: str) -> None:
    assert Path(roles.command(name)[0]).exists()


def test_the_summary_holds_the_first_line_to_send(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary.prepare, "RESULT", here / "prepared")
    installation.write(here / "prepared", {"password_shown": False, "server": "PostgreSQL 18.6"})
    known = ("web_url", "ingest_url", "flower_url", "admin_user", "admin_password", "ingest_token")
    text = summary.text({**{name: f"<{name}>" for name in known}, "edition": "plain"}, 41.2, demo=True)
    assert "Logboom is up (41 s)" in text
    assert "password <admin_password>  (shown once)" in text
    assert 'curl <ingest_url>/api/v1/logs -H "Authorization: Bearer <ingest_token>" \\\n' in text


# ---- logs and documents ----


def test_a_log_file_begins_anew_before_it_grows_without_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 10)
    log = logs.LogFile(tmp_path / "a.log")
    for line in (b"0123456789", b"abc"):
        log.write(line)
    log.sink.close()
    assert (tmp_path / "a.log.1").read_text() == "0123456789\n"
    assert (tmp_path / "a.log").read_text() == "abc\n"


def test_a_line_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LONGEST_LINE", 4)
    lines = logs.Lines()
    assert [lines.feed(b"ab\ncd"), lines.feed(b"efg"), lines.feed(b"h\n")] == [[b"ab"], [b"cdefg"], [b"h"]]


def test_the_page_of_variables_is_what_the_code_reads() -> None:
    assert configuration.PAGE.read_text() == configuration.page(), "run `make docs`"


def test_a_machine_without_debians_packages_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timescale.shutil, "which", lambda _: None)
    with pytest.raises(timescale.TimescaleError, match="apt-get is missing"):
        timescale.check_machine()


def test_an_interrupted_build_of_the_timescale_root_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(archives: Path, where: Path) -> None:
        assert not where.exists()
        (where / timescale.BIN).mkdir(parents=True)
        for name in timescale.PROGRAMS:
            (where / timescale.BIN / name).write_text("the program")

    monkeypatch.setattr(timescale, "check_machine", lambda: None)
    monkeypatch.setattr(timescale, "fetch", lambda work: work.mkdir())
    monkeypatch.setattr(timescale, "unpack", unpack)
    monkeypatch.setattr(timescale, "run", lambda command: "postgres (PostgreSQL) 18")
    (tmp_path / "root.new").mkdir()
    (tmp_path / "root.work").mkdir()
    timescale.build(tmp_path / "root")
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    assert (tmp_path / "root" / timescale.BIN / "postgres").read_text().startswith("#!/bin/sh")
    monkeypatch.setattr(timescale, "fetch", lambda work: pytest.fail("it is whole already"))
    timescale.build(tmp_path / "root")
