/** Into a part of the range and out again: Backspace undoes the last zoom, and nothing but a zoom. */
import { notify } from "../frame/notices";
import { type Address, go } from "../state/address";
import { fromMs, resolved, rfc3339 } from "../time/instants";
import type { Range } from "../time/range";

interface Step {
  before: Range;
  after: Range;
  q: string;
  depth: number; // of the browser's history behind it
}

let steps: Step[] = [];

export function zoom(address: Address, from: string, to: string): void {
  const { q } = address;
  const [start, end] = [shortest(from), shortest(to)];
  const before = { start: address.start, end: address.end };
  go({ start, end, as_of: "", live: false, context: "" });
  steps.push({ before, after: { start, end }, q, depth: window.history.length });
}

/** Without digits that say nothing, for the address. */
function shortest(time: string): string {
  return time.replace(/\.(\d*?)0*Z$/, (_, digits: string) => (digits ? `.${digits}Z` : "Z"));
}

/** Where the zoom was the last step, the way out is the way back; otherwise the range alone is put back. */
export function undo(address: Address): void {
  const last = steps.pop();
  if (!last || last.after.start !== address.start || last.after.end !== address.end) {
    steps = []; // the range was chosen since
    notify("No zoom to undo");
    return;
  }
  if (window.history.length === last.depth && last.q === address.q) window.history.back();
  else go({ ...last.before, as_of: "" });
}

/** The same width, half of it earlier or later. Open ends are those of the lines that were counted. */
export function shift(address: Address, counted: Range, by: -1n | 1n): void {
  const now = fromMs(Date.now());
  const [start, end] = (["start", "end"] as const).map(
    (side) => resolved(address[side] || counted[side], address.tz, now) ?? now,
  ) as [bigint, bigint];
  const half = ((end - start) / 2n) * by;
  const moved = (at: bigint) => rfc3339(at + half > 0n ? at + half : 0n);
  go({ start: moved(start), end: moved(end), as_of: "", live: false, context: "" });
}
