/** A tail as state: the lines it holds, and how the stream is. */
import { type Dispatch, type SetStateAction, useEffect, useRef, useState } from "react";
import type { Line } from "../api/types";
import { asked } from "../data/ask";
import type { Address } from "../state/address";
import { arrived, MOST, NOTHING, type Tailed } from "./buffer";
import { follow, type State } from "./stream";

const PAINT_MS = 100; // lines are shown together, ten times a second at most

export interface Pulse {
  rate: number;
  lag: number;
  state: State;
}

const BEGINNING: Pulse = { rate: 0, lag: 0, state: { kind: "again", seconds: 0, reason: "" } };

interface Tail {
  tailed: Tailed;
  setTailed: Dispatch<SetStateAction<Tailed>>;
  pulse: Pulse;
}

export function useTail(address: Address, begin: Line[], cursor: string, paused: boolean): Tail {
  const [tailed, setTailed] = useState<Tailed>({ ...NOTHING, lines: begin });
  const [pulse, setPulse] = useState<Pulse>(BEGINNING);
  const pausing = useRef(paused);
  pausing.current = paused;
  const { q, tz } = asked(address);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `begin` are the lines of this cursor
  useEffect(() => {
    let waiting: Line[] = [];
    const paint = () => {
      if (waiting.length === 0) return;
      const lines = waiting;
      waiting = [];
      setTailed((before) => arrived(before, lines, pausing.current));
    };
    setTailed({ ...NOTHING, lines: begin });
    const timer = window.setInterval(paint, PAINT_MS);
    const close = follow(
      { q, tz, cursor },
      {
        line: (line) => {
          waiting.push(line);
          if (waiting.length >= MOST) paint(); // a page in the background is painted once a minute
        },
        status: (rate, lag) => setPulse((before) => ({ ...before, rate, lag })),
        gap: (lines) =>
          setTailed((before) => ({ ...before, missed: before.missed + (lines ?? 0), gaps: before.gaps + 1 })),
        state: (state) => setPulse((before) => ({ ...before, state })),
      },
    );
    return () => {
      window.clearInterval(timer);
      close();
    };
  }, [q, tz, cursor]);
  return { tailed, setTailed, pulse };
}
