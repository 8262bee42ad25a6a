"""A small shop on an ordinary day: requests that pass through its services, each a few lines under one trace.

The demo's story (story.py) happens to this shop, and its live lines go on where the story ends. A seed gives
the same lines again.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from ingest.demo import rfc3339

MS = 1_000_000
SECOND = 1000 * MS
RELEASE = "2026.11.3"
POOL = 64  # connections of payments to its database, on a good day
# fmt: off
REPLICAS = {
    "web": 3, "checkout": 2, "payments": 3, "inventory": 2, "catalog": 3, "search": 2, "auth": 2, "mailer": 1,
}
PRODUCTS = (
    "kettle", "desk-lamp", "hiking-boots", "espresso-beans", "raincoat", "paper-a4", "bicycle-bell",
    "cast-iron-pan", "headphones", "wool-blanket", "garden-hose", "backpack", "chess-set", "thermos",
)
# fmt: on
AGENTS = ("shop-app/4.2 (ios)", "shop-app/4.1 (android)", "Firefox/145.0", "Chrome/142.0", "Safari/26.1")
WORDS = ("lamp", "boots", "coffee", "rain", "gift", "bell", "pan", "blanket", "red", "small")
MISSES = 0.03  # of page views: what is not there any more

Words = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Said:
    """One line before it is written down."""

    at_ns: int
    service: str
    level: str
    message: str
    trace: str | None = None
    words: Words = field(default_factory=dict)
    host: str = ""

    def json(self) -> bytes:
        line: dict[str, object] = {
            "time": rfc3339(self.at_ns),
            "service": self.service,
            "level": self.level,
            "host": self.host,
            "message": self.message,
        }
        if self.trace:
            line["trace_id"] = self.trace
        if self.words:
            line["attributes"] = self.words
        return msgspec.json.encode(line)


@dataclass
class Request:
    """What one visitor's click makes the services say: time passes from line to line."""

    shop: "Shop"
    at_ns: int
    trace: str
    user: str
    said: list[Said] = field(default_factory=list)

    def say(self, service: str, level: str, message: str, words: Words | None = None) -> None:
        r = self.shop.random
        self.at_ns += int(r.expovariate(1 / 6) * MS) + r.randrange(MS)
        given: Words = {"user.id": self.user, **(words or {})}
        self.said.append(
            Said(self.at_ns, service, level, message, self.trace, given, self.shop.host(service))
        )

    def took(self, milliseconds: float) -> None:
        self.at_ns += int(milliseconds * MS)

    def answer(self, began_ns: int, method: str, path: str, status: int = 200) -> None:
        """The line of the web server, which is the last one of a request."""
        r = self.shop.random
        took = round((self.at_ns - began_ns) / MS + r.expovariate(1 / 20), 1)
        self.took(took - (self.at_ns - began_ns) / MS)
        level = "error" if status >= 500 else "warn" if status >= 400 else "info"
        self.say(
            "web",
            level,
            f"{method} {path} {status} in {took:g} ms",
            {
                "http.method": method,
                "http.path": path,
                "http.status_code": status,
                "duration_ms": took,
                "http.user_agent": r.choice(AGENTS),
            },
        )


class Shop:
    def __init__(self, seed: int | str | None = None) -> None:
        self.random = random.Random(seed)

    def host(self, service: str) -> str:
        return f"{service}-{1 + self.random.randrange(REPLICAS.get(service, 1))}"

    def open(self, at_ns: int, trace: str = "") -> Request:
        r = self.random
        return Request(self, at_ns, trace or f"{r.getrandbits(128):032x}", f"u{r.randrange(10_000, 99_999)}")

    def request(self, at_ns: int) -> list[Said]:
        """An ordinary one, of an ordinary kind."""
        kind = self.random.choices(KINDS, SHARES)[0]
        opened = self.open(at_ns)
        kind(opened, self.random)
        return opened.said

    def lines(self, count: int, first_ns: int, last_ns: int) -> list[bytes]:
        """At least `count` lines of whole requests that end within the range or soon after it."""
        said: list[Said] = []
        while len(said) < count:
            said += self.request(first_ns + int(self.random.random() * (last_ns - first_ns)))
        return [one.json() for one in sorted(said, key=lambda one: one.at_ns)]


# ---- kinds of requests ----


def browse(request: Request, r: random.Random) -> None:
    began, product = request.at_ns, r.choice(PRODUCTS)
    if r.random() < 0.25:
        request.say(
            "catalog", "debug", f"cache miss for product {product}, read from disk", {"cache.hit": "no"}
        )
    if r.random() < MISSES:
        request.answer(began, "GET", f"/products/{product}-{r.randrange(100)}", 404)
    else:
        request.answer(began, "GET", f"/products/{product}")


def look_for(request: Request, r: random.Random) -> None:
    began, word = request.at_ns, r.choice(WORDS)
    hits, took = r.randrange(60), round(4 + r.expovariate(1 / 15), 1)
    request.took(took)
    request.say(
        "search",
        "info",
        f'"{word}" found {hits} products in {took:g} ms',
        {"search.hits": hits, "duration_ms": took},
    )
    request.answer(began, "GET", f"/search?q={word}")


def sign_in(request: Request, r: random.Random) -> None:
    began = request.at_ns
    request.took(40 + r.expovariate(1 / 15))
    if r.random() < 0.12:
        tries = 1 + r.randrange(3)
        request.say("auth", "warn", f"wrong password for {request.user}, try {tries} of 5", {"tries": tries})
        request.answer(began, "POST", "/login", 401)
        return
    method = r.choice(("password", "password", "passkey"))
    request.say("auth", "info", f"{request.user} signed in by {method}", {"auth.method": method})
    request.answer(began, "POST", "/login")


def fill_cart(request: Request, r: random.Random) -> None:
    began, product = request.at_ns, r.choice(PRODUCTS)
    left = r.randrange(1, 200)
    request.say("inventory", "debug", f"{left} of {product} left", {"product": product, "stock": left})
    request.say("checkout", "info", f"put {product} into the cart of {request.user}", {"product": product})
    request.answer(began, "POST", "/cart")


def order(request: Request, r: random.Random) -> None:
    began, number, amount = request.at_ns, f"o-{r.randrange(10**7, 10**8)}", round(5 + r.expovariate(0.02), 2)
    words: Words = {"order.id": number, "amount": amount, "currency": "EUR"}
    request.say("checkout", "info", f"order {number} of {amount:.2f} EUR placed", words)
    request.say(
        "inventory", "info", f"reserved {1 + r.randrange(4)} items for {number}", {"order.id": number}
    )
    took = round(80 + r.expovariate(1 / 60), 1)
    request.took(took)
    if r.random() < 0.05:
        request.say(
            "payments", "warn", f"card declined by the acquirer for {number}: insufficient funds", words
        )
        request.answer(began, "POST", "/orders", 402)
        return
    card = f"{r.randrange(10_000):04d}"
    request.say(
        "payments",
        "info",
        f"charged {amount:.2f} EUR for {number} to the card ending in {card}",
        {**words, "duration_ms": took},
    )
    confirm(request, r, number)
    request.answer(began, "POST", "/orders", 201)


def confirm(request: Request, r: random.Random, number: str) -> None:
    if r.random() < 0.02:
        request.say(
            "mailer", "error", "mail server said 421 try again later; kept for a retry", {"order.id": number}
        )
    else:
        request.say("mailer", "info", f"confirmation of {number} sent", {"order.id": number})


KINDS: tuple[Callable[[Request, random.Random], None], ...] = (browse, look_for, sign_in, fill_cart, order)
SHARES = (52, 18, 8, 14, 8)


def pool_state(shop: Shop, at_ns: int, most: int, used: int, waiting: int) -> Said:
    """What payments says of its connections to the database, every minute."""
    words: Words = {
        "db.pool": "ledger",
        "db.pool.max": most,
        "db.pool.in_use": used,
        "db.pool.waiting": waiting,
    }
    level = "warn" if waiting else "debug"
    message = f"pool ledger: {used} of {most} connections in use, {waiting} wait"
    return Said(at_ns, "payments", level, message, None, words, shop.host("payments"))
