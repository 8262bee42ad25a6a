/** Whether the sender's clock and ours disagree, in words; "" when they agree or the line is merely late. */
import type { Line } from "../api/types";

const AGREE_MS = 60_000;

export function skew(line: Line): string {
  if (!line.received) return "";
  const apart = Date.parse(line.time) - Date.parse(line.received);
  if (apart > AGREE_MS) return `its time is ${lasting(apart)} ahead of when we received it`;
  if (apart < -AGREE_MS)
    return `its time is ${lasting(-apart)} before we received it: late, or a clock that is behind`;
  return "";
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
