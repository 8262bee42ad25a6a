"""What a person is told at night exists: each page, command, option, metric, sentence and alarm."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import load_command_class
from prometheus_client import REGISTRY

import ingest
import webapp
import workers
from webapp.pipeline import markdown, verdict
from webapp.pipeline.runbooks import FOLDER, titles

PAGES = sorted(FOLDER.glob("*.md"))
DOCS = settings.BASE_DIR / "docs"
ALERTS = yaml.safe_load((DOCS / "alerts.yaml").read_text())
TROUBLES = {
    "broker-full", "broker-lost", "database-down", "spill-volume-full", "orphaned-volume", "imbalance",
    "damaged-spill-file", "quarantine-grows", "worker-stuck",
}  # fmt: skip
SUFFIXES = ("_total", "_created", "_bucket", "_count", "_sum", "")
COMMANDS = {
    "spill": "workers", "queue": "workers", "audit": "webapp", "quarantine": "webapp", "rebase": "webapp",
    "status": "webapp",
}  # fmt: skip
PLACEHOLDERS = {"FILE": "f", "BATCH": "b"}

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def metrics() -> dict[str, set[str]]:
    """Name of each metric of any role, with its labels."""
    for package in (ingest, webapp, workers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"\.(migrations|management|asgi|wsgi|serving)\b", module.name):
                importlib.import_module(module.name)
    found: dict[str, set[str]] = {}
    for collector, names in REGISTRY._collector_to_names.items():
        labels = set(getattr(collector, "_labelnames", ()))
        found |= {name: labels for name in names if name.startswith("logboom_")}
    return found


@pytest.fixture(scope="session")
def sources() -> str:
    """All that the roles can say, adjacent strings joined."""
    files = [
        path
        for part in ("ingest", "webapp", "workers")
        for path in sorted((settings.BASE_DIR / part).rglob("*"))
        if path.suffix in (".py", ".html") and "node_modules" not in path.parts
    ]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text() for path in files))


def rules() -> Iterator[dict[str, Any]]:
    for group in ALERTS["groups"]:
        yield from group["rules"]


def test_there_is_a_page_for_each_trouble() -> None:
    assert titles().keys() == TROUBLES | {"README"}
    index = (FOLDER / "README.md").read_text()
    assert all(f"({name}.md)" in index for name in TROUBLES)


@page
def test_a_page_says_all_that_it_must(path: Path) -> None:
    if path.stem != "README":
        heads = re.findall(r"^## (.*)$", path.read_text(), re.MULTILINE)
        assert heads == [
            "What you see",
            "What it means for the promise",
            "What to do",
            "What not to do",
            "It is over when",
        ]


@page
def test_every_page_that_is_linked_exists(path: Path) -> None:
    for target in markdown.LINK.findall(path.read_text()):
        assert (path.parent / target[1]).exists(), target


@page
def test_every_command_exists_with_its_options(path: Path) -> None:
    for words in re.findall(r"manage\.py ([a-z]+(?: [^`\n|]+)?)", path.read_text()):
        name, *rest = [PLACEHOLDERS.get(word, word) for word in words.split()]
        parser = load_command_class(COMMANDS[name], name).create_parser("manage.py", name)
        parser.parse_args(rest)  # SystemExit where an option does not exist


@page
def test_every_metric_exists(path: Path, metrics: dict[str, set[str]]) -> None:
    for name in re.findall(r"logboom_[a-z_]+", path.read_text()):
        assert name in metrics


@page
def test_every_sentence_that_is_quoted_can_be_said(path: Path, sources: str) -> None:
    """Between the marks of what varies, letter by letter."""
    seen, told, _ = path.read_text().partition("## What it means")
    seen = seen.replace("\n  ", " ") if told else ""
    for quoted in re.findall(r'"([^"]+)"', seen):
        for part in re.split(r"\s*…\S?\s*|'s ", quoted):
            if len(part) > 7 and part not in OTHERS_WORDS:
                assert part in sources, part


OTHERS_WORDS = {  # PostgreSQL's and Kubernetes', or of an example
    "No space left on device",
    "Liveness probe failed",
    "The broker has appendfsync everysec",
}


def test_every_page_is_read_by_our_markdown() -> None:
    for path in PAGES:
        shown = markdown.html(path.read_text(), lambda name: f"/{name}/")
        assert "**" not in re.sub(r"<code>.*?</code>", "", shown, flags=re.DOTALL)
        assert shown.count("<pre>") == path.read_text().count("```") // 2


def test_whatever_stands_in_a_page_is_text_and_never_markup() -> None:
    hostile = (
        "# <b>x</b>\n\n- `<i>` & [<u>](a-b.md) [away](javascript:alert(1))\n\n```\n</pre><script>\n```\n"
    )
    shown = markdown.html(hostile, lambda name: f"/{name}/")
    assert "<b>" not in shown and "<i>" not in shown and "<script>" not in shown and "javascript" not in shown
    assert '<a href="/a-b/">&lt;u&gt;</a>' in shown


def test_a_page_keeps_its_lists_tables_and_code() -> None:
    lists = "- one\n  more\n- two\n\n3. third\n   - in it\n4. fourth\n\n"
    behind = "5. fifth:\n\n   ```\n   code\n   ```\n\n   of it\n6. sixth\n\n"
    text = lists + behind + "| a | b |\n| - | - |\n| c | `d` |\n\n   ```\n   x\n\n   y\n   ```\n"
    assert markdown.html(text, str).replace("\n", "") == (
        "<ul><li>one more</li><li>two</li></ul>"
        '<ol start="3"><li>third<ul><li>in it</li></ul></li><li>fourth</li></ol>'
        '<ol start="5"><li>fifth:</li></ol><div class="lb-of-item"><pre><code>code</code></pre></div>'
        '<div class="lb-of-item"><p>of it</p></div><ol start="6"><li>sixth</li></ol>'
        "<table><tr><th>a</th><th>b</th></tr><tr><td>c</td><td><code>d</code></td></tr></table>"
        '<div class="lb-of-item"><pre><code>xy</code></pre></div>'
    )


def test_each_finding_names_a_page_that_exists() -> None:
    text = Path(verdict.__file__).read_text()
    named = set(re.findall(r'^\s+"([a-z-]+)",$|, "([a-z]+-[a-z-]+)"\)$', text, re.MULTILINE))
    names = {one or other for one, other in named} - {"bad", "warn", "good"}
    assert names == TROUBLES - {"quarantine-grows"}


# ---- alarms ----


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_metrics_that_exist_by_labels_that_they_have(
    rule: dict[str, Any], metrics: dict[str, set[str]]
) -> None:
    names = re.findall(r"logboom_[a-z_]+", rule["expr"])
    assert names
    labels = set().union(*(metrics[name] for name in names))
    asked = re.findall(r"([a-z_]+)[!=]~?\"", rule["expr"]) + re.findall(r"by \(([a-z_]+)\)", rule["expr"])
    asked += re.findall(r"\$labels\.([a-z_]+)", rule["annotations"]["summary"])
    assert set(asked) <= labels | {"instance"}


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_a_rule_leads_to_its_page(rule: dict[str, Any]) -> None:
    (name,) = re.findall(r"^/admin/runbooks/([a-z-]+)/$", rule["annotations"]["runbook_url"])
    assert name in TROUBLES
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_a_process_that_never_looked_raises_no_alarm() -> None:
    """Beat carries the worker's gauges, too: at zero they would say that the broker is away."""
    script = (
        "import django; django.setup()\nimport workers.tasks\nfrom webapp import metrics\n"
        "print(metrics.exposition().decode())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "ROLE": "beat"}, capture_output=True, text=True
    ).stdout
    for name in ("broker_up", "worker_heartbeat_seconds", "queue_oldest_seconds", "spill_disk_free_bytes"):
        assert f"logboom_{name} NaN" in shown


def test_every_trouble_has_an_alarm() -> None:
    named = " ".join(rule["annotations"]["runbook_url"] for rule in rules())
    assert all(f"/{name}/" in named for name in TROUBLES)
