"""docker/docker-compose.yml as Compose would read it: anchors merged, variables put in."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BASE = Path(__file__).resolve().parents[2]
FILE = BASE / "docker" / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(\w+):-([^${}]*)\}")  # the innermost; a default may hold another one
OURS = "logboom:"


@dataclass(frozen=True)
class Service:
    name: str
    raw: dict[str, Any]

    @property
    def ours(self) -> bool:
        return str(self.raw["image"]).startswith(OURS)

    @property
    def command(self) -> list[str]:
        return [str(word) for word in self.raw.get("command", [])]

    @property
    def role(self) -> str:
        (role,) = self.command
        return role

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.raw.get("environment", {}).items()}

    @property
    def networks(self) -> list[str]:
        return list(self.raw.get("networks", []))

    @property
    def mounts(self) -> dict[str, tuple[str, bool]]:
        """Volume by place: (volume, whether it may be written)."""
        return {place: (what, mode != ["ro"]) for what, place, *mode in self._volumes() if what[0] != "."}

    @property
    def files(self) -> dict[str, Path]:
        """What of the clone is mounted, by place; never to be written."""
        mounted = [each for each in self._volumes() if each[0].startswith(".")]
        assert all(mode == "ro" for _, _, mode in mounted), f"{self.name} may write into the clone"
        return {place: (FILE.parent / what).resolve(strict=True) for what, place, _ in mounted}

    def _volumes(self) -> list[list[str]]:
        return [str(each).split(":") for each in self.raw.get("volumes", [])]

    @property
    def waits_for(self) -> dict[str, str]:
        return {name: how["condition"] for name, how in self.raw.get("depends_on", {}).items()}

    @property
    def limits(self) -> dict[str, Any]:
        return dict(self.raw.get("deploy", {}).get("resources", {}).get("limits", {}))

    @property
    def probe(self) -> list[str]:
        """What the health check runs in the container."""
        kind, *words = [str(word) for word in self.raw["healthcheck"]["test"]]
        return ["sh", "-c", *words] if kind == "CMD-SHELL" else words

    @property
    def grace(self) -> float:
        """Seconds between the stop signal and the end of patience."""
        return seconds(self.raw.get("stop_grace_period", "10s"))


def seconds(text: str) -> float:
    assert text.endswith("s"), f"{text}: written in seconds, so that it can be compared"
    return float(text.removesuffix("s"))


def written() -> dict[str, Any]:
    """The file's own words, variables and all."""
    document: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return document


def document(environment: dict[str, str] | None = None) -> dict[str, Any]:
    given = os.environ if environment is None else environment
    found: dict[str, Any] = filled(written(), dict(given))
    return found


def filled(value: Any, given: dict[str, str]) -> Any:
    match value:
        case dict():
            return {name: filled(each, given) for name, each in value.items()}
        case list():
            return [filled(each, given) for each in value]
        case str():
            return interpolated(value, given)
    return value


def interpolated(text: str, given: dict[str, str]) -> str:
    before = None
    while before != text:
        before, text = text, VARIABLE.sub(lambda found: given.get(found[1]) or found[2], text)
    assert "${" not in text, f"{text}: a variable without a default"
    return text.replace("$$", "$")


def services(environment: dict[str, str] | None = None) -> dict[str, Service]:
    return {name: Service(name, raw) for name, raw in document(environment)["services"].items()}


def in_order(wanted: dict[str, Service]) -> list[Service]:
    """Each after what it waits for."""
    done: list[Service] = []
    while len(done) < len(wanted):
        there = {service.name for service in done}
        ready = [each for each in wanted.values() if each not in done and each.waits_for.keys() <= there]
        assert ready, f"these wait for each other: {wanted.keys() - there}"
        done += ready
    return done
