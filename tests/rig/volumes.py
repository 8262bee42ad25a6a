"""A pod's volumes as directories of this machine, owned and filled as the kubelet does it.

A claim's directory outlives pods and releases; everything else goes with its pod. A Secret or ConfigMap that
is not there yet keeps the pod waiting (`NotYet`), as the kubelet does, rather than failing it.
"""

import base64
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chart.charts import Object
from tests.rig.container import Mount, amount
from tests.rig.network import run

Lookup = Callable[[str, str], Object | None]  # (kind, name) in the pod's namespace


class NotYet(Exception):
    """The pod cannot start before something else is there; said in one sentence."""


@dataclass(frozen=True)
class Volumes:
    """`pod` is a directory for this pod alone, `claims` one for all; `token` is the account's."""

    spec: Object
    pod: Path
    claims: Path
    lookup: Lookup
    token: str
    claimed: Mapping[str, str]  # claim of a template -> name of the claim

    def make(self) -> None:
        self.pod.mkdir(exist_ok=True)
        for volume in self.spec.get("volumes", []):
            place = self.pod / volume["name"]
            if place.exists():
                continue
            self.fill(volume, place)
        for claim in self.claimed.values():
            (self.claims / claim).mkdir(parents=True, exist_ok=True)
            self.own(self.claims / claim)

    def fill(self, volume: Object, place: Path) -> None:
        if "emptyDir" in volume:
            self.empty(volume["emptyDir"] or {}, place)
            self.own(place)
        elif "persistentVolumeClaim" in volume:
            claim = self.claims / volume["persistentVolumeClaim"]["claimName"]
            claim.mkdir(parents=True, exist_ok=True)
            place.symlink_to(claim)
            self.own(claim)
        else:
            write(self.contents(volume), place, self.spec["securityContext"]["fsGroup"])

    def empty(self, how: Object, place: Path) -> None:
        place.mkdir(parents=True)
        if how.get("medium") == "Memory":
            run("mount", "-t", "tmpfs", "-o", f"size={amount(how['sizeLimit'])}", "tmpfs", place)
        place.chmod(0o777)

    def own(self, place: Path) -> None:
        """fsGroup: the whole volume is given to the group at a mount, or only where its root is not yet."""
        group = self.spec["securityContext"]["fsGroup"]
        policy = self.spec["securityContext"].get("fsGroupChangePolicy", "Always")
        root = place.stat()
        matches = root.st_gid == group and root.st_mode & 0o2070 == 0o2070
        if policy == "OnRootMismatch" and matches:
            return
        for path in [place, *place.rglob("*")]:
            if path.is_symlink():
                continue
            os.chown(path, -1, group)
            more = 0o2770 if path.is_dir() else 0o660
            path.chmod(stat.S_IMODE(path.stat().st_mode) | more)

    def contents(self, volume: Object) -> dict[str, bytes]:
        if "projected" in volume:
            return dict(each for source in volume["projected"]["sources"] for each in self.projected(source))
        if "configMap" in volume:
            return self.of_config(volume["configMap"]["name"], volume["configMap"])
        assert "secret" in volume, f"{volume['name']}: nothing here knows {volume.keys() - {'name'}}"
        return self.of_secret(volume["secret"]["secretName"], volume["secret"])

    def projected(self, source: Object) -> Iterator[tuple[str, bytes]]:
        if account := source.get("serviceAccountToken"):
            yield account["path"], self.token.encode()
        if config := source.get("configMap"):
            yield from self.of_config(config["name"], config).items()

    def of_config(self, name: str, how: Object) -> dict[str, bytes]:
        found = self.found("ConfigMap", name)
        return chosen({key: text.encode() for key, text in found["data"].items()}, how)

    def of_secret(self, name: str, how: Object) -> dict[str, bytes]:
        found = self.found("Secret", name)
        return chosen({key: base64.b64decode(text) for key, text in found["data"].items()}, how)

    def found(self, kind: str, name: str) -> Object:
        if (found := self.lookup(kind, name)) is None:
            raise NotYet(f"{kind} {name} is not there")
        return found

    def mounts(self, container: Object) -> tuple[Mount, ...]:
        return tuple(self.mount(each) for each in container.get("volumeMounts", []))

    def mount(self, wanted: Object) -> Mount:
        name = wanted["name"]
        source = self.claims / self.claimed[name] if name in self.claimed else self.pod / name
        if below := wanted.get("subPath"):
            source = source / below
            source.mkdir(exist_ok=True)
        filled = any(
            each["name"] == name and each.keys() & {"configMap", "secret", "projected"}
            for each in self.spec.get("volumes", [])
        )
        return Mount(source.resolve(), wanted["mountPath"], not wanted.get("readOnly") and not filled)

    def remove(self) -> None:
        for volume in self.spec.get("volumes", []):
            if (place := self.pod / volume["name"]).is_mount():
                run("umount", "--lazy", place)
        shutil.rmtree(self.pod, ignore_errors=True)


def chosen(contents: dict[str, bytes], how: Object) -> dict[str, bytes]:
    if not (items := how.get("items")):
        return contents
    missing = {each["key"] for each in items} - contents.keys()
    assert not missing, f"references non-existent keys: {missing}"
    return {each["path"]: contents[each["key"]] for each in items}


def write(contents: dict[str, bytes], place: Path, group: int) -> None:
    place.mkdir(parents=True)
    for name, data in contents.items():
        (place / name).write_bytes(data)
        (place / name).chmod(0o644)
        os.chown(place / name, 0, group)
