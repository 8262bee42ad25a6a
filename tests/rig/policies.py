"""NetworkPolicies and Services, as the rules of one firewall. Pure: objects in, text for `nft -f` out.

A connection passes when its sender's policies let it out and its taker's let it in; a pod that no policy of a
direction selects is open in that direction. Ports are the pods' own: translation of a Service's address comes
first. What is refused is dropped and counted by pair, and what passes is counted too, by its first packet.
A Service without endpoints refuses at once, as kube-proxy does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.chart.charts import Object, matches

SERVICES = "10.96.0.0/16"  # where their addresses are taken from
EVERYWHERE = "0.0.0.0/0"
HEAD = """\
add table inet rig
add set inet rig used { type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags dynamic; counter; }
add set inet rig refused { type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags dynamic; counter; }
add table ip services
flush table inet rig
flush table ip services
"""
PAIR = "{ ip saddr . ip daddr . meta l4proto . th dport }"


@dataclass(frozen=True)
class Peer:
    """A pod as the network sees it."""

    namespace: str
    labels: Mapping[str, str]
    address: str


@dataclass(frozen=True)
class Service:
    """One port of a Service; headless ones need no translation and are not here."""

    address: str
    protocol: str
    port: int
    target: int
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class Firewall:
    peers: tuple[Peer, ...]
    policies: tuple[Object, ...] = ()
    services: tuple[Service, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # labels by name

    def rules(self) -> str:
        chains: list[str] = ["  chain refuse {", f"    add @refused {PAIR}", "    drop", "  }"]
        jumps: dict[str, list[str]] = {"saddr": [], "daddr": []}
        for peer in self.peers:
            for side, direction, prefix in (("saddr", "Egress", "out"), ("daddr", "Ingress", "in")):
                if found := self.selecting(peer, direction):
                    name = f"{prefix}_{peer.address.replace('.', '_')}"
                    jumps[side].append(f"{peer.address} : jump {name}")
                    chains += [f"  chain {name} {{", *self.allowed(found, direction)]
                    chains += ["    goto refuse", "  }"]
        return "\n".join([HEAD, "table inet rig {", *chains, *self.forward(jumps), "}", *self.translation()])

    def selecting(self, peer: Peer, direction: str) -> list[Object]:
        return [
            each
            for each in self.policies
            if each["metadata"]["namespace"] == peer.namespace
            and direction in each["spec"]["policyTypes"]
            and matches(each["spec"]["podSelector"], peer.labels)
        ]

    def allowed(self, policies: Iterable[Object], direction: str) -> Iterator[str]:
        key, side, who = ("egress", "daddr", "to") if direction == "Egress" else ("ingress", "saddr", "from")
        for policy in policies:
            for rule in policy["spec"].get(key) or []:
                addresses = self.addresses(rule.get(who) or [{"ipBlock": {"cidr": EVERYWHERE}}], policy)
                if not addresses:
                    continue
                for ports in ports_of(rule):
                    yield f"    ip {side} {{ {', '.join(addresses)} }} {ports} return"

    def addresses(self, peers: list[Object], policy: Object) -> list[str]:
        """Whole networks swallow what lies in them: a set may not hold both."""
        found = {address for peer in peers for address in self.named(peer, policy)}
        return [EVERYWHERE] if EVERYWHERE in found else sorted(found)

    def named(self, peer: Object, policy: Object) -> list[str]:
        if block := peer.get("ipBlock"):
            assert not block.get("except"), "ipBlock.except: the chart renders none"
            return [block["cidr"]]
        where = {policy["metadata"]["namespace"]}
        if "namespaceSelector" in peer:
            where = {name for name, has in self.namespaces.items() if matches(peer["namespaceSelector"], has)}
        return [
            each.address
            for each in self.peers
            if each.namespace in where and matches(peer.get("podSelector", {}), each.labels)
        ]

    def forward(self, jumps: Mapping[str, list[str]]) -> Iterator[str]:
        yield "  chain forward {"
        yield "    type filter hook forward priority 0; policy drop;"
        yield "    ct state established,related accept"
        # Whatever was not translated has no endpoints, or is no Service any more.
        yield f"    ip daddr {SERVICES} reject with icmp port-unreachable"
        for side, found in jumps.items():
            if found:
                yield f"    ip {side} vmap {{ {', '.join(found)} }}"
        yield f"    add @used {PAIR}"
        yield "    accept"
        yield "  }"

    def translation(self) -> Iterator[str]:
        yield "table ip services {"
        yield "  chain prerouting {"
        yield "    type nat hook prerouting priority -100;"
        for each in self.services:
            if each.endpoints:
                yield (
                    f"    ip daddr {each.address} {each.protocol} dport {each.port} dnat to {one_of(each)}"
                )
        yield "  }"
        yield "}\n"


def one_of(service: Service) -> str:
    if len(service.endpoints) == 1:
        return f"{service.endpoints[0]}:{service.target}"
    numbered = ", ".join(f"{number} : {address}" for number, address in enumerate(service.endpoints))
    return f"numgen random mod {len(service.endpoints)} map {{ {numbered} }} : {service.target}"


def ports_of(rule: Object) -> list[str]:
    """Rules without ports open all of them."""
    if not rule.get("ports"):
        return ["meta l4proto { tcp, udp }"]
    found: dict[str, list[str]] = {}
    for each in rule["ports"]:
        assert "endPort" not in each and isinstance(each["port"], int), "the chart renders plain numbers"
        found.setdefault(each.get("protocol", "TCP").lower(), []).append(str(each["port"]))
    return [f"{protocol} dport {{ {', '.join(ports)} }}" for protocol, ports in found.items()]
