"""The figures as a table, and their ratios against a stored run."""

import json
from pathlib import Path
from typing import Any

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
BASELINE = Path(__file__).with_name("baseline.json")


def ratio(figures: dict[str, Any], phase: dict[str, Any]) -> float:
    return float(phase["cpu_per_million_total"] / figures["floor"]["cpu_per_million"])


def table(figures: dict[str, Any]) -> str:
    phases: dict[str, dict[str, Any]] = figures["phases"]
    floor = figures["floor"]
    rows = [
        ["", *phases, "floor"],
        [
            "lines/s, sent to stored",
            *(f"{p['lines_per_second']:,.0f}" for p in phases.values()),
            f"{floor['lines_per_second']:,.0f}",
        ],
        ["cores used, client too", *(f"{p['cores_used']:.2f}" for p in phases.values()), ""],
        [
            "CPU-s per million lines",
            *(f"{p['cpu_per_million_total']:.1f}" for p in phases.values()),
            f"{floor['cpu_per_million']:.1f}",
        ],
        ["  as a ratio to the floor", *(f"{ratio(figures, p):.2f}" for p in phases.values()), "1"],
    ]
    for role in next(iter(phases.values()))["cpu_per_million"]:
        rows.append([f"  {role}", *(f"{p['cpu_per_million'].get(role, 0):.2f}" for p in phases.values()), ""])
    for name in SHARES:
        rows.append([f"POST {name}, ms", *(f"{p['post_ms'][name]:.1f}" for p in phases.values()), ""])
    for name in SHARES:
        rows.append([f"2xx to searchable {name}, ms", *(searchable(p, name) for p in phases.values()), ""])
    rows.append(["bytes on disk a line", *(f"{p['bytes_per_line']:.0f}" for p in phases.values()), ""])
    rows.append(["refused and sent again", *(str(p["refused"]) for p in phases.values()), ""])
    head = f"{figures['when']}  {figures['edition']}  {figures['machine']}"
    foot = "The steady phase's CPU holds the searches that measure the time to searchable."
    return "\n".join([head, *(line(row) for row in rows), foot])


def searchable(phase: dict[str, Any], name: str) -> str:
    return f"{phase['searchable_ms'][name]:.0f}" if "searchable_ms" in phase else "-"


def line(row: list[str]) -> str:
    return f"{row[0]:<28}" + "".join(f"{cell:>16}" for cell in row[1:])


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """What may be compared between two hours of one machine: nothing absolute."""
    return {name: round(ratio(figures, phase), 3) for name, phase in figures["phases"].items()}


def keep(figures: dict[str, Any]) -> None:
    BASELINE.write_text(
        json.dumps({"edition": figures["edition"], "ratios": ratios(figures)}, indent=2) + "\n"
    )


def comparison(figures: dict[str, Any]) -> str:
    if not BASELINE.exists():
        return "No stored ratios to compare with (--keep-baseline stores these)."
    known = json.loads(BASELINE.read_text())
    if known["edition"] != figures["edition"]:
        return f"The stored ratios are of another edition ({known['edition']})."
    pairs = [
        f"{name}: {now:.2f} (was {known['ratios'][name]:.2f}, {now / known['ratios'][name] - 1:+.0%})"
        for name, now in ratios(figures).items()
        if name in known["ratios"]
    ]
    return "CPU to floor against the stored run: " + "; ".join(pairs)
