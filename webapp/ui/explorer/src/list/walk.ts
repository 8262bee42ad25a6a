/** The keys that walk through lines: up and down, to their ends, and from error to error through the whole set. */
import { type RefObject, useEffect, useRef } from "react";
import type { Line } from "../api/types";
import type { Pages } from "../data/pages";
import { notify } from "../frame/notices";
import { type Address, go } from "../state/address";
import type { Key } from "../state/keys";
import { prefer } from "../state/preferences";
import type { Scroll } from "./Grid";

const ERROR = 17;
const FARTHEST = 20; // pages that one press of `e` looks through

interface Steps {
  count: number;
  at: (index: number) => Line | undefined;
  current: number;
  setCurrent: (index: number) => void;
  scroll: RefObject<Scroll | null>;
  address: Address;
}

/** What every grid of lines takes. */
export function useSteps({ count, at, current, setCurrent, scroll, address }: Steps): Key[] {
  // A line of a page that was only just fetched comes into sight when the list knows of it.
  const known = current < count;
  useEffect(() => {
    if (current >= 0 && known) scroll.current?.to(current);
  }, [current, known, scroll]);
  const within = (index: number) => {
    scroll.current?.focus();
    setCurrent(Math.min(Math.max(index, 0), count - 1));
  };
  // Whoever scrolled away goes on from what is in sight.
  const step = (by: 1 | -1) => {
    const [from, to] = scroll.current?.sight() ?? [0, 0];
    const seen = current >= from && current <= to;
    within(seen ? current + by : by === 1 ? from : to);
  };
  const open = () => {
    const id = at(current)?.id;
    if (id) go({ line: address.line === id ? "" : id });
  };
  const run = (key: string, label: string, run: () => void): Key => ({ key, label, group: "Lines", run });
  return [
    run("j", "Next line", () => step(1)),
    run("ArrowDown", "Next line", () => step(1)),
    run("k", "Line before", () => step(-1)),
    run("ArrowUp", "Line before", () => step(-1)),
    run("Enter", "Open or close the line", open),
    run("Home", "First line", () => within(0)),
    run("End", "Last line that is loaded", () => within(count - 1)),
    run("w", "Wrap long lines", () => turnWrap(address)),
  ];
}

export function turnWrap({ wrap }: Address): void {
  go({ wrap: !wrap });
  prefer({ wrap: !wrap });
}

export function useWalk({ pages, ...steps }: Omit<Steps, "count" | "at"> & { pages: Pages }): Key[] {
  const { address, current, setCurrent } = steps;
  const base = useSteps({ ...steps, count: pages.count, at: pages.at });
  const looking = useRef(false);
  const surroundings = () => {
    const id = pages.at(current)?.id ?? address.line;
    if (id) go({ context: id });
    else notify("Pick a line first");
  };
  const error = async (by: 1 | -1) => {
    if (looking.current) return;
    looking.current = true;
    try {
      const found = await findError(pages, current, by);
      if (typeof found === "string") return notify(found);
      steps.scroll.current?.focus();
      setCurrent(found);
    } catch {
      notify("The lines there could not be read");
    } finally {
      looking.current = false;
    }
  };
  return [
    ...base,
    { key: "e", label: "Next error", group: "Lines", run: () => void error(1) },
    { key: "E", label: "Error before", group: "Lines", run: () => void error(-1) },
    { key: "c", label: "What stands around the line", group: "Lines", run: surroundings },
  ];
}

type Read = Pick<Pages, "page" | "placeOf" | "startOf">;

/** The index of the next error from a line on, page by page; or a sentence that says there is none. */
export async function findError(pages: Read, from: number, by: 1 | -1): Promise<number | string> {
  const begin = from + by;
  let place = begin < 0 ? -1 : pages.placeOf(begin);
  let looked = 0;
  for (let fetched = 0; place >= 0; fetched += 1) {
    if (fetched === FARTHEST)
      return `No error in ${looked.toLocaleString("en")} lines: search severity:>=error`;
    const lines = await pages.page(place);
    if (lines === null) break;
    const start = pages.startOf(place);
    const isError = (line: Line, index: number) =>
      (line.severity_number ?? 0) >= ERROR && (start + index - begin) * by >= 0;
    const found = by === 1 ? lines.findIndex(isError) : lines.findLastIndex(isError);
    if (found !== -1) return start + found;
    looked += lines.length;
    place += by;
  }
  return by === 1 ? "No error behind this line" : "No error before this line";
}
