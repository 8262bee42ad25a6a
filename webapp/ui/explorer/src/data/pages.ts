/**
 * The lines of a search as one long list, of which only what is looked at is held.
 *
 * Each page is a query of its own, named by its cursor. A page that no row needs any more loses its observer, and
 * react-query forgets it after some seconds; its cursor stays, so that it comes back the same under the same as_of.
 * That bounds the memory however far a reader scrolls. Where the server's time ran out (a partial page) the list
 * ends until its reader asks to go on: a rare word must not search a month by itself.
 */
import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { get, type Params } from "../api/client";
import type { Line, Page } from "../api/types";
import type { Address } from "../state/address";
import { asked } from "./ask";
import { begun, inSight, type Known, learned, placeOf, startsOf } from "./known";
import { useLines } from "./results";

const PAGE = 1000;
const HELD_MS = 5000;
const COARSE = 100; // rows: sight that moves by less asks for nothing new

export interface Pages {
  first: ReturnType<typeof useLines>;
  shown: Page | undefined; // the first page in sight: the last one that came, whatever became of later searches
  old: boolean; // it answers an earlier search
  count: number; // lines that are known of
  more: boolean; // whether there are others behind them
  full: boolean; // there are, and this list holds no more
  stopped: Page["covered"] | undefined; // how far the last page looked, if its time ran out
  busy: boolean; // a page is under way
  at: (index: number) => Line | undefined; // undefined: not held just now
  find: (id: string) => number; // its index among the lines that are held, -1: not there
  look: (from: number, to: number) => void; // these rows are in sight
  failed: unknown; // why a page behind the first did not come
  retry: () => void;
  goOn: () => void; // behind the place where the time ran out
  placeOf: (index: number) => number; // the page that this line is on
  startOf: (place: number) => number;
  page: (place: number) => Promise<Line[] | null>; // its lines, fetched if need be; null behind the last page
}

export function usePages(address: Address): Pages {
  const first = useLines(address);
  const client = useQueryClient();
  const params = { ...asked(address), order: address.order };
  // A search that fails has no data, nor those of the one before it: they are kept here.
  const last = useRef(first.data);
  if (first.data) last.current = first.data;
  const page = first.data ?? last.current;
  const old = page !== undefined && (first.isPlaceholderData || !first.data);
  const [kept, setKept] = useState<Known>(begun(undefined));
  const [sight, setSight] = useState<readonly [number, number]>([0, 0]);
  const [beyond, setBeyond] = useState<Known | null>(null);
  const book = useRef<Book>({ params, known: kept, tell: setKept }).current;
  if (!old) book.params = params;
  if (book.known.first !== page) book.known = begun(page);
  const known = book.known;
  const wanted = inSight(known, sight, beyond === known).filter((place) => place > 0);
  const answers = useQueries({ queries: wanted.map((place) => optionsOf(book, place)) });

  const starts = useMemo(() => startsOf(known.counts), [known.counts]);
  const held = (place: number) => (place === 0 ? page : answers[wanted.indexOf(place)]?.data);
  const look = useCallback((from: number, to: number) => {
    const [low, high] = [Math.floor(from / COARSE) * COARSE, Math.ceil((to + 1) / COARSE) * COARSE];
    setSight((before) => (before[0] === low && before[1] === high ? before : [low, high]));
  }, []);
  const broken = answers.find((answer) => answer.error);
  const count = starts[known.counts.length] ?? 0;
  const more = known.cursors.length === known.counts.length && known.counts.length > 0;
  return {
    first,
    shown: page,
    old,
    count,
    more,
    full: known.full,
    stopped: more && known.partial ? known.covered : undefined,
    busy: answers.some((answer) => answer.isFetching),
    at: (index) => {
      const place = placeOf(starts, index);
      return held(place)?.logs[index - (starts[place] ?? 0)];
    },
    find: (id) => {
      for (const place of [0, ...wanted]) {
        const index = held(place)?.logs.findIndex((line) => line.id === id) ?? -1;
        if (index !== -1) return index + (starts[place] ?? 0);
      }
      return -1;
    },
    look,
    failed: broken?.error ?? null,
    retry: () => void broken?.refetch(),
    goOn: () => setBeyond(known),
    placeOf: (index) => placeOf(starts, index),
    startOf: (place) => startsOf(book.known.counts)[place] ?? 0,
    page: async (place) => {
      if (place === 0) return page?.logs ?? [];
      const { cursors, counts, full } = book.known;
      if (cursors[place - 1] === undefined || (full && place >= counts.length)) return null;
      const found = await client.fetchQuery(optionsOf(book, place));
      teach(book, page, place, found);
      return found.logs;
    },
  };
}

/** What the calls of `page` and the queries learn is known to the next one, before anything was rendered. */
interface Book {
  params: Params;
  known: Known;
  tell: (known: Known) => void;
}

/** Out here, because a query keeps its function: one made in the hook would hold the answers of its render. */
function optionsOf(book: Book, place: number) {
  const { params, known } = book;
  const cursor = known.cursors[place - 1] ?? "";
  const { first } = known;
  return {
    queryKey: ["page", cursor],
    queryFn: async ({ signal }: { signal: AbortSignal }) => {
      const asked = { ...params, as_of: "", cursor, limit: PAGE, count: "none" };
      const found = await get<Page>("logs/search", asked, signal);
      teach(book, first, place, found);
      return found;
    },
    gcTime: HELD_MS,
  };
}

/** The answer to a question that is not asked any more teaches nothing. */
function teach(book: Book, first: Page | undefined, place: number, answer: Page): void {
  if (book.known.first !== first) return;
  const next = learned(book.known, place, answer);
  if (next === book.known) return;
  book.known = next;
  book.tell(next);
}
