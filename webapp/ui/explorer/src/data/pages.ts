/**
 * The lines of a search as one long list, of which only what is looked at is held.
 *
 * Each page is a query of its own, named by its cursor. A page that no row needs any more loses its observer, and
 * react-query forgets it after a while; its cursor stays, so that it comes back the same under the same as_of.
 * That bounds the memory however far a reader scrolls.
 */
import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { get } from "../api/client";
import type { Line, Page } from "../api/types";
import type { Address } from "../state/address";
import { asked } from "./ask";
import { useLines } from "./results";

const PAGE = 1000;
const HELD_MS = 20_000;

/** What is known of the pages behind the first. */
interface Known {
  first: Page | undefined; // whose successors they are
  counts: number[]; // lines of page 0, 1, ...
  cursors: string[]; // of page 1, 2, ...
}

export interface Pages {
  first: ReturnType<typeof useLines>;
  count: number; // lines that are known of
  more: boolean; // whether there are others behind them
  at: (index: number) => Line | undefined; // undefined: not held just now
  look: (from: number, to: number) => void; // these rows are in sight
  failed: unknown; // why a page behind the first did not come
  retry: () => void;
  further: () => Promise<Line[]>; // the next page that is not known yet
}

export function usePages(address: Address): Pages {
  const first = useLines(address);
  const client = useQueryClient();
  const params = { ...asked(address), order: address.order };
  const page = first.data;
  const [known, setKnown] = useState<Known>({ first: undefined, counts: [], cursors: [] });
  const [sight, setSight] = useState<readonly [number, number]>([0, 0]);
  const held = known.first === page ? known : begun(page);
  const query = useRef(params);
  if (!first.isPlaceholderData) query.current = params;

  const wanted = pagesIn(held, sight).filter((index) => index > 0);
  const options = (index: number) => ({
    queryKey: ["page", held.cursors[index - 1] ?? ""],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      get<Page>(
        "logs/search",
        { ...query.current, as_of: "", cursor: held.cursors[index - 1], limit: PAGE, count: "none" },
        signal,
      ),
    gcTime: HELD_MS,
  });
  const answers = useQueries({ queries: wanted.map(options) });

  useEffect(() => {
    setKnown((before) =>
      learned(
        before.first === page ? before : begun(page),
        wanted,
        answers.map((a) => a.data),
      ),
    );
  });

  const starts = useMemo(() => startsOf(held.counts), [held.counts]);
  const at = (index: number): Line | undefined => {
    const place = placeOf(starts, index);
    if (place === 0) return page?.logs[index];
    return answers[wanted.indexOf(place)]?.data?.logs[index - (starts[place] ?? 0)];
  };
  const look = useCallback((from: number, to: number) => {
    setSight((before) => (before[0] === from && before[1] === to ? before : [from, to]));
  }, []);
  const broken = answers.find((answer) => answer.error);
  return {
    first,
    count: starts[held.counts.length] ?? 0,
    more: held.cursors.length === held.counts.length && held.counts.length > 0,
    at,
    look,
    failed: broken?.error ?? null,
    retry: () => void broken?.refetch(),
    further: async () => {
      const index = held.counts.length;
      if (held.cursors.length < index) return [];
      const found = await client.fetchQuery(options(index));
      setKnown((before) => learned(before.first === page ? before : begun(page), [index], [found]));
      return found.logs;
    },
  };
}

function begun(first: Page | undefined): Known {
  if (!first) return { first, counts: [], cursors: [] };
  return { first, counts: [first.logs.length], cursors: first.next ? [first.next] : [] };
}

/** What the answers teach: how long their pages are, and where the next one begins. */
export function learned(known: Known, indexes: number[], answers: (Page | undefined)[]): Known {
  let { counts, cursors } = known;
  for (const [order, index] of indexes.entries()) {
    const page = answers[order];
    if (!page || index !== counts.length) continue;
    counts = [...counts, page.logs.length];
    if (page.next) cursors = [...cursors, page.next];
  }
  return counts === known.counts ? known : { ...known, counts, cursors };
}

export function startsOf(counts: number[]): number[] {
  const starts = [0];
  for (const count of counts) starts.push((starts.at(-1) ?? 0) + count);
  return starts;
}

function placeOf(starts: number[], index: number): number {
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
function pagesIn(known: Known, [from, to]: readonly [number, number]): number[] {
  const starts = startsOf(known.counts);
  const found: number[] = [];
  for (let page = 0; page < known.counts.length; page += 1)
    if ((starts[page] ?? 0) <= to && (starts[page + 1] ?? 0) > from) found.push(page);
  const end = starts.at(-1) ?? 0;
  if (known.cursors.length === known.counts.length && known.counts.length > 0 && to + PAGE / 2 > end)
    found.push(known.counts.length);
  return found;
}
