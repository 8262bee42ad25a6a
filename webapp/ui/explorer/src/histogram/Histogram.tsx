/**
 * The lines over time, zero-filled and on the calendar of the chosen zone. Dragging or clicking zooms, and
 * Backspace undoes it. It is drawn as SVG: a few hundred shapes, coloured by the style sheet in both schemes.
 */
import { useState } from "react";
import type { Histogram as Counted } from "../api/types";
import { useHistogram, useLines } from "../data/results";
import { Dialog } from "../frame/Dialog";
import { ProblemNote } from "../frame/ProblemNote";
import type { Address } from "../state/address";
import { useKeys } from "../state/keys";
import { formatClock, formatTime } from "../time/show";
import { Bars } from "./Bars";
import { isFolded, rememberFolded } from "./folded";
import { Legend } from "./Legend";
import { Table } from "./Table";
import { shift, undo } from "./zoom";
import "./histogram.css";

export function Histogram({ address }: { address: Address }) {
  const lines = useLines(address);
  const { data, error, refetch, isPlaceholderData } = useHistogram(address);
  const [folded, setFolded] = useState(isFolded);
  const [table, setTable] = useState(false);
  const move = (by: -1 | 1) => data && shift(address, data, by === 1 ? 1n : -1n);
  useKeys([
    { key: "Backspace", label: "Undo the zoom", group: "Search", run: () => undo(address) },
    { key: "[", label: "Half a window earlier", group: "Search", run: () => move(-1) },
    { key: "]", label: "Half a window later", group: "Search", run: () => move(1) },
  ]);
  const fold = () => {
    rememberFolded(!folded);
    setFolded(!folded);
  };
  return (
    <section className="histogram" aria-label="Lines over time">
      <div className="histogram-head">
        <button
          type="button"
          className="quiet histogram-small"
          aria-expanded={!folded}
          aria-label="Bars"
          title={folded ? "Show the bars" : "Fold the bars"}
          onClick={fold}
        >
          {folded ? "▸" : "▾"}
        </button>
        {data && <Legend address={address} counted={data} />}
        <span className="histogram-space" />
        {data && <Said address={address} counted={data} asOf={lines.data?.as_of_time} />}
        <Move by={-1} disabled={!data} onMove={move} />
        <Move by={1} disabled={!data} onMove={move} />
        <button
          type="button"
          className="quiet histogram-small"
          disabled={!data}
          onClick={() => setTable(true)}
        >
          Table
        </button>
      </div>
      {!folded && error && <ProblemNote problem={error} onRetry={() => void refetch()} />}
      {!folded && !error && (
        <div className={isPlaceholderData ? "histogram-place stale" : "histogram-place"}>
          {data ? <Bars counted={data} address={address} /> : <Nothing failed={lines.isError} />}
        </div>
      )}
      {table && data && (
        <Dialog title="Lines over time" onClose={() => setTable(false)}>
          <Table counted={data} address={address} onClose={() => setTable(false)} />
        </Dialog>
      )}
    </section>
  );
}

function Nothing({ failed }: { failed: boolean }) {
  if (!failed) return <div className="skeleton histogram-skeleton" />;
  return <p className="meta histogram-nothing">Nothing is counted while the search fails.</p>;
}

interface MoveProps {
  by: -1 | 1;
  disabled: boolean;
  onMove: (by: -1 | 1) => void;
}

function Move({ by, disabled, onMove }: MoveProps) {
  const name = by === -1 ? "Half a window earlier" : "Half a window later";
  return (
    <button
      type="button"
      className="quiet histogram-small"
      aria-label={name}
      title={`${name} (${by === -1 ? "[" : "]"})`}
      disabled={disabled}
      onClick={() => onMove(by)}
    >
      {by === -1 ? "◂" : "▸"}
    </button>
  );
}

/** What the counts do not hold: older lines when the time ran out, newer ones when the list goes on by itself. */
function Said({ address, counted, asOf }: { address: Address; counted: Counted; asOf: string | undefined }) {
  const { tz } = address;
  if (counted.partial) {
    const from = counted.covered?.start;
    const since = from
      ? `only lines since ${formatTime(from, tz).replace(/\.000$/, "")} are counted`
      : "not all lines are counted";
    return <span className="histogram-partial meta">The time ran out: {since}</span>;
  }
  if (address.live && asOf)
    return <span className="meta histogram-asof">counted up to {formatClock(asOf, tz)}, before Live</span>;
  return null;
}
