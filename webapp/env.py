"""Typed readers of the environment: the only door through which configuration comes in.

Each reader takes the variable's name and a default, and refuses nonsense with one sentence that names the
variable and what it wants. A secret may come from a file: NAME_FILE holds the path.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})


def text(name: str, default: str = "") -> str:
    """The variable, or what NAME_FILE holds, or the default."""
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        return os.environ.get(name, default)
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path}: cannot be read ({error.strerror}).") from error


def required(name: str, cure: str) -> str:
    """The variable; without it the process does not start, and says how to mend that."""
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {cure}")
    return value


def integer(name: str, default: int, *, least: int = 0, most: int = 2**62) -> int:
    raw = text(name, str(default))
    try:
        value = int(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={raw!r}: wants a whole number.") from error
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name}={value}: wants {least} to {most}.")
    return value


def number(name: str, default: float, *, least: float = 0.0, most: float = 1e12) -> float:
    raw = text(name, str(default))
    try:
        value = float(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={raw!r}: wants a number.") from error
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name}={value}: wants {least} to {most}.")
    return value


def flag(name: str, default: bool) -> bool:
    raw = text(name, "1" if default else "0").lower()
    if raw not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={raw!r}: wants 1 or 0.")
    return raw in TRUE


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: wants one of {', '.join(choices)}.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, blanks dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def url(name: str, default: str, schemes: tuple[str, ...]) -> str:
    value = text(name, default)
    if value and not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ImproperlyConfigured(
            f"{name}: wants a URL that begins with {' or '.join(f'{s}://' for s in schemes)}."
        )
    return value
