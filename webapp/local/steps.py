"""The lines that `make up` prints while it works: what was done and how long it took."""

import contextlib
import time
from collections.abc import Iterator


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"  {what:<68} {time.monotonic() - began:5.1f} s", flush=True)
