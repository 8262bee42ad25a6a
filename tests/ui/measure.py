"""How fast the explorer is on an installation that is up:   python -m tests.ui.measure var/up.json [QUERY]

Prints, as medians of a few rounds: first paint; from the key to lines, histogram and facets in sight; then
the scroll through 100,000 lines: tasks over 50 ms, and the heap of the page before and after.
"""

import os
import shutil
import statistics
import sys
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.bench.installation import running
from tests.ui.person import ARGUMENTS, Person

ROUNDS = 5
LINES = 100_000
# When each panel shows the answer to the query that was just run.
WATCH = """(q) => new Promise((done) => {
  const began = performance.now(), seen = {};
  const settled = (selector) => {
    const found = document.querySelector(selector);
    return found && !found.closest('.stale');
  };
  const look = () => {
    const now = performance.now() - began;
    if (new URLSearchParams(location.search).get('q') === q) {
      if (!seen.lines && settled('.loglist .row[aria-rowindex="2"]')) seen.lines = now;
      if (!seen.histogram && seen.lines && settled('.bars svg rect')) seen.histogram = now;
      const facets = [...document.querySelectorAll('.facet')];
      const shown = facets.every((one) => !one.closest('.stale') && one.querySelector('.facet-row'));
      if (!seen.facets && seen.lines && facets.length && shown) seen.facets = now;
    }
    if (seen.lines && seen.histogram && seen.facets) done(seen); else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
LONG = """() => {
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map((one) => one.duration)))
    .observe({entryTypes: ['longtask']});
}"""


def main(up_json: str, query: str = "severity:error") -> None:
    made = running(Path(up_json))
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with Person.of(browser, made) as person:
            person.opens(start="now-24h", end="now")
            print(f"{person.counted():,} lines in the range")
            print(f"first paint           {statistics.median(paints(person)):6.0f} ms")
            for name, took in keys(person, query).items():
                print(f"key to {name:<14} {took:6.0f} ms")
            scroll(person)
        browser.close()


def paints(person: Person) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        person.opens(start="now-24h", end="now")
        script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        found.append(float(person.page.evaluate(script)))
    return found


def keys(person: Person, query: str) -> dict[str, float]:
    rounds: list[dict[str, float]] = []
    box = person.page.get_by_role("combobox", name="Query")
    for number in range(ROUNDS):
        asked = f"{query} -host:absent-{number}"  # another query each time: nothing is answered from memory
        box.fill(asked)
        box.press("Escape")
        watched = person.page.evaluate_handle(f"({{ done: ({WATCH})({asked!r}) }})")
        box.press("Enter")
        rounds.append(person.page.evaluate("(held) => held.done", watched))
    return {name: statistics.median(one[name] for one in rounds) for name in ("lines", "histogram", "facets")}


def scroll(person: Person) -> None:
    page = person.page
    person.opens(start="now-24h", end="now")
    person.counted()
    session = page.context.new_cdp_session(page)
    print(f"heap before scrolling {heap(session):6.1f} MiB")
    page.evaluate(LONG)
    print(f"scrolled through      {through(page):,} lines")
    took = page.evaluate("window.long")
    print(f"tasks over 50 ms      {len(took)}, the longest {max(took, default=0):.0f} ms")
    print(f"heap after scrolling  {heap(session):6.1f} MiB")


def through(page: Page) -> int:
    """A screen a frame, as a wheel would; the index of the last row that was seen."""
    page.evaluate(
        """async (goal) => {
          const grid = document.querySelector('.loglist .grid');
          const rows = () => [...grid.querySelectorAll('.row[aria-rowindex]')];
          const last = () => Number(rows().at(-1)?.ariaRowIndex ?? 0);
          const ends = performance.now() + 120000;
          while (last() < goal && performance.now() < ends) {
            grid.scrollTop += 1200;
            await new Promise(requestAnimationFrame);
          }
        }""",
        LINES,
    )
    rows = page.locator(".loglist .row[aria-rowindex]").last
    return int(rows.get_attribute("aria-rowindex") or 0)


def heap(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


if __name__ == "__main__":
    main(*sys.argv[1:])
