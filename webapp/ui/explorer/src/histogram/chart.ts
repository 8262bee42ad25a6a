/** The geometry of the histogram: buckets of an answer as stacked bars, in pixels. Pure; drawn by Bars.tsx. */
import type { Histogram, Series } from "../api/types";
import { visible } from "../line/visible";

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
  uncounted: boolean; // the time ran out before all of it was counted
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

export function nameOf({ kind, value }: Series): string {
  if (kind === "other") return "other";
  if (kind === "missing") return "none";
  return visible(value) || "(empty)";
}

export function bars(counted: Histogram, by: string, width: number, height: number): Bar[] {
  const start = Date.parse(counted.start);
  const span = Math.max(1, Date.parse(counted.end) - start);
  const covered = counted.partial ? Date.parse(counted.covered?.start ?? counted.end) : start;
  const order = stacked(counted.series, by);
  const totals = counted.times.map((_, index) => sum(order, index));
  const most = Math.max(1, ...totals);
  // Whole pixels, so that every gap is one.
  const place = (time: string) => Math.max(0, Math.round((width * (Date.parse(time) - start)) / span));
  return counted.times.map((from, index) => {
    const to = counted.times[index + 1] ?? counted.end;
    const x = Math.min(place(from), Math.max(0, width - LEAST_BAR - GAP));
    return {
      from,
      to,
      x,
      width: Math.max(LEAST_BAR + GAP, place(to) - x),
      total: totals[index] ?? 0,
      clipped: isClipped(from, to, counted.step),
      uncounted: Date.parse(from) < covered,
      parts: parts(order, index, by, height / most, height),
    };
  });
}

export function barAt(drawn: readonly Bar[], x: number): Bar | undefined {
  return drawn.findLast((bar) => x >= bar.x && x < bar.x + bar.width);
}

/** The range between two places, to the second or the minute where a pixel is longer than that. */
export function timeAt(counted: Histogram, width: number, one: number, other: number): [string, string] {
  const [start, end] = [Date.parse(counted.start), Date.parse(counted.end)];
  const pixel = (end - start) / Math.max(1, width);
  const unit = pixel >= 60_000 ? 60_000 : pixel >= 1000 ? 1000 : 1;
  const time = (place: number) => start + pixel * Math.min(Math.max(place, 0), width);
  const from = Math.floor(time(Math.min(one, other)) / unit) * unit;
  const to = Math.max(from + unit, Math.ceil(time(Math.max(one, other)) / unit) * unit);
  return [new Date(from).toISOString(), new Date(to).toISOString()];
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
