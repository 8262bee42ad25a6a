"""What every test shares: settings that a bare checkout lacks, and the real servers."""

import os

os.environ.setdefault("SECRET_KEY", "tests only: not a secret, never in a production path " + "x" * 20)

from tests.servers import broker, postgres_url, server_dir, valkey_url  # noqa: E402

__all__ = ["broker", "postgres_url", "server_dir", "valkey_url"]
