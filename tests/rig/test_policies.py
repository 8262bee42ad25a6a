"""That the rig's firewall and names mean what Kubernetes means by them: its verdicts rest on that."""

import itertools
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import database
from tests.chart.charts import Object
from tests.rig import client, names, network
from tests.rig.network import Hub
from tests.rig.policies import Firewall, Peer, Service

pytestmark = pytest.mark.acceptance


def policy(selects: dict[str, str], **directions: list[Object]) -> Object:
    return {
        "metadata": {"namespace": "logs"},
        "spec": {
            "podSelector": {"matchLabels": selects},
            "policyTypes": [name.title() for name in directions],
            **directions,
        },
    }


def peer(**labels: str) -> Object:
    return {"podSelector": {"matchLabels": labels}}


class Town:
    """Three pods that listen at port 80, and what the policies leave of their ways to each other."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.networks: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.doors: list[socket.socket] = []
        for name in ("a", "b", "c"):
            self.networks[name], self.addresses[name] = hub.attach()
            with network.inside(self.networks[name]):
                self.doors.append(socket.create_server((self.addresses[name], 80)))
        self.peers = (
            Peer("logs", {"app": "a"}, self.addresses["a"]),
            Peer("logs", {"app": "b"}, self.addresses["b"]),
            Peer("elsewhere", {"app": "c"}, self.addresses["c"]),
        )
        self.namespaces = {"logs": {"name": "logs"}, "elsewhere": {"name": "elsewhere"}}

    def under(self, *policies: Object, services: tuple[Service, ...] = ()) -> None:
        self.hub.load(Firewall(self.peers, policies, services, self.namespaces).rules())

    def ways(self) -> set[str]:
        """Who reaches whom, all tried at once."""
        pairs = list(itertools.permutations("abc", 2))
        with ThreadPoolExecutor(len(pairs)) as pool:
            said = pool.map(lambda pair: self.knock(*pair), pairs)
        return {"".join(pair) for pair, answer in zip(pairs, said, strict=True) if answer == client.ANSWERED}

    def knock(self, source: str, target: str) -> str:
        return client.knock(self.networks[source], self.addresses[target], 80, 0.3)


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    if not network.able():
        database.lack("rig")
    hub = Hub()
    hub.up()
    made = Town(hub)
    yield made
    for door in made.doors:
        door.close()
    hub.down()


def test_without_policies_all_ways_are_open(town: Town) -> None:
    town.under()
    assert town.ways() == {"ab", "ac", "ba", "bc", "ca", "cb"}


def test_a_pod_that_is_selected_in_one_direction_is_shut_in_that_one_alone(town: Town) -> None:
    town.under(policy({"app": "a"}, ingress=[]))
    assert town.ways() == {"ab", "ac", "bc", "cb"}
    town.under(policy({"app": "a"}, egress=[]))
    assert town.ways() == {"ba", "bc", "ca", "cb"}


def test_a_way_needs_both_ends_and_the_right_port(town: Town) -> None:
    deny = policy({}, ingress=[], egress=[])
    out = policy({"app": "a"}, egress=[{"to": [peer(app="b")], "ports": [{"port": 80}]}])
    into = policy({"app": "b"}, ingress=[{"from": [peer(app="a")], "ports": [{"port": 80}]}])
    other = policy({"app": "b"}, ingress=[{"from": [peer(app="a")], "ports": [{"port": 81}]}])
    for policies, open_to in (
        ((out,), set()),
        ((into,), set()),
        ((out, other), set()),
        ((out, into), {"ab"}),
    ):
        town.under(deny, *policies)
        assert town.ways() == open_to


def test_a_pod_selector_alone_means_the_policys_own_namespace(town: Town) -> None:
    there = {"namespaceSelector": {"matchLabels": {"name": "elsewhere"}}}
    town.under(policy({"app": "a"}, ingress=[{"from": [peer(app="c")]}]))
    assert not {"ba", "ca"} & town.ways()
    town.under(policy({"app": "a"}, ingress=[{"from": [{**peer(app="c"), **there}]}]))
    assert {"ba", "ca"} & town.ways() == {"ca"}
    town.under(policy({"app": "a"}, ingress=[{"from": [there]}]))
    assert {"ba", "ca"} & town.ways() == {"ca"}
    town.under(policy({"app": "a"}, ingress=[{"from": [{"ipBlock": {"cidr": f"{town.addresses['b']}/32"}}]}]))
    assert {"ba", "ca"} & town.ways() == {"ba"}


def test_what_passes_and_what_is_refused_is_counted_by_pair(town: Town) -> None:
    town.under(policy({"app": "b"}, ingress=[{"from": [peer(app="a")], "ports": [{"port": 80}]}]))
    before = {name: town.hub.counted(name) for name in ("used", "refused")}
    assert {"ab", "cb"} & town.ways() == {"ab"}
    grown = {
        name: {each for each, count in town.hub.counted(name).items() if count > before[name].get(each, 0)}
        for name in before
    }
    b = town.addresses["b"]
    assert {each.source for each in grown["used"] if each.target == b} == {town.addresses["a"]}
    assert {(each.source, each.port) for each in grown["refused"]} == {(town.addresses["c"], 80)}


def test_a_service_is_its_endpoints_and_refuses_without_any(town: Town) -> None:
    def service(*endpoints: str) -> Service:
        return Service("10.96.7.7", "tcp", 8000, 80, endpoints)

    town.under(services=(service(town.addresses["b"], town.addresses["c"]),))
    assert client.knock(town.networks["a"], "10.96.7.7", 8000) == client.ANSWERED
    town.under(policy({"app": "b"}, ingress=[]), services=(service(town.addresses["b"]),))
    assert client.knock(town.networks["a"], "10.96.7.7", 8000) == client.UNANSWERED
    town.under(services=(service(),))
    assert client.knock(town.networks["a"], "10.96.7.7", 8000) == client.REFUSED


@pytest.mark.parametrize(
    ("name", "code", "count"), [("web.logs", 0, 2), ("none.logs", 0, 0), ("no.logs", 3, 0)]
)
def test_a_name_has_addresses_or_none_or_does_not_exist(name: str, code: int, count: int) -> None:
    packet = b"\1\2" + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0)
    packet += b"".join(bytes([len(each)]) + each.encode() for each in name.split(".")) + b"\0\0\1\0\1"
    said = names.answer(packet, {"web.logs": ["10.0.0.1", "10.0.0.2"], "none.logs": []})
    flags, _, answers = struct.unpack("!HHH", said[2:8])
    assert (said[:2], flags & 0xF, answers) == (b"\1\2", code, count)
