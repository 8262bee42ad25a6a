"""Lines like those of a small shop's services, for the demo and for load: 350 bytes of JSON in the mean.

A mean message has about 137 bytes, half the lines carry a trace id shared by lines of several services, and
each has no to six attributes. A seed gives the same lines again.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

# fmt: off
NAMES = (
    "gateway", "storefront", "checkout", "payments", "inventory", "search-index", "catalog", "accounts",
    "sessions", "mailer", "shipping", "invoices", "recommendations", "pricing", "media-proxy",
    "notifications", "scheduler", "ledger-export", "fraud-check", "audit",
)
PATHS = (
    "/api/v2/carts/{}/items", "/api/v2/orders/{}", "/api/v2/products/{}/availability",
    "/api/v2/users/{}/addresses", "/api/v2/payments/{}/capture", "/static/assets/{}.js",
    "/healthz?probe={}", "/api/v2/search?session={}",
)
AGENTS = ("shop-app/4.2 (ios)", "shop-app/4.1 (android)", "curl/8.5.0", "storefront-ssr/2026.11")
# fmt: on
HOSTS = [f"node-{zone}{number}" for zone in "abc" for number in range(1, 9)]
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
WEIGHTS = (1, 14, 70, 9, 5.7, 0.3)
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1")
POOLS = ("orders", "accounts", "stock", "ledger")
NANOS = 1_000_000_000

Words = dict[str, str | int | float]


@dataclass(frozen=True)
class Template:
    levels: str  # where it may be said, by first letter
    say: Callable[[random.Random, Words], str]


def number(r: random.Random, digits: int) -> int:
    return int(r.random() * 10**digits)


def request_done(r: random.Random, words: Words) -> str:
    words["http.status_code"] = status = 200 if r.random() < 0.9 else 404
    words["duration_ms"] = took = round(r.expovariate(0.02), 1)
    words["http.path"] = path = r.choice(PATHS).format(number(r, 6))
    words["bytes"] = size = number(r, 5)
    return (
        f"{r.choice(('GET', 'POST', 'PUT'))} {path} answered {status} in {took} ms, {size} bytes to "
        f"10.{number(r, 2)}.{number(r, 2)}.{number(r, 2)} on connection {number(r, 5)} for "
        f"{r.choice(AGENTS)} through {r.choice(HOSTS)}:8443"
    )


def order_step(r: random.Random, words: Words) -> str:
    words["order_id"] = order = f"o-{number(r, 8):08d}"
    words["user.id"] = user = f"u{number(r, 6)}"
    step = r.choice(("reserved stock", "priced the basket", "sent confirmation", "booked the parcel"))
    return (
        f"order {order} of customer {user}: {step} for {1 + number(r, 1)} positions at revision "
        f"{number(r, 3)}, the next step is due in {number(r, 3)} ms on {r.choice(HOSTS)}"
    )


def cache_miss(r: random.Random, words: Words) -> str:
    words["cache.key"] = found = f"sess:{r.getrandbits(48):012x}"
    words["cache.hit_ratio"] = ratio = round(0.8 + r.random() / 5, 3)
    return (
        f"cache lookup of {found} missed after {number(r, 2)} probes, the hit ratio of the last minute is "
        f"{ratio}; asking {r.choice(HOSTS)}"
    )


def slow_query(r: random.Random, words: Words) -> str:
    words["db.pool"] = pool = r.choice(POOLS)
    words["duration_ms"] = took = round(500 + r.expovariate(0.001), 1)
    return (
        f"slow statement on pool {pool}: select of {number(r, 4)} rows took {took} ms while {number(r, 2)} "
        f"connections were busy and {number(r, 1)} waited; plan node was an index scan on {pool}_by_customer"
    )


def upstream_failed(r: random.Random, words: Words) -> str:
    words["peer.service"] = peer = r.choice(NAMES)
    words["retry"] = attempt = 1 + number(r, 1) % 4
    words["error.kind"] = kind = r.choice(("timeout", "connection reset", "bad gateway", "deadline exceeded"))
    return (
        f"call to {peer} failed: {kind} after {1 + number(r, 1)}.{number(r, 3)} s, attempt {attempt} of 5, "
        f"circuit is {r.choice(('closed', 'half-open', 'open'))}; request {r.getrandbits(64):016x} is retried"
    )


def card_declined(r: random.Random, words: Words) -> str:
    words["amount"] = amount = round(r.random() * 300, 2)
    words["currency"] = r.choice(("EUR", "USD", "GBP"))
    return (
        f"payment of {amount} {words['currency']} declined by acquirer with code {number(r, 2):02d} for "
        f"session {r.getrandbits(64):016x}, the basket is kept for {5 + number(r, 1)} minutes"
    )


def queue_depth(r: random.Random, words: Words) -> str:
    words["queue"] = name = r.choice(("mail", "labels", "webhooks", "thumbnails"))
    words["depth"] = depth = number(r, 4)
    return (
        f"queue {name} has {depth} jobs, the oldest waits {number(r, 2)} s; {number(r, 2)} workers took "
        f"{number(r, 3)} in the last minute and handed back {number(r, 1)}"
    )


def out_of_memory(r: random.Random, words: Words) -> str:
    words["memory_mb"] = used = 900 + number(r, 3)
    return (
        f"allocation failed at {used} MB of 1024 MB, the process is ending; last request was {number(r, 7)}"
    )


TEMPLATES = (
    Template("tdiiiii", request_done),
    Template("tdii", order_step),
    Template("tdd", cache_miss),
    Template("ww", slow_query),
    Template("wwe", upstream_failed),
    Template("ie", card_declined),
    Template("tdi", queue_depth),
    Template("f", out_of_memory),
)
BY_LEVEL = {
    level: [template for template in TEMPLATES for letter in template.levels if letter == level[0]]
    for level in LEVELS
}


class Town:
    """A town of services that talk: gives line after line, as JSON."""

    def __init__(self, services: int = len(NAMES), seed: int | None = None) -> None:
        self.random = random.Random(seed)
        self.services = [name_of(index) for index in range(services)]
        # Zipf: as in real houses a few services say most of the lines.
        self.shares = [1 / rank for rank in range(1, services + 1)]
        self.traces = [f"{self.random.getrandbits(128):032x}" for _ in range(64)]

    def lines(self, count: int, first_ns: int, last_ns: int) -> list[bytes]:
        """`count` lines, their times spread evenly over the range."""
        step = (last_ns - first_ns) / max(count, 1)
        levels = self.random.choices(LEVELS, WEIGHTS, k=count)
        services = self.random.choices(self.services, self.shares, k=count)
        return [
            self.line(first_ns + int(step * index), level, service)
            for index, (level, service) in enumerate(zip(levels, services, strict=True))
        ]

    def line(self, at_ns: int, level: str, service: str) -> bytes:
        r = self.random
        words: Words = {"region": r.choice(REGIONS), "build": "2026.11.3"}
        message = r.choice(BY_LEVEL[level]).say(r, words)
        kept = dict(list(words.items())[int(r.random() * 4) :])  # some lines say more than others
        line: dict[str, object] = {
            "time": rfc3339(at_ns),
            "service": service,
            "level": level,
            "host": r.choice(HOSTS),
            "message": message,
        }
        if r.random() < 0.5:
            line["trace_id"] = self.trace()
        if kept:
            line["attributes"] = kept
        return msgspec.json.encode(line)

    def trace(self) -> str:
        """One of those under way; each is replaced after some thirty lines."""
        place = self.random.randrange(len(self.traces))
        found = self.traces[place]
        if self.random.random() < 0.03:
            self.traces[place] = f"{self.random.getrandbits(128):032x}"
        return found


def name_of(index: int) -> str:
    rounds, place = divmod(index, len(NAMES))
    return NAMES[place] if not rounds else f"{NAMES[place]}-{rounds + 1}"


def rfc3339(at_ns: int) -> str:
    seconds, nanos = divmod(at_ns, NANOS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
