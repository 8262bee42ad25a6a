"""Roles that stand still: each module starts the real role, and in its first life one part never returns.

WEDGED names a file that tells the lives apart; WEDGE the part, where there are several. The limits of time
are those of a test.
"""

import os
import threading
from pathlib import Path
from typing import Any


def first_life() -> bool:
    mark = Path(os.environ["WEDGED"])
    if mark.exists():
        return False
    mark.touch()
    return True


def stand_still(*_: Any, **__: Any) -> None:
    threading.Event().wait()
