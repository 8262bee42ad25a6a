/** What a tail holds: the newest lines, a bound, and what came while nobody was looking at the live edge. */
import type { Line } from "../api/types";

export const MOST = 10_000;

export interface Tailed {
  lines: Line[]; // in order of arrival
  held: Line[]; // arrived while paused
  let_go: number; // lines that the bound took out of sight; they are stored, and a search finds them
  missed: number; // lines that the server left out because this page was too slow
  gaps: number; // how often it did
}

export const NOTHING: Tailed = { lines: [], held: [], let_go: 0, missed: 0, gaps: 0 };

export function arrived(tailed: Tailed, lines: readonly Line[], paused: boolean): Tailed {
  const name = paused ? "held" : "lines";
  return bounded({ ...tailed, [name]: [...tailed[name], ...lines] });
}

export function resumed(tailed: Tailed): Tailed {
  return bounded({ ...tailed, lines: [...tailed.lines, ...tailed.held], held: [] });
}

function bounded(tailed: Tailed): Tailed {
  const beyond = { lines: over(tailed.lines), held: over(tailed.held) };
  if (beyond.lines + beyond.held === 0) return tailed;
  return {
    ...tailed,
    lines: tailed.lines.slice(beyond.lines),
    held: tailed.held.slice(beyond.held),
    let_go: tailed.let_go + beyond.lines + beyond.held,
  };
}

function over(lines: readonly Line[]): number {
  return Math.max(0, lines.length - MOST);
}
