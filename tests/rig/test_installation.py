"""The chart installed, attacked, changed and removed on the rig: in this order, on one cluster.

Needs root, network namespaces, nft and runc (.ci/run installs them); where the machine has none the end of
the run says so in red, and with CI=true it fails.
"""

import base64
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chart import charts
from tests.rig import client
from tests.rig.client import Client, Producer, Reader
from tests.rig.cluster import Cluster
from tests.rig.pod import Phase, Pod
from tests.rig.scene import standing
from webapp.local import timescale

pytestmark = pytest.mark.acceptance

# The least that is changed: without TimescaleDB on this machine its image is one without it.
VALUES: charts.Object = {} if timescale.made() else {"timescaledb": {"preload": ""}}
CHANGED: charts.Object = {
    "image": {"tag": "0.1.1"},
    "settings": {"RETENTION_DAYS": 90},
    "producer": {"enabled": True},
    "networkPolicy": {
        "scrapers": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    },
}
KILLS = (("worker", True), ("broker", False), ("timescaledb", True), ("ingest", False))  # (whom, by force)
NOT_EXERCISED: set[tuple[str, str]] = set()  # edges of the table that nothing here goes
SAID_WHEN = re.compile(r"\((429|503)\)$")  # refusals that come with a Retry-After


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with standing() as made:
        yield made


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Cluster:
    cluster.apply(charts.objects(VALUES))
    cluster.settle()
    return cluster


@pytest.fixture(scope="module")
def outside(installed: Cluster) -> Client:
    """Somebody in another namespace."""
    return Client(installed, installed.stranger("elsewhere"))


@pytest.fixture(scope="module")
def staff(installed: Cluster, outside: Client) -> Client:
    made = Client(installed, outside.stranger)
    made.log_in(secret(installed, "admin-password"))
    return made


def secret(cluster: Cluster, key: str) -> str:
    found = cluster.find("Secret", "logboom-secrets", "log-system")
    assert found
    return base64.b64decode(found["data"][key]).decode()


def post(cluster: Cluster, who: Client, service: str, message: str) -> None:
    body = json.dumps({"service": service, "message": message}).encode()
    headers = {
        "Authorization": f"Bearer {secret(cluster, 'ingest-token')}",
        "Content_Type": "application/json",
    }
    status, said, _ = who.request("logboom-ingest", "/api/v1/logs", body, **headers)
    assert status == 202, said


def sql(cluster: Cluster, statement: str) -> str:
    [pod] = cluster.of("timescaledb")
    return pod.execute("psql", "-XAtq", "-U", "postgres", "-d", "logboom", "-c", statement).strip()


def accepts(cluster: Cluster, who: Client, message: str) -> bool:
    try:
        post(cluster, who, "lost", message)
    except AssertionError as refused:
        cluster.tell(f"not accepted: {refused}")
        return False
    return True


def waiting(cluster: Cluster) -> int:
    """Batches in the queue, due or with a worker."""
    said = json.loads(cluster.of("worker")[0].execute("python", "manage.py", "queue", "--json"))
    return int(said["due_batches"]) + int(said["leased_batches"])


def stored(cluster: Cluster, service: str) -> tuple[int, int]:
    """(lines, different lines)"""
    said = sql(cluster, f"SELECT count(*), count(DISTINCT message) FROM log WHERE service = '{service}'")
    lines, different = said.split("|")
    return int(lines), int(different)


def check_every_line_once(cluster: Cluster, producer: Producer) -> None:
    service, wanted = producer.service, (producer.sent, producer.sent)
    cluster.until(lambda: stored(cluster, service) >= wanted, f"{wanted} lines of {service}")
    assert stored(cluster, service) == wanted


def every_ready_pod(cluster: Cluster) -> list[Pod]:
    return [each for each in cluster.pods if each.phase is Phase.RUNNING]


# ---- the main job ----


def test_everything_becomes_ready_without_a_single_restart(installed: Cluster) -> None:
    counted = Counter(pod.component for pod in every_ready_pod(installed))
    assert counted == {
        **{"web": 2, "ingest": 2, "worker": 3},
        **dict.fromkeys(("broker", "cache", "timescaledb", "beat", "flower"), 1),
    }
    assert {pod.name: pod.restarts for pod in every_ready_pod(installed) if pod.restarts} == {}
    assert {name.rpartition("-")[0] for name in installed.finished} == {"logboom-migrate", "logboom-secrets"}
    assert installed.api.refused == []


def test_a_line_sent_to_the_service_is_found_by_search(
    installed: Cluster, outside: Client, staff: Client
) -> None:
    post(installed, outside, "hello", "my first line")
    installed.until(lambda: staff.messages("service:hello") == ["my first line"], "the line")


def test_the_admin_sees_flower_and_it_sees_the_workers(
    installed: Cluster, outside: Client, staff: Client
) -> None:
    assert staff.request("logboom-web", "/admin/")[0] == 200
    stranger = outside.request("logboom-web", "/flower/workers")
    assert (stranger[0], stranger[2]["Location"]) == (302, "/login/?next=/flower/workers")
    installed.until(
        lambda: (
            {"worker-0@", "worker-2@"}
            <= set(re.findall(r"worker-\d@", staff.request("logboom-web", "/flower/workers")[1]))
        ),
        "every worker in Flower's list",
    )


def test_beat_and_every_worker_are_heard(installed: Cluster, staff: Client) -> None:
    """By the admin, who reads it in the broker."""
    names = {"beat", "worker-0", "worker-1", "worker-2"}
    installed.until(
        lambda: names <= set(re.findall(r"worker-\d|beat", staff.request("logboom-web", "/admin/")[1])),
        f"{names} on the admin's page",
    )


def test_probes_and_pods_are_as_bare_as_the_policy_restricted_wants(installed: Cluster) -> None:
    for component in ("web", "worker", "broker", "timescaledb"):
        pod = installed.of(component)[0]
        status = pod.execute("cat", "/proc/1/status")
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE) and "NoNewPrivs:\t1" in status
        assert not re.search(r"^Uid:\t0\b", status, re.MULTILINE)
        with pytest.raises(AssertionError, match="Read-only file system|Permission denied"):
            pod.execute("touch", "/etc/x")


# ---- kills ----


def test_whatever_is_killed_while_lines_are_written_each_is_stored_once(
    installed: Cluster, outside: Client
) -> None:
    """By force: the pod comes again elsewhere, under another address; else in its place."""
    token = secret(installed, "ingest-token")
    with Producer(installed, outside.stranger, token, "kills") as producer:
        time.sleep(2)
        for component, forced in KILLS:
            victim = installed.of(component)[-1]
            installed.tell(f"{victim.name} is killed")
            victim.delete(force=True) if forced else victim.kill()
            time.sleep(1)
            installed.settle()
            time.sleep(1)
    assert producer.sent >= 1000
    check_every_line_once(installed, producer)


# ---- changes ----


def test_an_upgrade_of_ingest_alone_restarts_nothing_else_and_migrates_nothing(
    installed: Cluster, outside: Client
) -> None:
    before = {pod.name for pod in every_ready_pod(installed)}
    jobs = set(installed.finished)
    with Producer(installed, outside.stranger, secret(installed, "ingest-token"), "threads") as producer:
        time.sleep(1)
        installed.apply(charts.objects({**VALUES, "ingest": {"threads": 6}}))
        installed.settle()
    gone = before - {pod.name for pod in every_ready_pod(installed)}
    assert len(gone) == 2 and all(name.startswith("logboom-ingest-") for name in gone)
    assert installed.finished == jobs
    assert producer.waits == []
    check_every_line_once(installed, producer)


# ---- what is lost ----


def lose(cluster: Cluster, pod: Pod, claim: str | None) -> None:
    """The pod by force, and its volume before another one comes."""
    with cluster.lock:
        pod.delete(force=True)
        assert pod.thread
        pod.thread.join()
        if claim:
            shutil.rmtree(cluster.where / "claims" / claim)


def test_a_lost_cache_an_empty_spill_volume_and_an_empty_broker_are_not_missed(
    installed: Cluster, outside: Client, staff: Client
) -> None:
    lose(installed, installed.of("cache")[0], None)
    lose(installed, installed.of("worker")[1], "spill-logboom-worker-1")
    installed.settle()
    installed.until(lambda: waiting(installed) == 0, "an empty queue")
    lose(installed, installed.of("broker")[0], "data-logboom-broker-0")
    installed.settle()
    installed.until(lambda: accepts(installed, outside, "an empty broker"), "a line that is accepted")
    installed.until(lambda: staff.messages("service:lost") == ["an empty broker"], "the line")


# ---- a new version ----


def test_a_new_image_rolls_out_while_lines_come_in_and_pages_are_read(
    installed: Cluster, outside: Client
) -> None:
    """Old pods beside new ones; a POST may be told to come again, but no connection fails."""
    before = {pod.name: pod for pod in every_ready_pod(installed)}
    jobs, began = set(installed.finished), len(installed.events)
    with (
        Producer(installed, outside.stranger, secret(installed, "ingest-token"), "rolling") as producer,
        Reader(outside) as reader,
    ):
        time.sleep(1)
        installed.apply(charts.objects({**VALUES, **CHANGED}))
        installed.settle()
        time.sleep(1)
    kept = {pod.component for name, pod in before.items() if pod in installed.pods}
    assert kept == {"broker", "cache", "timescaledb"}, "what holds data is not restarted by a new application"
    more = [name.rpartition("-")[0] for name in sorted(installed.finished - jobs)]
    assert more == ["logboom-migrate", "logboom-secrets"], "a Job of each kind is made of the new image"
    assert [why for why in producer.waits if not SAID_WHEN.search(why)] == []
    assert reader.answers.keys() == {200}, reader.answers
    assert installed.overdue == []
    assert began < len(installed.events)
    check_every_line_once(installed, producer)


def test_the_producer_of_the_chart_finds_its_way(installed: Cluster, staff: Client) -> None:
    installed.until(lambda: staff.messages("source:demo") != [], "a line of the demo")


def test_metrics_are_read_by_whom_the_values_name(installed: Cluster) -> None:
    scraper = Client(installed, installed.stranger("monitoring"))
    for edge in charts.edges()["edges"]:
        if edge["from"] == "scraper":
            [pod, *_] = installed.of(edge["to"])
            assert "logboom_" in scraper.fetch(pod.address, port_of(edge["to"]), "/metrics"), pod.name


def test_uninstalled_and_installed_again_it_has_its_lines_and_its_passwords(
    installed: Cluster, outside: Client
) -> None:
    before, password = stored(installed, "kills"), secret(installed, "admin-password")
    installed.remove()
    assert {path.name for path in (installed.where / "claims").iterdir()} == {
        *("data-logboom-broker-0", "data-logboom-timescaledb-0"),
        *(f"spill-logboom-worker-{number}" for number in range(3)),
    }
    installed.apply(charts.objects({**VALUES, **CHANGED}))
    installed.settle()
    assert secret(installed, "admin-password") == password
    assert stored(installed, "kills") == before
    again = Client(installed, outside.stranger)
    again.log_in(password)
    post(installed, outside, "again", "after all that")
    installed.until(lambda: again.messages("service:again") == ["after all that"], "the line")
    assert installed.api.refused == []


# ---- what was seen on the wires ----


def name_of(cluster: Cluster, address: str) -> str:
    found = cluster.history[address]
    if isinstance(found, Pod):
        return found.component
    if found.namespace == "kube-system":
        return "dns" if found.labels else "apiserver"
    return "scraper" if found.namespace == "monitoring" else "anyone"


def seen(cluster: Cluster, count: str) -> set[tuple[str, str]]:
    packets = cluster.packets(count)
    return {(name_of(cluster, each.source), name_of(cluster, each.target)) for each in packets}


def test_the_edges_that_were_used_are_the_table(installed: Cluster) -> None:
    used = {(source, target) for source, target in seen(installed, "used") if target != "dns"}
    assert used == allowed() - NOT_EXERCISED


def test_no_packet_of_ours_was_refused(installed: Cluster) -> None:
    assert seen(installed, "refused") == set()


# ---- policies: after all that, so that nothing above was our own knocking ----


def knock(ways: list[tuple[str, str, int]]) -> list[str]:
    """What comes of each (from a network, at an address, to a port), tried together."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda way: client.knock(*way), ways))


def port_of(component: str) -> int:
    [port] = charts.edges()["ports"][component].values()
    return int(port)


def allowed() -> set[tuple[str, str]]:
    return {(each["from"], each["to"]) for each in charts.edges()["edges"]}


def test_every_edge_of_the_table_is_open_and_every_other_one_is_shut(installed: Cluster) -> None:
    """Tried from inside each pod's own namespace, at the pods' own addresses, and from a stranger's."""
    pods = {pod.component: pod for pod in every_ready_pod(installed)}
    listening = charts.edges()["ports"].keys() & pods.keys()
    pairs = [(caller, target) for caller in pods for target in listening if caller != target]
    ways = [(pods[caller].network, pods[target].address, port_of(target)) for caller, target in pairs]
    found = dict(zip(pairs, knock(ways), strict=True))
    # Whoever may use web and ingest is outside: to leave is another matter than to be let in.
    assert {pair for pair in pairs if found[pair] == client.ANSWERED} == allowed() & set(pairs)
    assert {found[pair] for pair in set(pairs) - allowed()} == {client.UNANSWERED}


def test_a_stranger_reaches_the_doors_alone(installed: Cluster, outside: Client) -> None:
    pods = {pod.component: pod for pod in every_ready_pod(installed)}
    listening = sorted(charts.edges()["ports"].keys() & pods.keys())
    for stranger in (outside.stranger, installed.stranger("log-system")):
        ways = [(stranger.network, pods[target].address, port_of(target)) for target in listening]
        found = dict(zip(listening, knock(ways), strict=True))
        assert {target for target in found if found[target] == client.ANSWERED} == {"web", "ingest"}
        assert set(found.values()) == {client.ANSWERED, client.UNANSWERED}


def test_nobody_reaches_the_world(installed: Cluster) -> None:
    world = installed.stranger("world")
    callers = {pod.component: pod.network for pod in every_ready_pod(installed)}
    found = knock([(network, world.address, 80) for network in callers.values()])
    assert set(found) == {client.UNANSWERED}, dict(zip(callers, found, strict=True))
