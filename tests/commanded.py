"""Commands of `manage.py` run on the test's own servers, with what they said and their exit code."""

from io import StringIO
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command

NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture
def own_servers(request: pytest.FixtureRequest, broker: redis.Redis, settings: Any, valkey_url: str) -> None:
    settings.BROKER_URL, settings.SPILL_DIR = valkey_url, request.getfixturevalue("tmp_path")
    if "bench" in request.fixturenames:  # who only looks at the broker needs no database
        settings.DATABASE_URL = request.getfixturevalue("bench").url


def run(*words: Any) -> tuple[int, str]:
    """The exit code and all that was said."""
    out = StringIO()
    try:
        call_command(*map(str, words), stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    return 0, out.getvalue()
