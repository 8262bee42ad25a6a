/**
 * Lines as they are stored, joined to those of the search. Looking away from the live edge pauses: what arrives
 * meanwhile is counted, and comes into sight with one press.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Line } from "../api/types";
import { runAgain, useLines } from "../data/results";
import { ProblemNote } from "../frame/ProblemNote";
import { Skeleton } from "../list/edges";
import { Grid, type Scroll } from "../list/Grid";
import { useSteps } from "../list/walk";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { resumed } from "./buffer";
import { TailBar } from "./TailBar";
import { useTail } from "./useTail";
import "../context/context.css";
import "./tail.css";

const EDGE = 60; // pixels from the live edge that still count as being there

export function Tail({ address }: { address: Address }) {
  const first = useLines(address);
  useKeys([{ key: "Escape", label: "Back to the search", group: "Lines", run: () => go({ live: false }) }]);
  if (first.data && !first.isPlaceholderData) {
    const seen = address.order === "desc" ? first.data.logs.toReversed() : first.data.logs;
    const { as_of } = first.data;
    return <Following key={as_of} address={address} begin={seen} cursor={as_of} />;
  }
  return (
    <section className="tail" aria-label="Live">
      <TailBar pulse={null} tailed={null} paused={false} />
      {first.error ? (
        <ProblemNote problem={first.error} onRetry={() => void first.refetch()} />
      ) : (
        <Skeleton />
      )}
    </section>
  );
}

function Following({ address, begin, cursor }: { address: Address; begin: Line[]; cursor: string }) {
  const [paused, setPaused] = useState(false);
  const { tailed, setTailed, pulse } = useTail(address, begin, cursor, paused);
  const place = useRef<HTMLDivElement>(null);
  const scroll = useRef<Scroll | null>(null);
  const was = useRef(0); // where it was scrolled to
  const newestOnTop = address.order === "desc";
  const { lines } = tailed;
  const count = lines.length;
  const at = useCallback(
    (index: number) => lines[newestOnTop ? lines.length - 1 - index : index],
    [lines, newestOnTop],
  );
  const resume = () => {
    setTailed(resumed);
    setPicked("");
    setPaused(false);
  };
  const [picked, setPicked] = useState("");
  const current = useMemo(() => {
    const index = picked === "" ? -1 : lines.findIndex((line) => line.id === picked);
    return index === -1 ? -1 : newestOnTop ? lines.length - 1 - index : index;
  }, [lines, picked, newestOnTop]);
  const pick = useCallback(
    (index: number) => {
      setPicked(at(index)?.id ?? "");
      setPaused(true);
    },
    [at],
  );
  const steps = useSteps({ count, at, current, setCurrent: pick, scroll, address });
  const turn = paused ? resume : () => setPaused(true);
  useKeys([
    ...steps,
    { key: "p", label: "Pause, or go on", group: "Lines", run: turn },
    { key: "c", label: "What stands around the line", group: "Lines", run: () => around(picked) },
  ]);
  // At the live edge the newest stays in sight; in the order of arrival that edge is the foot.
  useEffect(() => {
    if (paused || count === 0) return;
    if (newestOnTop) place.current?.scrollTo({ top: 0 });
    else scroll.current?.to(lines.length - 1);
  }, [paused, newestOnTop, count, lines]);
  // Only who scrolls away pauses it, not the list that grows.
  const scrolled = (top: number) => {
    const held = place.current;
    if (!held) return;
    const left = newestOnTop ? top > was.current : top < was.current;
    const away = newestOnTop ? top : held.scrollHeight - held.clientHeight - top;
    was.current = top;
    if (away > EDGE && left && !paused) setPaused(true);
    else if (away <= EDGE && paused && picked === "" && tailed.held.length === 0) setPaused(false);
  };
  return (
    <section className="tail" aria-label="Live">
      <TailBar pulse={pulse} tailed={tailed} paused={paused} onTurn={turn} onResume={resume} />
      {pulse.state.kind === "ended" && <ProblemNote problem={pulse.state.problem} onRetry={runAgain} />}
      <Grid
        label="Lines as they arrive"
        address={address}
        count={count}
        total={-1}
        at={at}
        sample={begin.length > 0 ? begin : lines}
        set={cursor}
        byId
        dated={false}
        current={current}
        place={place}
        scroll={scroll}
        onPick={pick}
        onScroll={scrolled}
        foot={count === 0 && <p className="loglist-foot meta">Nothing yet. What arrives is shown here.</p>}
      />
    </section>
  );
}

function around(id: string): void {
  if (id) go({ context: id, live: false });
}
