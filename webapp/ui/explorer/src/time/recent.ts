/** The ranges that were asked for in this browser: the newest first, each once, bounded. */
import type { Range } from "./range";

const NAME = "logboom.ranges";
const MOST = 6;

export function recent(): Range[] {
  try {
    const held: unknown = JSON.parse(window.localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(held) ? held.filter(isRange) : [];
  } catch {
    return [];
  }
}

export function rememberRange({ start, end }: Range): void {
  const kept = recent().filter((one) => one.start !== start || one.end !== end);
  try {
    window.localStorage.setItem(NAME, JSON.stringify([{ start, end }, ...kept].slice(0, MOST)));
  } catch {
    // private windows and full disks: nothing is kept then
  }
}

function isRange(held: unknown): held is Range {
  if (typeof held !== "object" || held === null) return false;
  const { start, end } = held as Partial<Range>;
  return typeof start === "string" && typeof end === "string";
}
