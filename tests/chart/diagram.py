"""The table of edges as a picture for docs/kubernetes.md: `python -m tests.chart.diagram` writes it there."""

import re
from collections import defaultdict
from pathlib import Path

from tests.chart import charts

PAGE = charts.ROOT / "docs" / "kubernetes.md"
BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def drawn() -> str:
    """A Mermaid flow chart: tiers as boxes, an arrow for each edge, with its port."""
    table = charts.edges()
    tiers: dict[str, list[str]] = defaultdict(list)
    for component, tier in table["tiers"].items():
        tiers[tier].append(component)
    lines = ["```mermaid", "flowchart LR"]
    for tier, components in tiers.items():
        lines += [f"  subgraph {tier}", *(f"    {component}" for component in components), "  end"]
    lines += [f"  {edge['from']} -- {port(table, edge)} --> {edge['to']}" for edge in table["edges"]]
    return "\n".join([*lines, "```"])


def port(table: charts.Object, edge: charts.Object) -> str:
    return str(table["ports"].get(edge["to"], {}).get(edge["port"], edge["port"]))


def written(page: Path = PAGE) -> str:
    (block,) = BLOCK.findall(page.read_text())
    return str(block)


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: drawn(), PAGE.read_text()))
