/** The keys that walk through a list: up and down, to its ends, and from error to error through the whole set. */
import { type RefObject, useEffect } from "react";
import type { Pages } from "../data/pages";
import { notify } from "../frame/notices";
import { type Address, go } from "../state/address";
import type { Key } from "../state/keys";
import type { Scroll } from "./Grid";

const ERROR = 17;
const FARTHEST = 20; // pages that one press of `e` fetches

interface Walk {
  pages: Pages;
  current: number;
  setCurrent: (index: number) => void;
  scroll: RefObject<Scroll | null>;
  address: Address;
}

export function useWalk({ pages, current, setCurrent, scroll, address }: Walk): Key[] {
  const { count } = pages;
  // A line of a page that was only just fetched comes into sight when the list knows of it.
  const known = current < count;
  useEffect(() => {
    if (current >= 0 && known) scroll.current?.to(current);
  }, [current, known, scroll]);
  const within = (index: number) => setCurrent(Math.min(Math.max(index, 0), count - 1));
  const line = () => pages.at(current);
  const open = () => {
    const id = line()?.id;
    if (id) go({ line: address.line === id ? "" : id });
  };
  const surroundings = () => {
    const id = line()?.id ?? address.line;
    if (id) go({ context: id });
    else notify("Pick a line first");
  };
  const step = (key: string, label: string, by: number): Key => ({
    key,
    label,
    group: "Lines",
    run: () => within(current + by),
  });
  const run = (key: string, label: string, run: () => void): Key => ({ key, label, group: "Lines", run });
  return [
    step("j", "Next line", 1),
    step("ArrowDown", "Next line", 1),
    step("k", "Line before", -1),
    step("ArrowUp", "Line before", -1),
    run("Enter", "Open or close the line", open),
    run("e", "Next error", () => void findError(pages, current, 1, setCurrent)),
    run("E", "Error before", () => void findError(pages, current, -1, setCurrent)),
    run("c", "What stands around the line", surroundings),
    run("Home", "First line", () => within(0)),
    run("End", "Last line that is loaded", () => within(count - 1)),
    run("w", "Wrap long lines", () => go({ wrap: !address.wrap })),
  ];
}

async function findError(pages: Pages, from: number, by: 1 | -1, to: (index: number) => void): Promise<void> {
  for (let index = from + by; index >= 0 && index < pages.count; index += by)
    if ((pages.at(index)?.severity_number ?? 0) >= ERROR) return to(index);
  if (by === -1) return notify("No error before this line");
  let start = pages.count;
  for (let fetched = 0; fetched < FARTHEST; fetched += 1) {
    const lines = await pages.further();
    if (lines.length === 0) return notify("No error behind this line");
    const found = lines.findIndex((line) => (line.severity_number ?? 0) >= ERROR);
    if (found !== -1) return to(start + found);
    start += lines.length;
  }
  notify(`No error in the next ${(start - from).toLocaleString("en")} lines: search severity:>=error`);
}
