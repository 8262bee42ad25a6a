"""Loaded before anything else (`-p tests.environment`): what the settings want before Django can be set up.

The database named here does not exist: fixtures put a real one in its place, and a test that asks for none
cannot reach one. Whatever DATABASE_URL a developer has, the tests never see it.
"""

import os

os.environ.setdefault("SECRET_KEY", "tests only: not a secret, never in a production path " + "x" * 20)
os.environ["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/logboom"
