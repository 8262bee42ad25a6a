/**
 * The tail of a search, for as long as it is wanted: a stream that breaks is taken up behind its last event.
 *
 * Not an EventSource: that one tells no status of a refusal, gives up at the first 503, and never notices a
 * connection that died in silence. The server speaks every second, so silence is a dead connection.
 */
import { opened, type Params, Problem } from "../api/client";
import type { Line } from "../api/types";
import { reader } from "./events";

const SILENCE_MS = 15_000;
const LONGEST_MS = 30_000;

export type State =
  | { kind: "open" }
  | { kind: "again"; seconds: number; reason: string } // 0 seconds: at once
  | { kind: "ended"; problem: unknown };

export interface Heard {
  line: (line: Line) => void;
  status: (rate: number, lagMs: number) => void;
  gap: (lines: number | null) => void;
  state: (state: State) => void;
}

/** A second, two, four, ... and a part of it by chance, so that not all come back together. */
export function pause(failures: number, chance = Math.random()): number {
  return Math.min(LONGEST_MS, 1000 * 2 ** (failures - 1)) * (0.5 + chance / 2);
}

export function follow(params: Params, heard: Heard): () => void {
  const close = new AbortController();
  void following(params, heard, close.signal);
  return () => close.abort();
}

async function following(params: Params, heard: Heard, closed: AbortSignal): Promise<void> {
  const place = { cursor: String(params.cursor ?? ""), failures: 0 };
  while (!closed.aborted) {
    let reason = "";
    try {
      reason = await once({ ...params, cursor: place.cursor }, place, heard, closed);
    } catch (error) {
      if (closed.aborted) return;
      if (error instanceof Problem && !error.transient) return heard.state({ kind: "ended", problem: error });
      reason = error instanceof Problem ? error.detail : "The connection broke.";
    }
    // A stream that said something ended in its time, or broke: that is the first failure of a row, not the next.
    const wait = reason ? pause(++place.failures) : 0;
    heard.state({ kind: "again", seconds: Math.ceil(wait / 1000), reason });
    await slept(wait, closed);
  }
}

/** One connection, until it ends; "" when it ended in its time. */
async function once(
  params: Params,
  place: { cursor: string; failures: number },
  heard: Heard,
  closed: AbortSignal,
): Promise<string> {
  const silent = new AbortController();
  let timer = window.setTimeout(() => silent.abort(), SILENCE_MS);
  const signal = AbortSignal.any([closed, silent.signal]);
  try {
    const answer = await opened("logs/tail", params, { headers: { Accept: "text/event-stream" }, signal });
    if (!answer.body) return "The answer was empty.";
    heard.state({ kind: "open" });
    const events = reader();
    const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let said = false;
    let broken = "";
    for (let piece = await text.read(); !piece.done; piece = await text.read()) {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => silent.abort(), SILENCE_MS);
      for (const { kind, id, data } of events(piece.value)) {
        said = true;
        place.failures = 0;
        if (id) place.cursor = id;
        broken = told(kind, JSON.parse(data), heard) || broken;
      }
    }
    return broken || (said ? "" : "The connection ended.");
  } finally {
    window.clearTimeout(timer);
  }
}

/** What an event means; the reason, if it is the server's last word. */
function told(kind: string, data: ReturnType<typeof JSON.parse>, heard: Heard): string {
  if (kind === "line") heard.line(data);
  else if (kind === "status") heard.status(data.rate, data.lag_ms);
  else if (kind === "gap") heard.gap(data.lines);
  else if (kind === "error") return data.detail || "The server broke it off.";
  return "";
}

function slept(ms: number, closed: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = window.setTimeout(done, ms);
    closed.addEventListener(
      "abort",
      () => {
        window.clearTimeout(timer);
        done();
      },
      { once: true },
    );
  });
}
