/** The same search elsewhere: as a link, for curl, for the terminal. */
import type { Line } from "../api/types";
import { zone } from "../data/ask";
import type { Address } from "../state/address";
import { DEFAULTS, written } from "../state/address";

const AROUND_MS = 150_000;

/** A word of a POSIX shell, taken as it is. */
export function shell(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Whether these times mean another moment in another zone: the start of a day, or a clock without a zone. */
export function needsZone(...times: string[]): boolean {
  return times.some((time) => /\/[dwMy]/.test(time) || /^\d{4}-\d\d-\d\d([T ][\d:.]+)?$/.test(time));
}

export function asCurl(origin: string, { q, start, end, order, as_of, tz }: Address): string {
  const zoned = needsZone(start, end) || q.includes("time:") ? zone(tz) : "";
  const params = { q, start, end, tz: zoned, order, as_of };
  const given = Object.entries(params).filter(([, value]) => value !== "");
  const words = given.map(([name, value]) => `--data-urlencode ${shell(`${name}=${value}`)}`);
  return [
    `curl -G ${shell(`${origin}/api/v1/logs/search`)}`,
    `-H "Authorization: Bearer $LOGBOOM_TOKEN"`,
    ...words,
  ].join(" \\\n  ");
}

/** `range` is what the times of the address came to: the terminal knows no zone but UTC. */
export function asCommand(address: Address, range?: { start: string; end: string }): string {
  const { q, order, as_of, live } = address;
  const { start, end } = range && needsZone(address.start, address.end) ? range : address;
  const words = ["./logboom", live ? "tail" : "search"];
  if (!live) {
    if (start) words.push("--start", start);
    if (end && end !== "now") words.push("--end", end);
    if (order === "asc") words.push("--order", "asc");
    if (as_of) words.push("--as-of", as_of);
  }
  return [...words.map(shell), ...(q ? ["--", shell(q)] : [])].join(" ");
}

/** `frozen` holds what the relative range meant, and the set of lines that was seen; else it stays relative. */
export function linkOf(origin: string, address: Address, frozen?: Partial<Address>): string {
  // What this reader prefers is written out: whoever opens the link prefers something else.
  const everyone = { ...DEFAULTS, tz: "", columns: [], wrap: !address.wrap };
  return `${origin}/${written({ ...address, ...frozen }, everyone)}`;
}

/** Five minutes around it, and itself open: the line is found by its id whatever the search is. */
export function permalink(origin: string, line: Line, address: Address): string {
  const at = Date.parse(line.time);
  const iso = (ms: number) => new Date(ms).toISOString();
  const range = { start: iso(at - AROUND_MS), end: iso(at + AROUND_MS), as_of: "" };
  return linkOf(origin, { ...address, line: line.id, live: false, context: "" }, range);
}

/** Whether a link says something else tomorrow. */
export function isRelative({ start, end, as_of }: Address): boolean {
  return as_of === "" && (start.startsWith("now") || end.startsWith("now"));
}
