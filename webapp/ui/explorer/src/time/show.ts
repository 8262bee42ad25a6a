/**
 * Times as people read them, in the zone they chose. The API gives RFC 3339 in UTC with nine digits; the digits
 * below a second are never computed with, so no nanosecond is lost on the way to the screen.
 */

const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** The parts of an instant in a zone: one cached formatter a zone, as making one costs more than using it. */
function formatOf(tz: string): Intl.DateTimeFormat {
  const known = formats.get(tz);
  if (known) return known;
  const made = formatter(tz);
  formats.set(tz, made);
  return made;
}

/** A name that is no zone (an address may hold anything) shows as UTC; the server says what is wrong with it. */
function formatter(tz: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  };
  try {
    return new Intl.DateTimeFormat("en-CA", tz === "local" ? options : { ...options, timeZone: tz });
  } catch {
    return new Intl.DateTimeFormat("en-CA", { ...options, timeZone: "UTC" });
  }
}

interface Shown {
  date: string; // 2026-11-24
  clock: string; // 10:42:07
}

// No zone changes its clocks within a quarter of an hour, and neighbouring lines mostly share theirs.
const QUARTER_MS = 900_000;
let last = { quarter: Number.NaN, tz: "", offset: 0 };

/** How far the clock on the wall is ahead of UTC, in milliseconds. */
function offsetAt(ms: number, tz: string): number {
  const quarter = Math.floor(ms / QUARTER_MS);
  if (last.quarter === quarter && last.tz === tz) return last.offset;
  const part: { [name: string]: number } = {};
  const begin = quarter * QUARTER_MS;
  for (const { type, value } of formatOf(tz).formatToParts(begin)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const offset = Date.UTC(year, month - 1, day, hour, minute, second) - begin;
  last = { quarter, tz, offset };
  return offset;
}

function shownAt(ms: number, tz: string): Shown {
  if (Number.isNaN(ms)) return { date: "", clock: "" };
  const local = new Date(ms + offsetAt(ms, tz)).toISOString();
  return { date: local.slice(0, 10), clock: local.slice(11, 19) };
}

/** The digits below a second, as they came, without what says nothing: "123", "123456", "123456789". */
function fraction(time: string, least: number): string {
  const digits = /\.(\d+)/.exec(time)?.[1] ?? "";
  const needed = digits.replace(/(000)+$/, "");
  return needed.length > least ? needed : digits.padEnd(least, "0").slice(0, least);
}

function secondOf(time: string): number {
  return Math.floor(Date.parse(time) / 1000) * 1000;
}

/** 10:42:07 */
export function formatClock(time: string, tz: string): string {
  return shownAt(secondOf(time), tz).clock;
}

/** 10:42:07.123, with as many digits more as the time has. */
export function formatPrecise(time: string, tz: string): string {
  return `${formatClock(time, tz)}.${fraction(time, 3)}`;
}

/** 10:42:07.123 and no digit more: for rows, where every time is as wide as the others. */
export function formatMillis(time: string, tz: string): string {
  return `${formatClock(time, tz)}.${fraction(time, 9).slice(0, 3)}`;
}

/** 2026-11-24 */
export function formatDate(time: string, tz: string): string {
  return shownAt(secondOf(time), tz).date;
}

/** The whole of it: 2026-11-24 10:42:07.123 */
export function formatFull(time: string, tz: string): string {
  return `${formatDate(time, tz)} ${formatPrecise(time, tz)}`;
}

/** The date only if it is not today. */
export function formatTime(time: string, tz: string, now: number = Date.now()): string {
  const today = shownAt(Math.floor(now / 1000) * 1000, tz).date;
  const date = formatDate(time, tz);
  return date === today ? formatPrecise(time, tz) : `${date} ${formatPrecise(time, tz)}`;
}

/** Whether a range begins and ends on different days of the zone, so that its lines need a date. */
export function spansDays(start: string, end: string, tz: string): boolean {
  if (Date.parse(end) - Date.parse(start) > DAY_MS) return true;
  return formatDate(start, tz) !== formatDate(end, tz);
}
