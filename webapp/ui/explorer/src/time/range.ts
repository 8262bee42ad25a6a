/**
 * What a person types as a range: `15m`, `3d`, `today`, `10:00-10:30`, an instant, an epoch, or a pasted log line.
 *
 * Relative stays relative (`now-15m`), so that a link says the same tomorrow. A wall-clock time is of the chosen
 * zone and goes out as an instant; the server reads every form that is left as it is.
 */

export interface Range {
  start: string;
  end: string;
}

export const PRESETS: readonly { label: string; range: Range }[] = [
  { label: "Last 5 minutes", range: { start: "now-5m", end: "now" } },
  { label: "Last 15 minutes", range: { start: "now-15m", end: "now" } },
  { label: "Last hour", range: { start: "now-1h", end: "now" } },
  { label: "Last 4 hours", range: { start: "now-4h", end: "now" } },
  { label: "Last 24 hours", range: { start: "now-24h", end: "now" } },
  { label: "Last 7 days", range: { start: "now-7d", end: "now" } },
  { label: "Today", range: { start: "now/d", end: "now" } },
  { label: "Yesterday", range: { start: "now-1d/d", end: "now/d" } },
  { label: "All stored time", range: { start: "", end: "" } },
];

const UNITS: { [word: string]: string } = {
  s: "s",
  sec: "s",
  second: "s",
  seconds: "s",
  m: "m",
  min: "m",
  minute: "m",
  minutes: "m",
  h: "h",
  hour: "h",
  hours: "h",
  d: "d",
  day: "d",
  days: "d",
  w: "w",
  week: "w",
  weeks: "w",
  M: "M",
  month: "M",
  months: "M",
  y: "y",
  year: "y",
  years: "y",
};
const NAMES: { [unit: string]: string } = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  M: "month",
  y: "year",
};
const AROUND_MS = 150_000; // of a pasted line: five minutes in all
const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2}))?`;
const DATE = String.raw`(\d{4})-(\d{2})-(\d{2})`;

/** null: nothing that is understood. `now` is epoch milliseconds. */
export function parse(typed: string, tz: string, now: number): Range | null {
  const text = typed.trim();
  if (text === "") return null;
  return named(text) ?? lasting(text) ?? clocks(text, tz, now) ?? pair(text, tz) ?? around(text, tz);
}

function named(text: string): Range | null {
  const word = text.toLowerCase();
  if (word === "all" || word === "all time") return { start: "", end: "" };
  return PRESETS.find((preset) => preset.label.toLowerCase() === word)?.range ?? null;
}

/** 15m · 3 days · last 2 hours · now-15m · -15m */
function lasting(text: string): Range | null {
  const found = /^(?:last\s+|now-|-)?(\d{1,6})\s*([A-Za-z]+)$/i.exec(text);
  const unit = found && (UNITS[found[2] ?? ""] ?? UNITS[(found[2] ?? "").toLowerCase()]);
  if (found && unit) return { start: `now-${Number(found[1])}${unit}`, end: "now" };
  return /^now[-+/\w]*$/.test(text) ? { start: text, end: "now" } : null;
}

/** 10:00-10:30, today; over midnight it ended today and began yesterday. */
function clocks(text: string, tz: string, now: number): Range | null {
  const found = new RegExp(`^${CLOCK}\\s*(?:-|–|to|\\.\\.)\\s*${CLOCK}$`).exec(text);
  if (!found) return null;
  const [from, to] = [seconds(found.slice(1, 4)), seconds(found.slice(4, 7))];
  if (from === null || to === null) return null;
  const today = wall(now, tz).slice(0, 10);
  const yesterday = wall(now - 86_400_000, tz).slice(0, 10);
  return {
    start: instant(`${from > to ? yesterday : today}T${clock(from)}`, tz),
    end: instant(`${today}T${clock(to)}`, tz),
  };
}

/** Two instants with "to", ".." or a dash between them. */
function pair(text: string, tz: string): Range | null {
  const halves = text.split(/\s+(?:to|-|–|\.\.)\s+|\.\./);
  if (halves.length !== 2) return null;
  const [start, end] = halves.map((half) => moment(half.trim(), tz));
  return start && end ? { start, end } : null;
}

function moment(text: string, tz: string): string | null {
  if (/^now([-+/]\w+)*$/.test(text)) return text;
  const at = firstInstant(text, tz);
  return at && at.length === text.length ? new Date(at.ms).toISOString() : null;
}

/** One instant, or a line that holds one: what was there two and a half minutes before and after it. A day: that day. */
function around(text: string, tz: string): Range | null {
  const day = new RegExp(`^${DATE}$`).exec(text);
  if (day) {
    const next = new Date(Date.parse(`${text}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
    return { start: instant(`${text}T00:00:00`, tz), end: instant(`${next}T00:00:00`, tz) };
  }
  const at = firstInstant(text, tz);
  if (!at) return null;
  const iso = (ms: number) => new Date(ms).toISOString();
  return { start: iso(at.ms - AROUND_MS), end: iso(at.ms + AROUND_MS) };
}

const ISO = new RegExp(`${DATE}[T ]${CLOCK}(?:[.,](\\d{1,9}))?\\s?(Z|[+-]\\d{2}:?\\d{2})?`);
const EPOCH = /(?<![\d.])(\d{10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})(?![\d.])/;
const APACHE = /(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{4})/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function firstInstant(text: string, tz: string): { ms: number; length: number } | null {
  const iso = ISO.exec(text);
  if (iso) {
    const [whole, y, mo, d, h, mi, s = "00", fraction = "", zone] = iso;
    const local = `${y}-${mo}-${d}T${(h ?? "").padStart(2, "0")}:${mi}:${s}`;
    const at = zone
      ? Date.parse(local + (zone === "Z" ? "Z" : zone.replace(/(\d{2}):?(\d{2})$/, "$1:$2")))
      : Date.parse(instant(local, tz));
    return valid(at + Number(fraction.padEnd(3, "0").slice(0, 3)), whole.length);
  }
  const apache = APACHE.exec(text);
  if (apache) {
    const [whole, d, month = "", y, time, zone = ""] = apache;
    const mo = String(MONTHS.indexOf(month) + 1).padStart(2, "0");
    return valid(Date.parse(`${y}-${mo}-${d}T${time}${zone.slice(0, 3)}:${zone.slice(3)}`), whole.length);
  }
  const epoch = EPOCH.exec(text);
  return epoch ? valid(milliseconds(epoch[0]), epoch[0].length) : null;
}

function valid(ms: number, length: number): { ms: number; length: number } | null {
  return Number.isNaN(ms) ? null : { ms, length };
}

/** By its digits: seconds, milliseconds, microseconds, nanoseconds. */
function milliseconds(text: string): number {
  if (text.includes(".") || text.length === 10) return Math.floor(Number(text) * 1000);
  return Number(text.slice(0, 13));
}

function seconds([h, m, s]: (string | undefined)[]): number | null {
  const [hours, minutes, rest] = [Number(h), Number(m), Number(s ?? 0)];
  return hours < 24 && minutes < 60 && rest < 60 ? hours * 3600 + minutes * 60 + rest : null;
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 19);
}

/** The wall clock of a zone, as 2026-11-24T10:42:07. */
export function wall(ms: number, tz: string): string {
  const parts = new Intl.DateTimeFormat("sv-SE", {
    ...(tz === "local" ? {} : { timeZone: tz }),
    dateStyle: "short",
    timeStyle: "medium",
  }).format(ms);
  return parts.replace(" ", "T");
}

/**
 * The instant at which a zone's clock shows this, in UTC. A time that summer time leaps over is taken as the clock
 * before the leap would have counted it; of one that comes twice, the first.
 */
export function instant(local: string, tz: string): string {
  const goal = Date.parse(`${local}Z`);
  const offset = (at: number) => Date.parse(`${wall(at, tz)}Z`) - at;
  const candidates = [goal - offset(goal - 86_400_000), goal - offset(goal + 86_400_000)];
  const fitting = candidates.filter((at) => Date.parse(`${wall(at, tz)}Z`) === goal);
  const at = fitting.length ? Math.min(...fitting) : (candidates[0] ?? goal);
  return new Date(at).toISOString();
}

/** How a range is called: its preset's name, "Last 90 minutes", or from when to when. */
export function called(range: Range, show: (time: string) => string): string {
  const preset = PRESETS.find((one) => one.range.start === range.start && one.range.end === range.end);
  if (preset) return preset.label;
  const last = /^now-(\d+)([smhdwMy])$/.exec(range.start);
  if (last && (range.end === "now" || range.end === "")) {
    const count = Number(last[1]);
    return `Last ${count} ${NAMES[last[2] ?? ""]}${count === 1 ? "" : "s"}`;
  }
  const side = (time: string, open: string) =>
    time === "" ? open : /^now/.test(time) || Number.isNaN(Date.parse(time)) ? time : show(time);
  return `${side(range.start, "the beginning")} – ${side(range.end, "now")}`;
}
