/** What is known of the pages of one set of lines: how long they are, where each begins, where the last one stopped. */
import type { Covered, Page } from "../api/types";

export const AHEAD = 1500; // lines below the ones in sight that are asked for already
export const MOST = 500_000; // lines in one list: a browser draws no element that is much taller

export interface Known {
  first: Page | undefined; // whose successors they are
  counts: readonly number[]; // lines of page 0, 1, ...
  cursors: readonly string[]; // of page 1, 2, ...
  partial: boolean; // the time of the last page ran out
  covered: Covered | null; // how far it looked
  full: boolean;
}

export function begun(first: Page | undefined): Known {
  const none = { first, counts: [], cursors: [], partial: false, covered: null, full: false };
  return first ? learned(none, 0, first) : none;
}

/** What an answer teaches, if its page is the first that nothing was known of. */
export function learned(known: Known, place: number, page: Page | undefined): Known {
  if (!page || place !== known.counts.length) return known;
  const counts = [...known.counts, page.logs.length];
  return {
    first: known.first,
    counts,
    cursors: page.next ? [...known.cursors, page.next] : known.cursors,
    partial: page.partial,
    covered: page.covered,
    full: (startsOf(counts).at(-1) ?? 0) >= MOST,
  };
}

export function startsOf(counts: readonly number[]): number[] {
  const starts = [0];
  for (const count of counts) starts.push((starts.at(-1) ?? 0) + count);
  return starts;
}

export function placeOf(starts: readonly number[], index: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= index) low = middle;
    else high = middle;
  }
  return low;
}

/** The pages that these rows lie on; and the next one, when they come near to its beginning. */
export function inSight(known: Known, [from, to]: readonly [number, number], goOn: boolean): number[] {
  const starts = startsOf(known.counts);
  const found: number[] = [];
  for (let page = 0; page < known.counts.length; page += 1)
    if ((starts[page] ?? 0) <= to && (starts[page + 1] ?? 0) > from) found.push(page);
  const next = known.counts.length;
  const there = next > 0 && known.cursors.length === next && !known.full;
  if (there && (!known.partial || goOn) && to + AHEAD > (starts[next] ?? 0)) found.push(next);
  return found;
}
