/** Whether the time of a line and the time it was received disagree, and which way. Null when they agree. */
import type { Line } from "../api/types";

const AGREE_MS = 60_000;

export interface Skew {
  way: "ahead" | "behind";
  text: string; // a whole sentence's worth, for a title
  badge: string; // short
}

/** Behind can be a wrong clock or a line that was sent late: nobody here can tell which. Ahead is a wrong clock. */
export function skew(line: Pick<Line, "time" | "received">): Skew | null {
  if (!line.received) return null;
  const apart = Date.parse(line.time) - Date.parse(line.received);
  if (Math.abs(apart) <= AGREE_MS || Number.isNaN(apart)) return null;
  const by = lasting(Math.abs(apart));
  if (apart > 0)
    return {
      way: "ahead",
      badge: `sent with a clock ${by} ahead`,
      text: `Sent with a clock ${by} ahead of ours`,
    };
  return {
    way: "behind",
    badge: `sent ${by} late, or with a clock behind`,
    text: `Received ${by} after its own time: sent late, or with a clock that is behind`,
  };
}

const UNITS: readonly [string, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** 2 hours · 1.5 days · 340 ms */
export function lasting(ms: number): string {
  for (const [unit, size] of UNITS) {
    if (ms < size) continue;
    const amount = Math.round((ms / size) * 10) / 10;
    return `${amount.toLocaleString("en")} ${unit}${amount === 1 ? "" : "s"}`;
  }
  return `${Math.round(ms)} ms`;
}
