"""`python -m tests.acceptance.thrice FILE...`: real files shipped three times over, and found back once.

Once plainly, once from the start, once without a journal; then each file's lines are counted in the database
and hashed in their order. Exit code 0 when every file is there once, byte for byte.
"""

import argparse
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from ingest.chunks import service_of
from tests.bench.installation import ROOT, Installation, installation

ROUNDS: tuple[list[str], ...] = ([], ["--from-start"], ["--from-start"])
PATIENCE, SETTLE = 60.0, 2.0


def lines_of(path: Path) -> list[str]:
    """As a terminal shows them: without their ends, and with U+FFFD for what is not UTF-8."""
    raw = path.read_bytes().removesuffix(b"\n").split(b"\n")
    return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in raw]


def ship(made: Installation, files: list[Path]) -> None:
    for number, words in enumerate(ROUNDS):
        state = ["--state", str(made.directory / ("other" if number == 2 else "state"))]
        command = [sys.executable, str(ROOT / "logboom"), "ship", "--plain", *words, *state, *map(str, files)]
        subprocess.run(command, env=dict(made.environment), check=True)


def wait_stored(conn: psycopg.Connection, lines: int) -> None:
    """And until nothing more came for a while: a second copy would come last."""
    deadline, before = time.monotonic() + PATIENCE, -1
    while time.monotonic() < deadline:
        row = conn.execute("SELECT count(*) FROM log").fetchone()
        if row and row[0] >= lines and row[0] == before:
            return
        before = row[0] if row else -1
        time.sleep(SETTLE)


def differs(conn: psycopg.Connection, path: Path) -> bool:
    # Batches of one file carry their order in their acceptance, lines of a batch in their position.
    query = """
        SELECT l.message FROM log l JOIN log_batch b
        ON l.seg = b.seg AND l.pos >= b.first_pos AND l.pos < b.first_pos + b.rows
        WHERE l.service = %s ORDER BY b.acceptance, l.pos
    """
    stored = [message for (message,) in conn.execute(query, [service_of(path)])]
    sent = lines_of(path)
    hashes = [hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] for lines in (sent, stored)]
    same = (len(sent), hashes[0]) == (len(stored), hashes[1])
    print(f"  {path.name:<16} {len(sent):>7} sent {hashes[0]}  {len(stored):>7} stored {hashes[1]}  "
          f"{'same' if same else 'DIFFERENT'}")  # fmt: skip
    return not same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    files: list[Path] = parser.parse_args().files
    with installation() as made:
        ship(made, files)
        with psycopg.connect(made.facts["database_url"], autocommit=True) as conn:
            wait_stored(conn, sum(len(lines_of(path)) for path in files))
            return min(1, sum(differs(conn, path) for path in files))


if __name__ == "__main__":
    sys.exit(main())
