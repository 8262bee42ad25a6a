"""What each environment variable does, in a sentence: the prose of docs/configuration.md.

Defaults and bounds are not here: `configuration` reads them from the code that reads the variable.
"""

VARIABLES: dict[str, dict[str, str]] = {
    "Every process": {
        "ROLE": "Which process this is; `manage.py role NAME` sets it.",
        "SECRET_KEY": "Signs sessions and cursors. Required; 50 random characters, the same everywhere.",
        "DATABASE_URL": "PostgreSQL 15 or newer. Every role but ingest needs it.",
        "DATABASE_READ_URL": "Where searches read: a replica, say.",
        "BROKER_URL": "The durable queue, Valkey or Redis 7: AOF on, `appendfsync always`, `noeviction`.",
        "CACHE_URL": "The cache, a server of its own: `allkeys-lru`, nothing in it is missed.",
        "PUBLIC_URL": "How people reach web; links are made for it. With https, cookies are secure.",
        "INGEST_PUBLIC_URL": "How senders reach ingest.",
        "ALLOWED_HOSTS": "Host headers that web accepts.",
        "TRUST_PROXY": "A proxy in front ends TLS and sets X-Forwarded-Proto itself.",
        "LOG_LEVEL": "Least severity of our own processes' log lines.",
    },
    "Addresses of the roles": {
        "BIND": "Where web and ingest listen; 0.0.0.0 for every address of the machine.",
        "WEB_PORT": "Dashboard, API, admin.",
        "INGEST_PORT": "Where lines are sent.",
        "FLOWER_PORT": "Flower, which only web talks to.",
        "FLOWER_BIND": "Where Flower listens. It has no log-in of its own: no address that others reach.",
        "FLOWER_URL": "Where web finds Flower.",
        "HEALTH_BIND": "Where worker and beat answer /livez, /readyz and /metrics.",
        "HEALTH_PORT": "The port of that; 0 is none.",
    },
    "What one request may bring": {
        "MAX_WIRE_BYTES": "Bytes of a body as sent.",
        "MAX_INFLATED_BYTES": "Bytes of a body once decompressed.",
        "MAX_LINES": "Lines of a body.",
        "MAX_LINE_BYTES": "Bytes of one line.",
        "MAX_FIELDS": "Attributes of one line, after flattening.",
        "MAX_DEPTH": "Levels of nesting in one line.",
        "MAX_BATCH_DAYS": "Distinct days that one batch's lines may lie in.",
        "FUTURE_SECONDS": "A line later than this after its receipt is set to the receipt and flagged.",
    },
    "The pipe": {
        "INGEST_THREADS": "Requests that ingest works on at once; at most half of them wait for the broker.",
        "ADMISSION_SHARE": "Of the broker's `maxmemory`: beyond it ingest answers 503 with Retry-After.",
        "ADMISSION_FAIR_SHARE": "Of the same: beyond it a source with more than its part of this, by weight,"
        " is answered 429.",
        "SLOW_SECONDS": "While every thread is taken: who sends under 1 KiB/s for so long is cut off.",
        "BODIES_BYTES": "Of all bodies, as sent, that ingest holds at once; beyond it it answers 503.",
        "BROKER_WAIT_SECONDS": "How long a request waits for a broker that restarts.",
        "WORKER_NAME": "Stable over restarts: a worker's leases and spill files go by it.",
        "WORKER_THREADS": "Groups that a worker stores at once.",
        "GROUP_BATCHES": "Batches in one transaction, at most.",
        "GROUP_ROWS": "Rows in one transaction, at most; a single larger batch is one of its own.",
        "DEADLINE_SECONDS": "What a worker's database call may take in all.",
        "LEASE_SECONDS": "How long a worker holds a group before others may take it.",
        "SPILL_DIR": "Where workers keep batches while PostgreSQL is away; one directory a worker name.",
        "SPILL_BYTES": "Bytes of all spill files; beyond it batches stay in the broker.",
        "SPILL_ALWAYS": "Every batch goes through a spill file: for tests.",
        "BEAT_SCHEDULE": "Beat's own note of when it ran what.",
    },
    "Storage and search": {
        "RETENTION_DAYS": "How long lines are kept; older ones are refused as `too_old`.",
        "TOKEN_SECONDS": "How long an `as_of` and its cursors are good.",
        "QUERY_SECONDS": "What a search may take before it answers with what it has, marked partial.",
        "STATIC_ROOT": "Where `collectstatic` puts what web serves under /static/.",
    },
    "First start in containers": {
        "ADMIN_PASSWORD": "Of `admin`, which the role `migrate` makes where there is no superuser yet.",
        "INGEST_TOKEN": "A token that `migrate` enters for the source `default`.",
        "DEMO_TOKEN": "The same for the source `demo`, which the role `producer` sends to.",
        "SECRETS_DIR": "Where the role `init` puts what it makes; Compose mounts a volume for each.",
    },
    "`make up` alone": {
        "VAR_DIR": "Everything of the local installation: servers, spill, logs, secrets.",
        "POSTGRES_PORT": "Embedded PostgreSQL, on loopback; unused when DATABASE_URL is given.",
        "BROKER_PORT": "Embedded broker, on loopback; unused when BROKER_URL is given.",
        "CACHE_PORT": "Embedded cache, on loopback; unused when CACHE_URL is given.",
        "BROKER_MEMORY": "`maxmemory` of the embedded broker.",
        "CACHE_MEMORY": "`maxmemory` of the embedded cache.",
        "WORKER_HEALTH_PORT": "HEALTH_PORT of the worker.",
        "BEAT_HEALTH_PORT": "HEALTH_PORT of beat.",
        "DEMO_RATE": "Lines a second of the demo producer.",
        "DEMO_STORY": "1: it first tells the demo's story, once for each VAR_DIR; 0: it does not.",
        "DEBIAN_MIRROR": "Where `make timescale` fetches Debian's packages.",
        "MAKE_BEGAN": "Set by make, so that the seconds that `make up` prints include the installation.",
        "TEST_TIMESCALE_ROOT": "For tests: a TimescaleDB root other than `VAR_DIR/timescale`.",
    },
}
# Defaults that are code and say little as such.
DEFAULTS = {
    "SECRET_KEY": "`make up` makes one",
    "DATABASE_URL": "`make up` starts its own",
    "DATABASE_READ_URL": "`DATABASE_URL`",
    "LEASE_SECONDS": "30, or 3 x `DEADLINE_SECONDS`",
    "SPILL_DIR": "`var/spill`",
    "STATIC_ROOT": "`var/static`",
    "VAR_DIR": "`var`",
    "DEBIAN_MIRROR": "the one in apt's sources",
    "MAKE_BEGAN": "now",
    "TEST_TIMESCALE_ROOT": "`var/timescale`",
}
ELSEWHERE = """\
## The terminal

`./logboom` reads `LOGBOOM_URL` and `LOGBOOM_TOKEN` (or `LOGBOOM_TOKEN_FILE`); without them it finds what
`make up` made in `VAR_DIR`.
"""
