/**
 * Instants as nanoseconds since 1970, and the forms in which people and programs write them.
 *
 * The clock is an argument and nothing is asked of the server; webapp/logs/times.py reads the same relative forms.
 */
import { formatClock, formatDate } from "./show";

export const SECOND = 1_000_000_000n;
export const DAY = 86_400n * SECOND;
const LATEST = 253_402_300_799n * SECOND; // the last second of the year 9999
const UNITS: { [unit: string]: bigint } = {
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
  d: DAY,
  w: 7n * DAY,
};
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

export function fromMs(ms: number): bigint {
  return BigInt(Math.floor(ms)) * 1_000_000n;
}

export function toMs(ns: bigint): number {
  return Number(ns / 1_000_000n);
}

/** UTC, with as many digits below a second as say something. */
export function rfc3339(ns: bigint): string {
  const second = new Date(Number(ns / SECOND) * 1000).toISOString().slice(0, 19);
  const digits = String(ns % SECOND)
    .padStart(9, "0")
    .replace(/(000)+$/, "");
  return `${second}${digits && `.${digits}`}Z`;
}

// ---- the clock on the wall ----

/** 2026-11-24T10:42:07 */
export function wall(ns: bigint, tz: string): string {
  const time = rfc3339(ns);
  return `${formatDate(time, tz)}T${formatClock(time, tz)}`;
}

/**
 * The instant at which a zone's clock shows this. A time that summer time leaps over is taken as the clock before
 * the leap would have counted it; of one that comes twice, the first.
 */
export function instant(local: string, tz: string): bigint {
  return candidates(local, tz)[0] ?? 0n;
}

/** Whether clocks that are put back show this twice. */
export function comesTwice(local: string, tz: string): boolean {
  return candidates(local, tz).length > 1;
}

function candidates(local: string, tz: string): bigint[] {
  const goal = utc(local);
  const offset = (at: bigint) => utc(wall(at, tz)) - at;
  const [before, after] = [goal - offset(goal - DAY), goal - offset(goal + DAY)];
  const fitting = [...new Set([before, after])].filter((at) => utc(wall(at, tz)) === goal);
  return fitting.length > 0 ? fitting.sort((a, b) => (a < b ? -1 : 1)) : [before];
}

function utc(local: string): bigint {
  return fromMs(Date.parse(`${local}Z`));
}

/** The date so many days later, by the calendar. */
export function dayAfter(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

// ---- relative ----

const RELATIVE = /^now((?:[+-]\d{1,9}[smhdwMy])*)(?:\/([smhdwMy]))?$/;

export function isRelative(text: string): boolean {
  return RELATIVE.test(text);
}

/** `now-1d/d`, or what names an instant by itself; null for anything else. */
export function resolved(text: string, tz: string, now: bigint): bigint | null {
  const found = RELATIVE.exec(text);
  if (!found) return written(text, tz);
  let at = now;
  for (const [, sign, count, unit = ""] of (found[1] ?? "").matchAll(/([+-])(\d+)([smhdwMy])/g)) {
    const amount = BigInt(count ?? 0) * (sign === "-" ? -1n : 1n);
    const fixed = UNITS[unit];
    at = fixed ? at + amount * fixed : months(at, Number(amount) * (unit === "y" ? 12 : 1), tz);
  }
  if (at < 0n || at > LATEST) return null;
  return found[2] ? floor(at, found[2], tz) : at;
}

/** The same clock on the wall; the 31st becomes the last day of a shorter month. */
function months(ns: bigint, by: number, tz: string): bigint {
  const local = wall(ns, tz);
  const [year, month, day] = local.slice(0, 10).split("-").map(Number) as [number, number, number];
  const target = new Date(Date.UTC(year, month - 1 + by, 1));
  const last = new Date(Date.UTC(target.getUTCFullYear(), target.getUTCMonth() + 1, 0)).getUTCDate();
  const date = `${target.toISOString().slice(0, 8)}${String(Math.min(day, last)).padStart(2, "0")}`;
  return instant(`${date}${local.slice(10)}`, tz) + (ns % SECOND);
}

/** The start of the calendar unit; a week begins on Monday. */
function floor(ns: bigint, unit: string, tz: string): bigint {
  if (unit === "s" || unit === "m") return ns - (ns % (UNITS[unit] as bigint));
  const local = wall(ns, tz);
  // Within the hour nothing is put forward or back, so an hour that comes twice stays the one it is.
  if (unit === "h")
    return ns - (ns % SECOND) - BigInt(Number(local.slice(14, 16)) * 60 + Number(local.slice(17))) * SECOND;
  const date = local.slice(0, 10);
  const weekday = (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7;
  const first = {
    d: date,
    w: dayAfter(date, -weekday),
    M: `${date.slice(0, 7)}-01`,
    y: `${date.slice(0, 4)}-01-01`,
  };
  return instant(`${first[unit as keyof typeof first]}T00:00:00`, tz);
}

// ---- absolute ----

export interface Found {
  ns: bigint;
  length: number; // of the text that says it
  local: string; // the clock on the wall, where no zone was given
}

const CLOCK = String.raw`(\d{1,2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?`;
const ZONE = String.raw`\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2})?`;
const ISO = new RegExp(`(\\d{4})[-/](\\d{2})[-/](\\d{2})[T ]${CLOCK}${ZONE}`, "i");
const DAY_FIRST = new RegExp(`(\\d{1,2})[ /-]([A-Z][a-z]{2})[ /-](\\d{4})[ :]${CLOCK}${ZONE}`, "i");
const MONTH_FIRST = new RegExp(`\\b([A-Z][a-z]{2}) {1,2}(\\d{1,2})(?:,? (\\d{4}))?,? ${CLOCK}${ZONE}`, "i");
const KLOG = new RegExp(`\\b[IWEF](\\d{2})(\\d{2}) ${CLOCK}`);
const LONE_CLOCK = /(?<![\d.:])(\d{1,2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?(?![\d:])/;
const EPOCH = /(?<![\d.])(?:(\d{10})\.(\d{1,9})|(\d{10}|\d{13}|\d{16}|\d{19}))(?![\d.])/;

/** The first timestamp in a text: a form by itself, or somewhere in a log line. */
export function firstIn(text: string, tz: string, now: bigint): Found | null {
  const today = wall(now, tz).slice(0, 10);
  const dated = (year: string, month: string, day: string) => `${year}-${pad(month)}-${pad(day)}`;
  const iso = ISO.exec(text);
  if (iso) return at(iso[0], dated(iso[1] ?? "", iso[2] ?? "", iso[3] ?? ""), iso.slice(4), tz);
  const day = DAY_FIRST.exec(text);
  if (day && monthOf(day[2]))
    return at(day[0], dated(day[3] ?? "", monthOf(day[2]), day[1] ?? ""), day.slice(4), tz);
  const month = MONTH_FIRST.exec(text);
  if (month && monthOf(month[1])) {
    const date = month[3]
      ? dated(month[3], monthOf(month[1]), month[2] ?? "")
      : latest(today, monthOf(month[1]), month[2]);
    return at(month[0], date, month.slice(4), tz);
  }
  const klog = KLOG.exec(text);
  if (klog) return at(klog[0], latest(today, klog[1], klog[2]), klog.slice(3), tz);
  const epoch = EPOCH.exec(text);
  if (epoch) return { ns: epochNs(epoch[1] ?? epoch[3] ?? "", epoch[2]), length: epoch[0].length, local: "" };
  const clock = LONE_CLOCK.exec(text);
  return clock ? lastTime(clock[0], clock.slice(1), tz, now) : null;
}

/** An instant that stands by itself, in one of the forms the API takes too. */
function written(text: string, tz: string): bigint | null {
  if (/^\d{1,20}$/.test(text)) return within(epochNs(text));
  if (/^\d{4}-\d{2}-\d{2}$/.test(text))
    return valid(text, "00:00:00") ? instant(`${text}T00:00:00`, tz) : null;
  const found = firstIn(text, tz, 0n);
  return found && found.length === text.length ? found.ns : null;
}

/** By its digits: seconds, milliseconds, microseconds or nanoseconds. */
export function epochNs(digits: string, fraction = ""): bigint {
  const unit =
    digits.length <= 11 ? SECOND : digits.length <= 14 ? 1_000_000n : digits.length <= 17 ? 1000n : 1n;
  return BigInt(digits) * unit + nanos(fraction);
}

function at(whole: string, date: string, rest: (string | undefined)[], tz: string): Found | null {
  const [clock = "", fraction, zone] = rest;
  const time = filled(clock);
  if (!valid(date, time)) return null;
  const local = `${date}T${time}`;
  const ns = zone ? utc(local) - offsetOf(zone) : instant(local, tz);
  return within(ns) === null
    ? null
    : { ns: ns + nanos(fraction), length: whole.trimEnd().length, local: zone ? "" : local };
}

/** A clock without a date: the last time it showed that. */
export function lastTime(
  whole: string,
  [clock = "", fraction]: (string | undefined)[],
  tz: string,
  now: bigint,
): Found | null {
  const today = wall(now, tz).slice(0, 10);
  const found = at(whole, today, [clock, fraction], tz);
  return found && found.ns > now ? at(whole, dayAfter(today, -1), [clock, fraction], tz) : found;
}

/** The last such day: a line without a year is not of the future. */
function latest(today: string, month = "", day = ""): string {
  const year = Number(today.slice(0, 4));
  const date = `${year}-${pad(month)}-${pad(day)}`;
  return date > dayAfter(today, 1) ? `${year - 1}${date.slice(4)}` : date;
}

export function filled(clock: string): string {
  const [h = "", m = "00", s = "00"] = clock.split(":");
  return `${pad(h)}:${m}:${s}`;
}

export function valid(date: string, time: string): boolean {
  const parsed = Date.parse(`${date}T${time}Z`);
  return !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(`${date}T${time}`);
}

function offsetOf(zone: string): bigint {
  const found = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (!found) return 0n;
  const minutes = BigInt(Number(found[2]) * 60 + Number(found[3]));
  return (found[1] === "-" ? -minutes : minutes) * 60n * SECOND;
}

function within(ns: bigint): bigint | null {
  return ns >= 0n && ns <= LATEST ? ns : null;
}

function nanos(fraction = ""): bigint {
  return BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

function monthOf(name = ""): string {
  const index = MONTHS.indexOf(name.toLowerCase());
  return index === -1 ? "" : String(index + 1);
}

function pad(text: string): string {
  return text.padStart(2, "0");
}
