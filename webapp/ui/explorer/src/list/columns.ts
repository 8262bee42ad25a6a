/** How wide the columns of the list are: by field, or by what stands in the first lines. */
import type { Line } from "../api/types";
import { fieldOf } from "../line/value";
import { visible } from "../line/visible";

const CHARACTER = 7.6; // pixels of a 12.5 px monospace character
const GAP = 12;
const LEAST = 6;
const MOST = 26;
const SAMPLE = 60;

export function widthOf(field: string, lines: readonly Line[]): number {
  const longest = Math.max(
    field.length,
    ...lines.slice(0, SAMPLE).map((line) => visible((fieldOf(line, field) ?? "").slice(0, MOST)).length),
  );
  return Math.round(Math.min(MOST, Math.max(LEAST, longest)) * CHARACTER + GAP);
}

export function template(timeCharacters: number, columns: readonly string[], lines: readonly Line[]): string {
  const time = Math.round(timeCharacters * CHARACTER + GAP);
  const widths = columns.map((field) => `${widthOf(field, lines)}px`);
  return [`${time}px`, "24px", ...widths, "minmax(0, 1fr)"].join(" ");
}
