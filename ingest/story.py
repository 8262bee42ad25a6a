"""The demo's story: a day of a small shop, and how its orders failed for six minutes near the end of it.

Told at an instant T it has exactly 50,000 good lines of the 24 hours before T, and one that is cut short:

- a day's rhythm over eight services, with requests that share a trace across them;
- T - 13.5 min: a release gives payments 6 database connections where it had 64;
- T - 10 to T - 4 min: that pool is exhausted. A message never said before appears, orders fail in payments,
  checkout, inventory and web under shared traces, some with a stack trace; then the release is taken back;
- a till that was offline for hours sends its lines late; one line breaks off and rests in quarantine.

The same instant and seed give the same bodies, byte for byte: sent again under the same keys,
nothing doubles.
"""

import math
from collections.abc import Iterator
from itertools import accumulate

from ingest.demo import rfc3339
from ingest.story_lines import MS, POOL, RELEASE, SECOND, Request, Said, Shop, pool_state

LINES = 50_000
MINUTES = 24 * 60
MINUTE = 60 * SECOND
CHUNK = 2_000
BAD_RELEASE, BAD_POOL = "2026.11.4", 6
RELEASED, BEGINS, ROLLED_BACK, ENDS = (  # before the telling
    -int(13.5 * MINUTE),
    -10 * MINUTE,
    -int(4.5 * MINUTE),
    -4 * MINUTE,
)
ORDERS_A_MINUTE = 28  # that fail
TRACE = "5e0c1a55ed0c4ec0a7b1ade0f0a11ed5"  # of the failed order that is offered to be looked at
SOURCE = "demo"
# Title, query, and how many minutes before the telling its range begins.
SEARCHES = (
    ("Orders fail: the errors of four services", f"source:{SOURCE} severity:>=error", 30),
    (
        "Why: what payments had never said before",
        f'source:{SOURCE} service:payments "no connection from pool"',
        24 * 60,
    ),
    ("One failed order through all four, with its stack trace", f"source:{SOURCE} trace_id:{TRACE}", 15),
)
TILL_LINES = 240
TILL_FROM, TILL_TO = -5 * 60 * MINUTE, -130 * MINUTE


def bodies(told_ns: int, seed: int = 1) -> list[bytes]:
    """NDJSON, the newest lines first; the last body is the late one of the till."""
    shop = Shop(seed)
    plot = [*release(shop, told_ns), *outage(shop, told_ns), *pool_states(shop, told_ns)]
    late = till(shop, told_ns)
    said = [*plot, *ordinary(shop, told_ns, LINES - len(plot) - len(late))]
    lines = [one.json() for one in sorted(said, key=lambda one: one.at_ns)]
    chunks = [lines[max(0, end - CHUNK) : end] for end in range(len(lines), 0, -CHUNK)]
    chunks[0].append(cut_short(told_ns))
    chunks.append([one.json() for one in late])
    return [b"\n".join(chunk) + b"\n" for chunk in chunks]


# ---- the ordinary day ----


def rhythm(hour: float) -> float:
    """How busy the shop is: quiet at night, a hill at noon and a higher one in the evening (UTC)."""
    return 0.3 + 0.9 * math.exp(-(((hour - 12.5) / 3) ** 2)) + math.exp(-(((hour - 19.5) / 2.5) ** 2))


def quotas(shop: Shop, told_ns: int, lines: int) -> list[int]:
    """Lines for each minute up to the telling, adding up to `lines`."""
    weights = []
    for minute in range(MINUTES):
        at_ns = told_ns - (MINUTES - minute) * MINUTE
        hour = at_ns / (3600 * SECOND) % 24
        weights.append(rhythm(hour) * (0.85 + 0.3 * shop.random.random()))
    scale = lines / sum(weights)
    ends = [0, *(round(weight * scale) for weight in accumulate(weights))]
    return [end - begin for begin, end in zip(ends, ends[1:], strict=False)]


def ordinary(shop: Shop, told_ns: int, lines: int) -> Iterator[Said]:
    for minute, quota in enumerate(quotas(shop, told_ns, lines)):
        start_ns = told_ns - (MINUTES - minute) * MINUTE
        said: list[Said] = []
        while len(said) < quota:
            # Two seconds to spare: a request begun at the minute's end is over at the telling.
            said += shop.request(start_ns + int(shop.random.random() * (MINUTE - 2 * SECOND)))
        yield from said[:quota]


def pool_states(shop: Shop, told_ns: int) -> Iterator[Said]:
    """Every minute, so that the day before shows what the pool was like."""
    for minute in range(MINUTES):
        offset = (minute - MINUTES) * MINUTE + 7 * SECOND
        if BEGINS <= offset < ENDS:
            most, used, waiting = BAD_POOL, BAD_POOL, 90 + shop.random.randrange(80)
        elif RELEASED <= offset < ROLLED_BACK:
            most, used, waiting = BAD_POOL, BAD_POOL - 1, 0
        else:
            most, used, waiting = POOL, 6 + shop.random.randrange(16), 0
        yield pool_state(shop, told_ns + offset, most, used, waiting)


# ---- the release, the outage and its end ----


def release(shop: Shop, told_ns: int) -> Iterator[Said]:
    changes = (
        (RELEASED, RELEASE, BAD_RELEASE, POOL, BAD_POOL),
        (ROLLED_BACK, BAD_RELEASE, RELEASE, BAD_POOL, POOL),
    )
    for at, old, new, before, after in changes:
        what = "rolled out" if new == BAD_RELEASE else "rolled back to"
        yield Said(
            told_ns + at, "deployer", "info", f"payments: {what} release {new} on 3 hosts", None,
            {"release": new, "release.before": old}, "deployer-1",
        )  # fmt: skip
        for host in (1, 2, 3):
            yield Said(
                told_ns + at + host * 4 * SECOND, "payments", "info",
                f"release {new} started: db.pool.max {before} -> {after}, db.pool.timeout_ms 5000", None,
                {"release": new, "db.pool": "ledger", "db.pool.max": after}, f"payments-{host}",
            )  # fmt: skip


def outage(shop: Shop, told_ns: int) -> Iterator[Said]:
    span = ENDS - BEGINS
    failing = ORDERS_A_MINUTE * span // MINUTE
    for number in range(failing):
        # Ever more of them; each takes ten seconds to fail, and all are over before the end.
        at = told_ns + BEGINS + int((span - 25 * SECOND) * (number / failing) ** 0.75)
        trace = TRACE if number == failing // 4 else ""
        yield from failed_order(shop, shop.open(at, trace), with_trace=bool(trace) or number % 9 == 0)


def failed_order(shop: Shop, request: Request, *, with_trace: bool) -> list[Said]:
    r = shop.random
    began, number, waiting = request.at_ns, f"o-{r.randrange(10**7, 10**8)}", 90 + r.randrange(80)
    amount, items = round(5 + r.expovariate(0.02), 2), 1 + r.randrange(4)
    request.say("checkout", "info", f"order {number} of {amount:.2f} EUR placed", {"order.id": number})
    request.say("inventory", "info", f"reserved {items} items for {number}", {"order.id": number})
    for attempt in (1, 2):
        request.took(5000)
        request.say(
            "payments", "error",
            f"no connection from pool ledger within 5000 ms: {BAD_POOL} of {BAD_POOL} in use, {waiting} wait",
            {
                "order.id": number, "db.pool": "ledger", "db.pool.max": BAD_POOL,
                "db.pool.waiting": waiting, "release": BAD_RELEASE, "error.kind": "PoolExhausted",
            },
        )  # fmt: skip
        if attempt == 1:
            request.say(
                "checkout", "warn", f"charge of {number} failed, trying once more", {"order.id": number}
            )
    message = f"order {number} failed: payments did not answer"
    words: dict[str, str | int | float] = {"order.id": number, "peer.service": "payments"}
    request.say("checkout", "error", stack_trace(message, waiting) if with_trace else message, words)
    request.say(
        "inventory", "error", f"reservation for {number} given back: never paid", {"order.id": number}
    )
    request.answer(began, "POST", "/orders", 504)
    return request.said


def stack_trace(message: str, waiting: int) -> str:
    return f"""{message}
shop.checkout.OrderFailed: {message}
\tat shop.checkout.Orders.place(Orders.java:118)
\tat shop.checkout.CheckoutController.submit(CheckoutController.java:64)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: shop.payments.client.ServerError: 503 from http://payments:8080/charges
\tat shop.payments.client.Charges.create(Charges.java:41)
\tat shop.checkout.Orders.charge(Orders.java:152)
\t... 2 more
Caused by: shop.payments.PoolExhausted: pool "ledger": {BAD_POOL} of {BAD_POOL} in use, {waiting} wait
\tat shop.payments.db.Pool.take(Pool.java:87)"""


# ---- what comes late, and what does not come whole ----


def till(shop: Shop, told_ns: int) -> list[Said]:
    """A till without a link keeps its lines, and sends them hours after their time."""
    r, host = shop.random, "till-berlin-3"
    step = (TILL_TO - TILL_FROM) / (TILL_LINES - 2)
    said = [
        Said(
            told_ns + TILL_FROM,
            "till",
            "warn",
            "link to the shop is lost, lines are kept here",
            None,
            {},
            host,
        )
    ]
    for number in range(1, TILL_LINES - 1):
        amount, items = round(2 + r.expovariate(0.06), 2), 1 + r.randrange(6)
        said.append(
            Said(
                told_ns + TILL_FROM + int(step * number) + r.randrange(SECOND), "till", "info",
                f"sale {4100 + number}: {items} items, {amount:.2f} EUR", None,
                {"amount": amount, "currency": "EUR", "till.offline": "yes"}, host,
            )
        )  # fmt: skip
    back = f"link is back: {TILL_LINES - 1} lines kept since it was lost are sent now"
    return [*said, Said(told_ns - 900 * MS, "till", "info", back, None, {}, host)]


def cut_short(told_ns: int) -> bytes:
    """Half a line, as a sender leaves it that dies while it writes: it can only be quarantined."""
    time = rfc3339(told_ns + BEGINS + 47 * SECOND)
    return (
        f'{{"time":"{time}","service":"payments","level":"error","message":"charge of 42.10 EUR fai'.encode()
    )
