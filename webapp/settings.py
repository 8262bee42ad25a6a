"""The one settings file. ROLE picks the process; everything else comes from the environment.

A production path has no default password and no default secret: a process that needs one refuses to start
without it. Figures that bound something say in what unit.
"""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from webapp import env

BASE_DIR = Path(__file__).resolve().parent.parent
ROLES = ("manage", "web", "ingest", "worker", "beat", "flower")
ROLE = env.choice("ROLE", "manage", ROLES)
INGESTING = ROLE == "ingest"

SECRET_KEY = env.required(
    "SECRET_KEY", "set it, or SECRET_KEY_FILE, to 50 random characters; `make up` makes its own."
)
DEBUG = False
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "*")  # links are made from PUBLIC_URL, never from the Host header

PUBLIC_URL = env.url("PUBLIC_URL", "http://127.0.0.1:8000", ("http", "https")).rstrip("/")
INGEST_PUBLIC_URL = env.url("INGEST_PUBLIC_URL", "http://127.0.0.1:8001", ("http", "https")).rstrip("/")
SECURE = PUBLIC_URL.startswith("https://")

BROKER_URL = env.url("BROKER_URL", "redis://127.0.0.1:6390/0", ("redis", "rediss", "unix"))
CACHE_URL = env.url("CACHE_URL", "redis://127.0.0.1:6391/0", ("redis", "rediss", "unix"))
DATABASE_URL = env.url("DATABASE_URL", "", ("postgresql", "postgres"))
DATABASE_READ_URL = env.url("DATABASE_READ_URL", DATABASE_URL, ("postgresql", "postgres"))

# ---- bounds of a request (I8) ----
MAX_WIRE_BYTES = env.integer("MAX_WIRE_BYTES", 16 * 1024**2, least=1024, most=1024**3)
MAX_INFLATED_BYTES = env.integer("MAX_INFLATED_BYTES", 64 * 1024**2, least=1024, most=1024**3)
MAX_LINES = env.integer("MAX_LINES", 50_000, least=1, most=1_000_000)
MAX_LINE_BYTES = env.integer("MAX_LINE_BYTES", 256 * 1024, least=1024, most=16 * 1024**2)
MAX_FIELDS = env.integer("MAX_FIELDS", 256, least=8, most=10_000)  # attributes of one line, after flattening
MAX_DEPTH = env.integer("MAX_DEPTH", 16, least=2, most=100)
MAX_BATCH_DAYS = env.integer("MAX_BATCH_DAYS", 40, least=1, most=1000)  # distinct days one batch may touch
FUTURE_SECONDS = env.integer("FUTURE_SECONDS", 24 * 3600, least=0)  # later than this after receipt: clamped
RETENTION_DAYS = env.integer("RETENTION_DAYS", 30, least=1, most=3650)

# ---- the pipe ----
GROUP_BATCHES = env.integer("GROUP_BATCHES", 64, least=1, most=256)
GROUP_ROWS = env.integer("GROUP_ROWS", 10_000, least=1, most=1_000_000)
DEADLINE_SECONDS = env.number("DEADLINE_SECONDS", 8.0, least=1.0, most=120.0)
LEASE_SECONDS = env.number("LEASE_SECONDS", max(30.0, 3 * DEADLINE_SECONDS), least=3 * DEADLINE_SECONDS)
ADMISSION_SHARE = env.number("ADMISSION_SHARE", 0.75, least=0.1, most=0.9)  # of the broker's maxmemory
ADMISSION_FAIR_SHARE = env.number(  # of the same: beyond it each source gets its weighted part only
    "ADMISSION_FAIR_SHARE", min(0.5, ADMISSION_SHARE), least=0.05, most=ADMISSION_SHARE
)
BODIES_BYTES = env.integer("BODIES_BYTES", max(128 * 1024**2, MAX_WIRE_BYTES), least=MAX_WIRE_BYTES)
BROKER_WAIT_SECONDS = env.number("BROKER_WAIT_SECONDS", 10.0, least=0.0, most=60.0)
INGEST_THREADS = env.integer("INGEST_THREADS", 8, least=2, most=256)
SLOW_SECONDS = env.number("SLOW_SECONDS", max(30.0, 2 * BROKER_WAIT_SECONDS), least=1.0, most=3600.0)
WORKER_THREADS = env.integer("WORKER_THREADS", 2, least=1, most=64)
WORKER_NAME = env.text("WORKER_NAME", "worker-0")  # stable over restarts: its leases are freed by this name
SPILL_DIR = Path(env.text("SPILL_DIR", str(BASE_DIR / "var" / "spill")))
SPILL_BYTES = env.integer(
    "SPILL_BYTES", 8 * 1024**3, least=1024**2
)  # of all files; beyond: stays in the broker
SPILL_ALWAYS = env.flag("SPILL_ALWAYS", False)  # every batch takes the spill path: for tests
TOKEN_SECONDS = env.integer("TOKEN_SECONDS", 3600, least=60)  # how long an as_of is good
QUERY_SECONDS = env.number("QUERY_SECONDS", 10.0, least=0.1, most=600.0)
HEALTH_BIND = env.text("HEALTH_BIND", "127.0.0.1")
HEALTH_PORT = env.integer(
    "HEALTH_PORT", 0, most=65535
)  # /livez, /readyz, /metrics of worker and beat; 0 = off
FLOWER_URL = env.url("FLOWER_URL", "http://127.0.0.1:5555", ("http", "https"))
FLOWER_PORT = env.integer("FLOWER_PORT", 5555, least=1, most=65535)


def database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "ENGINE": "webapp.db",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        # The web serves each request in a thread of its own: nobody would find the connection again.
        "CONN_MAX_AGE": 0 if ROLE == "web" else 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": f"logboom {ROLE}"},
    }


DATABASES: dict[str, dict[str, Any]] = {}
if DATABASE_URL and not INGESTING:
    DATABASES["default"] = database(DATABASE_URL)

DJANGO_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
OUR_APPS = ["ingest", "webapp", "webapp.access", "webapp.logs", "workers"]
INSTALLED_APPS = ["ingest"] if INGESTING else [*DJANGO_APPS, *OUR_APPS]

# Ingest pays for no middleware: sessions, CSRF and messages cost a third of its rate and mean nothing there.
MIDDLEWARE = (
    []
    if INGESTING
    else [
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "webapp.health.probes",
        "webapp.metrics.measured",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "webapp.ui.csp.headers",
    ]
)
ROOT_URLCONF = "ingest.urls" if INGESTING else "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
ASGI_APPLICATION = "webapp.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "webapp" / "ui" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_WIRE_BYTES

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(BASE_DIR / "var" / "static")))
BUNDLE = BASE_DIR / "webapp" / "ui" / "dist"  # the built explorer; not there before `make up` made it
STATICFILES_DIRS = [BASE_DIR / "webapp" / "ui" / "static", *([BUNDLE] if BUNDLE.is_dir() else [])]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        # Whoever logs in while the cache hangs waits as long as this, twice.
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("TRUST_PROXY", False) else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_SSL_REDIRECT = SECURE
# Whether other names below the host speak HTTPS, and whether browsers shall know it beforehand, is not ours.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_CONTENT_TYPE_NOSNIFF = True
# Over plain http a browser ignores it and complains on every page.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if SECURE else None
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "webapp.access.bearer.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "webapp.api.problems.handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Logboom",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # One name for a set of choices that several parameters and answers have.
    "ENUM_NAME_OVERRIDES": {"RelationEnum": ["eq", "gte"], "EstimateEnum": ["eq", "estimated", "gte"]},
}

# ---- Celery: the traps behind each line are in docs/architecture.md ----
CELERY_BROKER_URL = BROKER_URL
CELERY_IMPORTS = ["workers.tasks"] if ROLE in ("worker", "beat") else []
CELERY_TASK_DEFAULT_QUEUE = "ingest"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False  # a logger in the place of stderr breaks whoever wants its descriptor
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 5,
}
MAINTENANCE = {"queue": "maint", "expires": 60}  # while no worker is up, the next one counts and not the pile
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "publish-directory": {"task": "logs.publish_directory", "schedule": 5.0, "options": MAINTENANCE},
    "ensure-partitions": {"task": "logs.ensure_partitions", "schedule": 600.0, "options": MAINTENANCE},
    "retention": {"task": "logs.retention", "schedule": 600.0, "options": MAINTENANCE},
    "move-used": {"task": "logs.move_used", "schedule": 30.0, "options": MAINTENANCE},
    "copy-minutes": {"task": "logs.copy_minutes", "schedule": 10.0, "options": MAINTENANCE},
    "ledger": {"task": "logs.ledger", "schedule": 60.0, "options": MAINTENANCE},
    "catalogue": {"task": "logs.catalogue", "schedule": 10.0, "options": MAINTENANCE},
}
CELERY_BEAT_SCHEDULE_FILENAME = env.text("BEAT_SCHEDULE", "/tmp/logboom-beat-schedule")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "celery.worker.strategy": {"level": "WARNING"},  # one line a task, and
        "celery.app.trace": {"level": "WARNING"},  # another one when it ends
        "flower.inspector": {"level": "CRITICAL"},  # it asks workers, which take no remote commands
        "django.request": {"level": "ERROR"},  # a refusal is a metric with its reason, not a line each
    },
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
}
