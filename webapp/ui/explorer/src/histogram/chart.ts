/** The geometry of the histogram: buckets of an answer as stacked bars, in pixels. Pure; drawn by Bars.tsx. */
import type { Histogram, Series } from "../api/types";

const LEAST_BAR = 3;
const GAP = 1;
const UNIT_MS: { [unit: string]: number } = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 2_419_200_000, // the shortest month: what is shorter than that was cut off
  y: 31_536_000_000,
};
// From the baseline up: what matters most stands where heights can be compared.
const STACK = ["fatal", "error", "warn", "info", "debug", "trace"];

export interface Part {
  name: string; // the class that colours it
  y: number;
  height: number;
}

export interface Bar {
  from: string; // RFC 3339, as the server said it
  to: string;
  x: number;
  width: number; // of the slot; the bar leaves a gap
  total: number;
  clipped: boolean; // the range begins or ends within this bucket
  parts: Part[];
}

export function stacked(series: readonly Series[], by: string): Series[] {
  if (by !== "severity") return [...series];
  const rank = (one: Series) => (one.kind === "value" ? STACK.indexOf(one.value) : STACK.length + 1);
  return [...series].sort((a, b) => rank(a) - rank(b));
}

/** The class that gives a series its colour: severities have theirs, other values one of eight in turn. */
export function classOf(series: Series, index: number, by: string): string {
  if (series.kind !== "value") return `fill-${series.kind}`;
  return by === "severity" ? `fill-${series.value}` : `fill-${index % 8}`;
}

export function bars(counted: Histogram, by: string, width: number, height: number): Bar[] {
  const start = Date.parse(counted.start);
  const span = Math.max(1, Date.parse(counted.end) - start);
  const order = stacked(counted.series, by);
  const totals = counted.times.map((_, index) => sum(order, index));
  const most = Math.max(1, ...totals);
  const place = (time: string) => (width * (Date.parse(time) - start)) / span;
  return counted.times.map((from, index) => {
    const to = counted.times[index + 1] ?? counted.end;
    const x = Math.max(0, place(from));
    return {
      from,
      to,
      x,
      width: Math.max(LEAST_BAR + GAP, place(to) - x),
      total: totals[index] ?? 0,
      clipped: isClipped(from, to, counted.step),
      parts: parts(order, index, by, height / most, height),
    };
  });
}

function sum(series: readonly Series[], index: number): number {
  return series.reduce((total, one) => total + (one.counts[index] ?? 0), 0);
}

/** Nothing that was counted is too small to be seen: a part has a pixel at least. */
function parts(series: readonly Series[], index: number, by: string, scale: number, height: number): Part[] {
  const found: Part[] = [];
  let top = height;
  for (const [rank, one] of series.entries()) {
    const count = one.counts[index] ?? 0;
    if (count === 0) continue;
    const tall = Math.min(Math.max(1, count * scale), top);
    top -= tall;
    found.push({ name: classOf(one, rank, by), y: top, height: tall });
  }
  return found;
}

function isClipped(from: string, to: string, step: string): boolean {
  const found = /^(\d+)(ms|[smhdwMy])$/.exec(step);
  if (!found) return false;
  const whole = Number(found[1]) * (UNIT_MS[found[2] ?? ""] ?? 0);
  // A day that loses an hour to summer time is whole.
  const spare = whole >= 86_400_000 ? 3_600_000 : 0;
  return Date.parse(to) - Date.parse(from) < whole - spare;
}

/** A few places along the axis that fall on buckets, not closer than 120 px. */
export function ticks(found: readonly Bar[], width: number): Bar[] {
  const every = Math.max(1, Math.ceil((found.length * 120) / Math.max(1, width)));
  return found.filter((bar, index) => index % every === 0 && !bar.clipped);
}
