"""The images, built as a user would build them, and every service of docker-compose.yml run from them.

Needs root and Debian's container tools (.ci/run installs them); where the machine has none the end of the run
says so in red, and with CI=true it fails.
"""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.database import lack
from tests.docker import composed, images
from tests.docker.images import Storage
from tests.docker.running import APP, BROKER, DATABASE, OUR_DATABASE, Composed
from tests.docker.running import composed as running

pytestmark = pytest.mark.acceptance
PATIENCE = 60.0
PORTS = {"web": 8000, "ingest": 8001, "flower": 5555, "database": 5432, "broker": 6379, "cache": 6379}
ROLES = ("web", "ingest", "worker", "beat", "flower", "producer")
SERVERS = ("database", "broker", "cache")
MEANT_TO_STOP = (0, 128 + signal.SIGTERM)


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    if not images.able():
        lack("images")
    with images.storage() as made:
        made.build(APP, "app")
        made.build(BROKER, "broker")
        made.build(DATABASE, "database")
        yield made


@pytest.fixture(scope="module")
def up(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The whole file, demo profile and all, each service after those that it waits for."""
    with running(storage, composed.services(OUR_DATABASE), tmp_path_factory.mktemp("composed")) as made:
        yield made


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.2)


# ---- one image by itself ----


def plain(storage: Storage, *words: str) -> str:
    """A shell in the image, as hardened as it goes."""
    bounds = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--ulimit", "nofile=4096:4096")
    return storage.podman("run", "--rm", *bounds, "--ulimit", "nproc=4096:4096", *words)


def test_the_image_holds_no_build_tool_no_source_of_the_bundle_and_no_secret(storage: Storage) -> None:
    script = """
        for tool in pip pip3 gcc cc make git node npm curl; do command -v $tool && echo "has $tool"; done
        ls -d /app/tests /app/var /app/.git /app/webapp/ui/explorer 2>/dev/null
        env | grep -iE 'secret|password|token' ; find /secrets -type f
        ls -d /root/.cache 2>/dev/null
        true
    """
    assert plain(storage, "--user", "0", "--entrypoint", "sh", APP, "-c", script) == ""


def test_its_labels_account_and_command_are_told(storage: Storage) -> None:
    config = json.loads(storage.podman("image", "inspect", APP))[0]["Config"]
    assert config["User"] == "10001:10001"
    assert (config["Entrypoint"], config["Cmd"]) == (["python", "manage.py", "role"], ["web"])
    assert config["Labels"]["org.opencontainers.image.title"] == "Logboom"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_static_files_and_the_bundle_are_in_it(storage: Storage) -> None:
    script = "ls static/staticfiles.json static/explorer/ webapp/ui/dist/explorer/"
    said = plain(storage, "--entrypoint", "sh", APP, "-c", script)
    assert re.search(r"^explorer\.[0-9a-f]{12}\.js$", said, re.MULTILINE), said
    assert re.search(r"^explorer\.js$", said, re.MULTILINE)


def test_a_role_without_its_secret_says_what_is_missing(storage: Storage) -> None:
    with pytest.raises(AssertionError, match=r"SECRET_KEY is not set: set it, or SECRET_KEY_FILE"):
        plain(storage, "--tmpfs", "/tmp", APP, "web")


def test_any_number_will_do_as_its_user(storage: Storage) -> None:
    """As clusters that choose one for each namespace do, with the group 0."""
    given = ("--user", "1000720000:0", "--tmpfs", "/tmp:rw,mode=1777", "--env", "SECRET_KEY=" + "k" * 50)
    name = ("--detach", "--name", "anyone")
    try:
        plain(storage, *given, *name, APP, "web")
        until(lambda: answers(storage, "anyone"))
    finally:
        storage.podman("rm", "--force", "--time", "0", "anyone")


def answers(storage: Storage, container: str) -> bool:
    try:
        storage.podman("exec", container, "python", "-I", "-S", "docker/probe.py", "8000")
    except AssertionError:
        return False
    return True


# ---- all of it together ----


def post(up: Composed, message: str) -> None:
    token = (up.volume("secrets-app") / "ingest_token").read_text().strip()
    body = json.dumps({"message": message, "service": "hello"})
    where = "http://127.0.0.1:8001/api/v1/logs"
    said = up.curl("ingest", where, "-H", f"Authorization: Bearer {token}", "-d", body)
    assert json.loads(said)["accepted"] == 1, said


def found(up: Composed, token: str) -> list[str]:
    where = "http://127.0.0.1:8000/api/v1/logs/search?q=service:hello"
    said = json.loads(up.curl("web", where, "-H", f"Authorization: Bearer {token}"))
    return [line["message"] for line in said["logs"]]


@pytest.fixture(scope="module")
def reader(up: Composed) -> str:
    """A token made the way the documentation says."""
    return up.execute("web", "python", "manage.py", "token", "create", "reader", "--scope", "read").strip()


def test_the_first_curl_of_init_sends_a_line_that_is_found(up: Composed, reader: str) -> None:
    printed = up.logs("init")
    token = (up.volume("secrets-app") / "ingest_token").read_text().strip()
    assert f'curl http://127.0.0.1:8001/api/v1/logs -H "Authorization: Bearer {token}"' in printed
    post(up, "my first line")
    until(lambda: found(up, reader) == ["my first line"])


def test_the_password_that_init_printed_logs_in_and_the_explorer_is_served(up: Composed) -> None:
    (password,) = re.findall(r"user admin, password (\S+)   \(shown once\)", up.logs("init"))
    jar, login = str(up.directory / "jar"), "http://127.0.0.1:8000/login/"
    up.curl("web", "-c", jar, login)
    (csrf,) = re.findall(r"csrftoken\s+(\S+)", (up.directory / "jar").read_text())
    form = f"username=admin&password={password}&csrfmiddlewaretoken={csrf}"
    up.curl("web", "-b", jar, "-c", jar, "-H", f"Referer: {login}", "-d", form, login)
    page = up.curl("web", "-b", jar, "http://127.0.0.1:8000/")
    (script,) = re.findall(r'src="(/static/explorer/explorer\.[0-9a-f]{12}\.js)"', page)
    head = up.curl("web", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:8000{script}")
    assert head == "200"
    flower = up.curl("web", "-b", jar, "-L", "http://127.0.0.1:8000/flower/workers")
    until(lambda: "worker-0@" in up.curl("web", "-b", jar, "-L", "http://127.0.0.1:8000/flower/workers"))
    assert "Flower" in flower


def test_the_producers_lines_arrive(up: Composed, reader: str) -> None:
    where = "http://127.0.0.1:8000/api/v1/logs/search?q=source:demo"
    until(lambda: bool(json.loads(up.curl("web", where, "-H", f"Authorization: Bearer {reader}"))["logs"]))


@pytest.mark.parametrize("name", [*ROLES, *SERVERS])
def test_each_runs_without_a_single_right(up: Composed, name: str) -> None:
    status = up.execute(name, "cat", "/proc/1/status")
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert not re.search(r"^Uid:\t0\b", status, re.MULTILINE)
    with pytest.raises(AssertionError, match="Read-only file system|Permission denied"):
        up.execute(name, "touch", "/app/x" if name in ROLES else "/usr/x")


def test_networks_let_through_who_shares_one_and_nobody_else(up: Composed) -> None:
    for caller in ROLES:
        for host, port in PORTS.items():
            shares = bool(set(up.services[caller].networks) & set(up.services[host].networks))
            assert up.reaches(caller, host, port) == shares, f"{caller} to {host}"


def test_ingest_takes_lines_while_the_database_is_away_and_they_are_found_later(
    up: Composed, reader: str
) -> None:
    up.stop("database")
    post(up, "while it was away")
    up.again("database")
    until(lambda: "while it was away" in found(up, reader))


@pytest.mark.parametrize("name", [*ROLES, *SERVERS])
def test_each_stops_within_its_grace_and_starts_again_on_its_volumes(up: Composed, name: str) -> None:
    """As the first process of its container, which hears no signal that it did not ask for."""
    seconds, code = up.stop(name)
    assert code in MEANT_TO_STOP, f"{code}: {up.logs(name)}"
    assert seconds < up.services[name].grace
    up.again(name)


def test_what_was_sent_is_still_there_after_all_that(up: Composed, reader: str) -> None:
    post(up, "the last line")
    until(lambda: {"my first line", "the last line"} <= set(found(up, reader)))


def test_init_and_migrate_may_run_again(up: Composed) -> None:
    for name in ("init", "migrate"):
        up.again(name)
    assert up.logs("init").count("shown once") == 1


def test_what_it_takes_is_told(up: Composed, storage: Storage, record_property: Callable[..., None]) -> None:
    """For the release notes: megabytes of each image, seconds to healthy, memory at rest."""
    sizes = {image: megabytes(storage, image) for image in (APP, BROKER, DATABASE)}
    memory = {name: round(up.memory(name) / 1e6) for name in (*ROLES, *SERVERS)}
    record_property("figures", {"image_mb": sizes, "cold_s": up.cold, "memory_mb": memory})
    print(f"\nMB of the images {sizes}; seconds to healthy {up.cold}; MB at rest {memory}")
    assert sizes[APP] < 400


def megabytes(storage: Storage, image: str) -> int:
    return round(json.loads(storage.podman("image", "inspect", image))[0]["Size"] / 1e6)
