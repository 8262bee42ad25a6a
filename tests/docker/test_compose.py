"""docker-compose.yml against the code it starts: names, variables, secrets, networks, bounds."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker import composed
from tests.docker.composed import BASE, Service
from webapp import roles
from webapp.local import bundle, configuration, plan

SERVICES = composed.services({})
OURS = {name: service for name, service in SERVICES.items() if service.ours}
ONCE = {"init", "migrate"}
SECRETS = {
    *("SECRET_KEY", "DATABASE_URL", "DATABASE_READ_URL", "BROKER_URL", "CACHE_URL"),
    *("ADMIN_PASSWORD", "INGEST_TOKEN", "DEMO_TOKEN", "LOGBOOM_TOKEN", "POSTGRES_PASSWORD"),
}
TERMINAL = {"LOGBOOM_URL", "LOGBOOM_TOKEN"}
DRAIN_SECONDS = plan.WORKER_GRACE
DCLINT = "dclint@3.1.0"
# Who reaches whom: (caller, server). What is not here must share no network.
EDGES = {
    *{(role, "database") for role in ("web", "worker", "migrate")},
    *{(role, "broker") for role in ("web", "worker", "migrate", "ingest", "beat", "flower")},
    *{("web", "cache"), ("web", "flower"), ("producer", "ingest")},
}


def test_every_service_of_ours_is_a_role_of_the_same_name() -> None:
    assert {service.role for service in OURS.values()} == set(roles.ROLES)
    assert all(service.role == name for name, service in OURS.items())


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What init makes, as each service would find it under /secrets."""
    made = tmp_path_factory.mktemp("secrets")
    for place in OURS["init"].mounts:
        (made / Path(place).relative_to("/secrets")).mkdir()
    started(OURS["init"], made, ["-m", "webapp.local.compose"])
    return made


def started(service: Service, secrets: Path, words: list[str]) -> str:
    """A Python with exactly this service's environment, its secrets where they lie here."""
    given = {
        name: value.replace("/secrets", str(secrets), 1) if name.endswith("_FILE") else value
        for name, value in service.environment.items()
    }
    bare = {"PATH": os.environ["PATH"], "SECRETS_DIR": str(secrets), "VAR_DIR": str(secrets / "none")}
    done = subprocess.run(
        [sys.executable, *words], cwd=BASE, env={**bare, **given}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{service.name}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("name", sorted(OURS.keys() - {"init", "producer"}))
def test_the_settings_accept_what_a_role_is_given(name: str, secrets: Path) -> None:
    """And find each secret in its file."""
    script = (
        "import os\nfrom webapp import roles\n"
        f"os.environ.update(roles.environment({name!r}))\n"
        f"roles.command({name!r})\nfrom webapp import settings\n"
        "print(settings.SECRET_KEY, settings.BROKER_URL, settings.DATABASE_URL, settings.DATABASES.keys())"
    )
    key, broker, *database = started(OURS[name], secrets, ["-c", script]).split()
    assert len(key) >= 50
    assert re.fullmatch(r"redis://:[\w-]{32}@broker:6379/0", broker)
    assert bool(re.match(r"postgresql://logboom:[\w-]{32}@database:5432/logboom", database[0])) == (
        (name, "database") in EDGES
    )


def test_the_producer_finds_its_token(secrets: Path) -> None:
    script = "from ingest.client import find_target as f; t = f('ingest', None, None); print(t.url, t.token)"
    url, token = started(OURS["producer"], secrets, ["-c", script]).split()
    assert url == "http://ingest:8001"
    assert token == (secrets / "app" / "demo_token").read_text().strip()


def test_a_second_init_keeps_every_secret_and_says_nothing(secrets: Path) -> None:
    before = {path: path.read_text() for path in secrets.rglob("*") if path.is_file()}
    assert started(OURS["init"], secrets, ["-m", "webapp.local.compose"]) == ""
    assert {path: path.read_text() for path in secrets.rglob("*") if path.is_file()} == before


def test_no_variable_is_one_that_nothing_reads() -> None:
    known = configuration.variables().keys() | TERMINAL
    given = {name.removesuffix("_FILE") for service in OURS.values() for name in service.environment}
    assert given <= known, given - known


def test_every_secret_comes_from_a_file_of_a_volume_that_the_service_has() -> None:
    for service in SERVICES.values():
        assert not service.environment.keys() & SECRETS, service.name
        for name, path in service.environment.items():
            if name.endswith("_FILE"):
                assert any(path.startswith(f"{place}/") for place in service.mounts), (service.name, name)


def test_only_init_writes_secrets_and_each_server_sees_its_own_alone() -> None:
    for service in SERVICES.values():
        seen = {volume: writable for volume, writable in service.mounts.values() if "secrets" in volume}
        assert any(seen.values()) == (service.name == "init"), service.name
        inner = {"web", "worker", "migrate"}
        own = service.name if service.name in ("database", "broker", "cache") else "edge"
        if service.name != "init":
            assert set(seen) == {f"secrets-{'app' if service.name in inner else own}"}, service.name


def test_networks_join_exactly_those_who_talk() -> None:
    servers = {server for _, server in EDGES}
    shared = {
        (caller.name, server)
        for caller in SERVICES.values()
        for server in servers - {caller.name}
        if set(caller.networks) & set(SERVICES[server].networks)
    }
    assert shared >= EDGES
    reaches_database = {caller for caller, server in shared if server == "database"}
    assert reaches_database == {caller for caller, server in EDGES if server == "database"}
    assert {caller for caller, _ in shared if caller == "producer"} == {"producer"}
    assert ("producer", "broker") not in shared
    networks = composed.document({})["networks"]
    assert {name for name, how in networks.items() if how.get("internal")} == {"backend", "data"}


def test_ports_are_on_loopback_and_only_of_web_and_ingest() -> None:
    published = {
        service.name: service.raw["ports"] for service in SERVICES.values() if "ports" in service.raw
    }
    assert published == {"web": ["127.0.0.1:8000:8000"], "ingest": ["127.0.0.1:8001:8001"]}


def test_another_port_is_told_in_the_links_too() -> None:
    web = composed.services({"WEB_PORT": "9000"})["web"]
    assert web.raw["ports"] == ["127.0.0.1:9000:8000"]
    assert web.environment["PUBLIC_URL"] == "http://127.0.0.1:9000"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_each_service_is_hardened_and_bounded(name: str) -> None:
    raw, limits = SERVICES[name].raw, SERVICES[name].limits
    assert raw["read_only"] is True
    assert raw["cap_drop"] == ["ALL"]
    assert raw["security_opt"] == ["no-new-privileges:true"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert all("size=" in each for each in raw["tmpfs"])
    assert raw["logging"]["options"].keys() == {"max-size", "max-file"}
    assert raw["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert "privileged" not in raw and "cap_add" not in raw
    if not SERVICES[name].ours:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", raw["user"])
        assert re.search(r":\d+\.\d+", raw["image"]), "a pinned version"


def test_the_order_is_by_health() -> None:
    assert [service.name for service in composed.in_order(SERVICES)][0] == "init"
    for service in SERVICES.values():
        for other, condition in service.waits_for.items():
            once = other in ONCE
            assert condition == ("service_completed_successfully" if once else "service_healthy")
            assert once or "healthcheck" in SERVICES[other].raw
    assert "database" not in {*SERVICES["ingest"].waits_for}, "ingest takes lines while PostgreSQL is away"


def test_whoever_has_something_to_finish_is_given_longer_than_it_takes() -> None:
    assert SERVICES["worker"].grace > DRAIN_SECONDS
    for name in ("web", "ingest"):
        assert SERVICES[name].grace > float(roles.STOP_SECONDS)
    assert SERVICES["database"].raw["stop_signal"] == "SIGINT"
    assert "shm_size" in SERVICES["database"].raw


def test_the_brokers_memory_is_at_most_half_its_limit_and_it_loses_nothing() -> None:
    words = SERVICES["broker"].command
    given = dict(zip(words, words[1:], strict=False))
    assert 2 * megabytes(given["--maxmemory"]) <= megabytes(SERVICES["broker"].limits["memory"])
    assert (given["--appendonly"], given["--appendfsync"]) == ("yes", "always")
    assert given["--maxmemory-policy"] == "noeviction"
    assert SERVICES["broker"].mounts["/data"] == ("broker", True)


def megabytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 1, "mb": 1, "g": 1024, "gb": 1024}[unit]


def test_the_dashboards_volumes_are_declared_and_used() -> None:
    declared = composed.document({})["volumes"].keys()
    used = {volume for service in SERVICES.values() for volume, _ in service.mounts.values()}
    assert used == declared


# ---- what linters hold ----


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    words = [str(hadolint), "--config", "docker/.hadolint.yaml", "docker/Dockerfile"]
    said = subprocess.run(words, cwd=BASE, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


def test_dclint_finds_nothing() -> None:
    """Its schema refuses unknown keys; its rules about the order of keys are off, for ours tells a story."""
    npm = bundle.found_npm() or bundle.wheel_npm()
    path = f"{Path(npm[0]).parent}{os.pathsep}{os.environ['PATH']}"
    words = ["exec", "--yes", DCLINT, "--", "-c", "docker/.dclintrc", "-f", "json", "docker", "compose.yaml"]
    said = subprocess.run(
        [*npm, *words], cwd=BASE, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert [each["messages"] for each in json.loads(said.stdout)] == [[], []]
