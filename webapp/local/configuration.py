"""docs/configuration.md, written from the code: names, defaults and bounds are read, never typed twice.

    python -m webapp.local.configuration            write it          (make docs)
    python -m webapp.local.configuration --check    exit 1 if it is not what would be written

Every `env.integer("NAME", default, least=…)` in the sources is a variable and must have a sentence in
`VARIABLES`; a sentence without a variable is an error too.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from webapp.local.variables import DEFAULTS, ELSEWHERE, VARIABLES

BASE = Path(__file__).resolve().parents[2]
PAGE = BASE / "docs" / "configuration.md"
SOURCES = ("webapp/settings.py", "webapp/roles.py", "webapp/local", "webapp/management", "ingest", "workers")
READERS = {"text", "required", "integer", "number", "flag", "choice", "words", "url"}
KINDS = {
    "integer": "whole number",
    "number": "number",
    "flag": "1 or 0",
    "words": "list, by commas",
    "url": "URL",
}
HEAD = """\
# Configuration

Everything comes from the environment; a process that is given nonsense names the variable and what it wants,
and does not start. Any variable may come from a file instead: `NAME_FILE` holds the path, for secrets.
`make up` needs none of them.

<!-- Written by `make docs` from the code and webapp/local/variables.py. -->
"""


@dataclass(frozen=True)
class Variable:
    name: str
    reader: str
    default: str
    bounds: str


def variables() -> dict[str, Variable]:
    """Every variable the code reads, as it is read first."""
    found: dict[str, Variable] = {}
    for path in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (variable := read_by(node)):
                found.setdefault(variable.name, variable)
    return found


def files() -> Iterator[Path]:
    for name in SOURCES:
        path = BASE / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def read_by(call: ast.Call) -> Variable | None:
    """The variable that `env.reader("NAME", …)` reads; None for any other call."""
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="env"), attr=reader),
            args=[ast.Constant(value=str(name)), *rest],
        ) if reader in READERS:
            limits = {keyword.arg: shown(keyword.value) for keyword in call.keywords}
            return Variable(name, reader, default(reader, rest), bounds(reader, rest, limits))
    return None


def default(reader: str, rest: list[ast.expr]) -> str:
    return "" if reader == "required" or not rest else shown(rest[0])


def shown(expression: ast.expr) -> str:
    """The value of a constant or of plain arithmetic, else the expression itself."""
    try:
        value = eval(ast.unparse(expression), {"__builtins__": {}})  # our own source
    except (NameError, TypeError):
        return ast.unparse(expression)
    return str(int(value)) if isinstance(value, bool) else str(value)


def bounds(reader: str, rest: list[ast.expr], limits: dict[str | None, str]) -> str:
    if reader == "choice":
        return "" if isinstance(rest[1], ast.Name) else shown(rest[1]).strip("()").replace("'", "")
    least, most = limits.get("least"), limits.get("most")
    words = [f"from {least}"] * bool(least) + [f"to {most}"] * bool(most)
    return ", ".join([*([KINDS[reader]] if reader in KINDS else []), " ".join(words)]).strip(", ")


def page() -> str:
    known = variables()
    told = {name for group in VARIABLES.values() for name in group}
    if known.keys() != told:
        raise SystemExit(f"webapp/local/variables.py lacks or has in excess: {sorted(known.keys() ^ told)}")
    tables = [
        table(title, {known[name]: text for name, text in group.items()})
        for title, group in VARIABLES.items()
    ]
    return "\n".join([HEAD, *tables, ELSEWHERE])


def table(title: str, group: dict[Variable, str]) -> str:
    rows = [f"| `{each.name}` | {cell(each)} | {each.bounds} | {text} |" for each, text in group.items()]
    return "\n".join(
        [
            f"## {title}\n",
            "| variable | default | wants | what it does |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def cell(variable: Variable) -> str:
    if variable.name in DEFAULTS:
        return DEFAULTS[variable.name]
    return f"`{variable.default}`" if variable.default else ""


def main(arguments: list[str]) -> int:
    wanted = page()
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text() == wanted:
            return 0
        print("docs/configuration.md is not what the code says: run `make docs`.", file=sys.stderr)
        return 1
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
