/**
 * Lines as they are stored, joined to those of the search. Looking away from the live edge pauses: what arrives
 * meanwhile is counted, and comes into sight with one press.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import type { Line } from "../api/types";
import { asked } from "../data/ask";
import { useLines } from "../data/results";
import { ProblemNote } from "../frame/ProblemNote";
import { lasting } from "../line/skew";
import { Grid, type Scroll } from "../list/Grid";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { arrived, NOTHING, resumed, type Tailed } from "./buffer";
import { follow } from "./stream";
import "../context/context.css";
import "./tail.css";

const PAINT_MS = 100; // lines are shown together, ten times a second at most
const EDGE = 60; // pixels from the live edge that still count as being there

export function Tail({ address }: { address: Address }) {
  const first = useLines(address);
  const back = () => go({ live: false });
  useKeys([{ key: "Escape", label: "Back to the search", group: "Lines", run: back }]);
  if (first.error) return <Bar problem={first.error} />;
  if (!first.data || first.isPlaceholderData) return <Bar />;
  const seen = address.order === "desc" ? first.data.logs.toReversed() : first.data.logs;
  return <Following key={first.data.as_of} address={address} begin={seen} cursor={first.data.as_of} />;
}

function Bar({ problem }: { problem?: unknown }) {
  return (
    <section className="tail" aria-label="Live">
      {problem !== undefined && <ProblemNote problem={problem} />}
    </section>
  );
}

interface Pulse {
  rate: number;
  lag: number;
  state: "open" | "again" | "ended";
  reason: string;
}

function Following({ address, begin, cursor }: { address: Address; begin: Line[]; cursor: string }) {
  const [tailed, setTailed] = useState<Tailed>({ ...NOTHING, lines: begin });
  const [pulse, setPulse] = useState<Pulse>({ rate: 0, lag: 0, state: "again", reason: "" });
  const [paused, setPaused] = useState(false);
  const pausing = useRef(paused);
  pausing.current = paused;
  const place = useRef<HTMLDivElement>(null);
  const scroll = useRef<Scroll | null>(null);
  const { q, tz } = asked(address);
  useEffect(() => {
    let waiting: Line[] = [];
    const paint = window.setInterval(() => {
      if (waiting.length === 0) return;
      const lines = waiting;
      waiting = [];
      setTailed((before) => arrived(before, lines, pausing.current));
    }, PAINT_MS);
    const close = follow(
      { q, tz, cursor },
      {
        line: (line) => waiting.push(line),
        status: (rate, lag) => setPulse({ rate, lag, state: "open", reason: "" }),
        gap: (_from, _to, lines) => setTailed((before) => ({ ...before, missed: before.missed + lines })),
        state: (state, reason = "") => setPulse((before) => ({ ...before, state, reason })),
      },
    );
    return () => {
      window.clearInterval(paint);
      close();
    };
  }, [q, tz, cursor]);

  const newestOnTop = address.order === "desc";
  const count = tailed.lines.length;
  const at = useCallback(
    (index: number) => tailed.lines[newestOnTop ? count - 1 - index : index],
    [tailed.lines, newestOnTop, count],
  );
  // At the live edge the newest stays in sight; in the order of arrival that edge is the foot.
  useEffect(() => {
    if (!paused && !newestOnTop && count > 0) scroll.current?.to(count - 1);
  }, [paused, newestOnTop, count]);
  const scrolled = (top: number) => {
    const held = place.current;
    if (!held) return;
    const away = newestOnTop ? top : held.scrollHeight - held.clientHeight - top;
    if (away > EDGE && !paused) setPaused(true);
    else if (away <= EDGE && paused && tailed.held.length === 0) setPaused(false);
  };
  const resume = () => {
    setTailed(resumed);
    setPaused(false);
    if (newestOnTop) place.current?.scrollTo({ top: 0 });
  };
  return (
    <section className="tail" aria-label="Live">
      <div className="tail-bar meta">
        <button type="button" onClick={() => go({ live: false })}>
          Stop
        </button>
        <button type="button" aria-pressed={paused} onClick={paused ? resume : () => setPaused(true)}>
          {paused ? "Go on" : "Pause"}
        </button>
        <Said pulse={pulse} tailed={tailed} />
        {tailed.held.length > 0 && (
          <button type="button" className="primary" onClick={resume}>
            {tailed.held.length.toLocaleString("en")} new
          </button>
        )}
      </div>
      {pulse.state === "ended" && (
        <ProblemNote problem={new Error(pulse.reason)} onRetry={() => go({ live: false })} />
      )}
      <Grid
        label="Lines as they arrive"
        address={address}
        count={count}
        total={-1}
        at={at}
        sample={tailed.lines}
        dated={false}
        current={-1}
        place={place}
        scroll={scroll}
        onPick={() => setPaused(true)}
        onScroll={scrolled}
      />
    </section>
  );
}

function Said({ pulse, tailed }: { pulse: Pulse; tailed: Tailed }) {
  if (pulse.state === "again") return <span>connecting…</span>;
  return (
    <>
      <span>{pulse.rate.toLocaleString("en")} lines/s</span>
      {pulse.lag > 2000 && <span>{lasting(pulse.lag)} behind</span>}
      {tailed.missed > 0 && (
        <span className="tail-missed">
          {tailed.missed.toLocaleString("en")} skipped: this page was too slow; a search finds them
        </span>
      )}
      {tailed.let_go > 0 && <span>{tailed.let_go.toLocaleString("en")} older ones left this view</span>}
      <span>in order of arrival</span>
    </>
  );
}
