/** What stands around the rows: nothing yet, no more, not all of it. */

import { MOST } from "../data/known";
import type { Pages } from "../data/pages";
import { ProblemNote } from "../frame/ProblemNote";
import type { Address } from "../state/address";
import { formatTime } from "../time/show";

/** The time ran out before all of the range was looked through. */
export function Partial({ pages, address }: { pages: Pages; address: Address }) {
  const { start, end } = pages.stopped ?? {};
  const far = address.order === "desc" ? start : end;
  const where = address.order === "desc" ? "back to" : "up to";
  return (
    <div className="loglist-partial" role="status">
      <p>
        Not all of it: the time ran out{far && `, having looked ${where} ${formatTime(far, address.tz)}`}.
      </p>
      <button type="button" disabled={pages.busy} onClick={pages.goOn}>
        {pages.busy ? "Looking on…" : "Go on"}
      </button>
    </div>
  );
}

export function Foot({ pages, onRetry }: { pages: Pages; onRetry: () => void }) {
  if (pages.failed) return <ProblemNote problem={pages.failed} onRetry={onRetry} />;
  return <p className="loglist-foot meta">{footOf(pages)}</p>;
}

function footOf({ count, more, full, stopped, busy }: Pages): string {
  if (full) return `A list ends at ${MOST.toLocaleString("en")} lines: narrow the search, or export it.`;
  if (stopped !== undefined && !busy) return "There may be more: the time ran out.";
  if (more) return "More lines are coming…";
  return count === 1 ? "That is the only one." : `That is all ${count.toLocaleString("en")} of them.`;
}

/** The reader pressed Escape. */
export function Stopped({ older, onAgain }: { older: boolean; onAgain: () => void }) {
  return (
    <div className="loglist-partial" role="status">
      <p>Stopped.{older && " These are the lines of the search before."}</p>
      <button type="button" onClick={onAgain}>
        Search
      </button>
    </div>
  );
}

const WIDTHS = ["62%", "48%", "71%", "55%", "66%", "40%", "58%", "74%", "45%", "63%", "52%", "69%"];

export function Skeleton() {
  return (
    <div className="loglist-skeleton" aria-hidden="true">
      {WIDTHS.map((width) => (
        <div key={width} className="skeleton" style={{ width }} />
      ))}
    </div>
  );
}
