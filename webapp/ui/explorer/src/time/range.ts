/**
 * What a person types as a range: `15m`, `3d`, `today`, `10:00-10:30`, an instant, an epoch, or a pasted log line.
 *
 * Relative stays relative (`now-15m`), so that a link says the same tomorrow. A clock on the wall is of the chosen
 * zone and goes out as an instant, nanoseconds and all.
 */
import {
  comesTwice,
  dayAfter,
  epochNs,
  type Found,
  filled,
  firstIn,
  fromMs,
  instant,
  isRelative,
  lastTime,
  resolved,
  rfc3339,
  SECOND,
  valid,
  wall,
} from "./instants";

export interface Range {
  start: string; // "": from the beginning
  end: string; // "": open
}

/** What was understood, and what should be said of it. */
export interface Understood extends Range {
  note: string;
}

interface Preset {
  label: string;
  range: Range;
}

export const PRESETS: readonly Preset[] = [
  { label: "Last 5 minutes", range: { start: "now-5m", end: "now" } },
  { label: "Last 15 minutes", range: { start: "now-15m", end: "now" } },
  { label: "Last hour", range: { start: "now-1h", end: "now" } },
  { label: "Last 4 hours", range: { start: "now-4h", end: "now" } },
  { label: "Last 24 hours", range: { start: "now-24h", end: "now" } },
  { label: "Last 7 days", range: { start: "now-7d", end: "now" } },
  { label: "Today", range: { start: "now/d", end: "now" } },
  { label: "Yesterday", range: { start: "now-1d/d", end: "now/d" } },
  { label: "This week", range: { start: "now/w", end: "now" } },
  { label: "All stored time", range: { start: "", end: "" } },
];
const ALSO: readonly Preset[] = [
  { label: "Last week", range: { start: "now-1w/w", end: "now/w" } },
  { label: "This month", range: { start: "now/M", end: "now" } },
  { label: "Last month", range: { start: "now-1M/M", end: "now/M" } },
  { label: "This year", range: { start: "now/y", end: "now" } },
  { label: "All", range: { start: "", end: "" } },
  { label: "All time", range: { start: "", end: "" } },
];

const NAMES: { [unit: string]: string } = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  M: "month",
  y: "year",
};
const UNIT = /^(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|mo|months?|y|years?)$/i;
const AROUND = 150n * SECOND; // five minutes in all
const CLOCK = String.raw`\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?`;
const DASH = String.raw`\s*(?:-|–|—|\.\.|\bto\b)\s*`;

/** null: nothing that is understood. `now` is epoch milliseconds. */
export function parse(typed: string, tz: string, now: number): Understood | null {
  const text = typed.trim().replace(/\s+/g, " ");
  if (text === "") return null;
  const at = fromMs(now);
  return (
    named(text) ??
    lasting(text) ??
    since(text, tz, at) ??
    clocks(text, tz, at) ??
    pair(text, tz, at) ??
    day(text, tz) ??
    around(text, tz, at)
  );
}

function named(text: string): Understood | null {
  const word = text.toLowerCase();
  const found = [...PRESETS, ...ALSO].find(({ label }) => label.toLowerCase() === word);
  return found ? { ...found.range, note: "" } : null;
}

/** 15m · 3 days · last 2 hours · -15m · now-2h/h */
function lasting(text: string): Understood | null {
  const found = /^(?:(?:the )?last |past |-)?(\d{1,6}) ?([a-z]+)(?: ago)?$/i.exec(text);
  const unit = found ? unitOf(found[2] ?? "") : null;
  if (found && unit) return { start: `now-${Number(found[1])}${unit}`, end: "now", note: "" };
  return isRelative(text) && text !== "now" ? { start: text, end: "now", note: "" } : null;
}

/** A capital M is a month, as in the API. */
function unitOf(word: string): string | null {
  if (word === "M") return "M";
  if (!UNIT.test(word)) return null;
  return /^mo/i.test(word) ? "M" : (word[0] ?? "").toLowerCase();
}

/** since 10:00 · since yesterday · 10:00-now */
function since(text: string, tz: string, now: bigint): Understood | null {
  const found = /^(?:since|from) (.+)$/i.exec(text) ?? new RegExp(`^(.+?)${DASH}(?:now)?$`, "i").exec(text);
  if (!found) return null;
  const word = (found[1] ?? "").toLowerCase();
  const start =
    word === "yesterday" ? "now-1d/d" : word === "today" ? "now/d" : side(found[1] ?? "", tz, now, false);
  return start === null ? null : { start, end: "now", note: "" };
}

/** 10:00-10:30, the last time it was that, or of a day that is named. */
function clocks(text: string, tz: string, now: bigint): Understood | null {
  const found = new RegExp(
    `^(?:(today|yesterday|\\d{4}-\\d{2}-\\d{2})[ T])?(${CLOCK})${DASH}(${CLOCK})$`,
    "i",
  ).exec(text);
  if (!found) return null;
  const [, word = "", from = "", to = ""] = found;
  const today = wall(now, tz).slice(0, 10);
  const date = /^\d/.test(word) ? word : /^yesterday$/i.test(word) ? dayAfter(today, -1) : today;
  const later = (days: number) => [clockOf(date, from, days, tz), clockOf(date, to, days, tz)] as const;
  let [start, end] = later(0);
  if (start === null || end === null) return null;
  if (end <= start) end = later(1)[1] ?? end; // over midnight
  if (word === "" && start > now) {
    // Not yet today: the last time it was that.
    const over = end > (later(0)[1] ?? end);
    start = later(-1)[0] ?? start;
    end = later(over ? 0 : -1)[1] ?? end;
  }
  const twice = [from, to].some((clock) =>
    comesTwice(`${wall(start, tz).slice(0, 10)}T${filled(clock).slice(0, 8)}`, tz),
  );
  return { start: rfc3339(start), end: rfc3339(end), note: twice ? TWICE : "" };
}

const TWICE = "Clocks were put back: of the hour that came twice the first is meant.";

function clockOf(date: string, clock: string, days: number, tz: string): bigint | null {
  const [time = "", fraction = ""] = clock.split(/[.,]/);
  const day = dayAfter(date, days);
  if (!valid(day, filled(time))) return null;
  return instant(`${day}T${filled(time)}`, tz) + BigInt(fraction.padEnd(9, "0"));
}

/** Two instants with "to", "..", a dash or, as ISO 8601 has it, a slash between them. */
function pair(text: string, tz: string, now: bigint): Understood | null {
  const halves = text.split(/ (?:to|-|–|—|and) |\.\.|–|(?<=\d|Z)\/(?=\d{4}-|now)/);
  if (halves.length !== 2) return null;
  const start = side(halves[0] ?? "", tz, now, false);
  const end = side(halves[1] ?? "", tz, now, true);
  return start !== null && end !== null ? { start, end, note: order(start, end, tz, now) } : null;
}

/** One end of a range; a date as an end is the end of that day. */
function side(typed: string, tz: string, now: bigint, last: boolean): string | null {
  const text = typed.trim();
  if (isRelative(text)) return text;
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    if (!valid(text, "00:00:00")) return null;
    return rfc3339(instant(`${dayAfter(text, last ? 1 : 0)}T00:00:00`, tz));
  }
  if (/^\d{9,20}$/.test(text)) return rfc3339(epochNs(text));
  if (new RegExp(`^${CLOCK}$`).test(text)) {
    const found = lastTime(text, text.split(/[.,]/), tz, now);
    return found && rfc3339(found.ns);
  }
  const found = firstIn(text, tz, now);
  return found && found.length === text.length ? rfc3339(found.ns) : null;
}

function order(start: string, end: string, tz: string, now: bigint): string {
  const [from, to] = [resolved(start, tz, now), resolved(end, tz, now)];
  return from !== null && to !== null && to <= from ? "It ends before it begins: nothing lies in it." : "";
}

/** A day, or a month, whole. */
function day(text: string, tz: string): Understood | null {
  const found = /^(\d{4})-(\d{2})(?:-(\d{2}))?$/.exec(text);
  const first = `${text}${found?.[3] ? "" : "-01"}`;
  if (!found || !valid(first, "00:00:00")) return null;
  const month = new Date(Date.UTC(Number(found[1]), Number(found[2]), 1)).toISOString().slice(0, 10);
  const next = found[3] ? dayAfter(first, 1) : month;
  const midnight = (date: string) => rfc3339(instant(`${date}T00:00:00`, tz));
  return { start: midnight(first), end: midnight(next), note: "" };
}

/** One instant, or a line that holds one: what was there shortly before and after it. */
function around(text: string, tz: string, now: bigint): Understood | null {
  const found = alone(text, tz, now) ?? firstIn(text, tz, now);
  if (!found) return null;
  const twice = found.local !== "" && comesTwice(found.local, tz) ? ` ${TWICE}` : "";
  const said =
    found.length === text.length ? "5 minutes around it." : "5 minutes around the time in this line.";
  const start = found.ns > AROUND ? found.ns - AROUND : 0n;
  return { start: rfc3339(start), end: rfc3339(found.ns + AROUND), note: said + twice };
}

function alone(text: string, tz: string, now: bigint): Found | null {
  if (/^\d{9,20}$/.test(text)) return { ns: epochNs(text), length: text.length, local: "" };
  return new RegExp(`^${CLOCK}$`).test(text) ? lastTime(text, text.split(/[.,]/), tz, now) : null;
}

// ---- how a range is called ----

/** Its preset's name, "Last 90 minutes", or from when to when, with no more digits and dates than needed. */
export function called(range: Range, tz: string, now: number): string {
  const preset = [...PRESETS, ...ALSO].find(
    ({ range: one }) => one.start === range.start && one.end === range.end,
  );
  if (preset) return preset.label;
  const last = /^now-(\d+)([smhdwMy])$/.exec(range.start);
  if (last && (range.end === "now" || range.end === "")) {
    const count = Number(last[1]);
    return `Last ${count} ${NAMES[last[2] ?? ""]}${count === 1 ? "" : "s"}`;
  }
  return fromTo(range, tz, now);
}

function fromTo({ start, end }: Range, tz: string, now: number): string {
  const at = fromMs(now);
  const today = wall(at, tz).slice(0, 10);
  const [from, to] = [start, end].map((time) => (isRelative(time) ? null : resolved(time, tz, at)));
  const short = [from, to].every((ns) => ns == null || ns % (60n * SECOND) === 0n);
  const date = (ns: bigint) => wall(ns, tz).slice(0, 10);
  const oneDay = from != null && to != null && date(from) === date(to);
  const show = (ns: bigint | null | undefined, text: string, open: string, dated: boolean) =>
    text === ""
      ? open
      : ns == null
        ? text
        : `${dated ? `${dateOf(date(ns), today)} ` : ""}${clockText(ns, tz, short)}`;
  const first = show(from, start, "the beginning", from != null && date(from) !== today);
  return `${first} – ${show(to, end, "now", to != null && !oneDay && (date(to) !== today || from != null))}`;
}

function dateOf(date: string, today: string): string {
  return date.slice(0, 4) === today.slice(0, 4) ? date.slice(5) : date;
}

function clockText(ns: bigint, tz: string, short: boolean): string {
  if (short) return wall(ns, tz).slice(11, 16);
  return wall(ns, tz).slice(11) + (/\.\d+/.exec(rfc3339(ns))?.[0] ?? "");
}

/** "30 minutes", "1 h 20 min": how long it is. */
export function lengthOf(ns: bigint): string {
  const seconds = Number(ns / 1_000_000n) / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(3))} s`;
  const [days, hours, minutes, rest] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    Math.floor(seconds % 60),
  ];
  const said = [
    [days, days === 1 ? "day" : "days"],
    [hours, "h"],
    [minutes, "min"],
    [rest, "s"],
  ].filter(([count]) => count) as [number, string][];
  return said
    .slice(0, 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}
