/**
 * The lines over time, zero-filled and on the calendar of the chosen zone. Dragging or clicking zooms, and
 * Backspace undoes it. It is drawn as SVG: a few hundred shapes, coloured by the style sheet in both schemes.
 */
import { useState } from "react";
import { useHistogram } from "../data/results";
import { Dialog } from "../frame/Dialog";
import { ProblemNote } from "../frame/ProblemNote";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { Bars } from "./Bars";
import { Legend } from "./Legend";
import { Table } from "./Table";
import "./histogram.css";

let zooms = 0; // steps back that Backspace may take: no further than where zooming began

export function zoom(start: string, end: string): void {
  zooms += 1;
  go({ start, end, as_of: "" });
}

export function Histogram({ address }: { address: Address }) {
  const { data, error, refetch, isPlaceholderData } = useHistogram(address);
  const [open, setOpen] = useState(true);
  const [table, setTable] = useState(false);
  const shift = (by: -1 | 1) => {
    if (!data) return;
    const [start, end] = [Date.parse(data.start), Date.parse(data.end)];
    const half = ((end - start) / 2) * by;
    go({ start: new Date(start + half).toISOString(), end: new Date(end + half).toISOString(), as_of: "" });
  };
  useKeys([
    { key: "Backspace", label: "Undo the zoom", group: "Search", run: undo },
    { key: "[", label: "Half a window earlier", group: "Search", run: () => shift(-1) },
    { key: "]", label: "Half a window later", group: "Search", run: () => shift(1) },
  ]);
  return (
    <section className="histogram" aria-label="Lines over time">
      <div className="histogram-head">
        <button
          type="button"
          className="quiet histogram-fold"
          aria-expanded={open}
          aria-label={open ? "Fold the histogram" : "Show the histogram"}
          onClick={() => setOpen(!open)}
        >
          {open ? "▾" : "▸"}
        </button>
        {data && <Legend address={address} counted={data} />}
        {data?.partial && <span className="histogram-partial meta">partial: the time ran out</span>}
        <button
          type="button"
          className="quiet histogram-table"
          disabled={!data}
          onClick={() => setTable(true)}
        >
          Table
        </button>
      </div>
      {open && error && <ProblemNote problem={error} onRetry={() => void refetch()} />}
      {open && !error && (
        <div className={isPlaceholderData ? "histogram-place stale" : "histogram-place"}>
          {data ? <Bars counted={data} address={address} /> : <div className="skeleton histogram-skeleton" />}
        </div>
      )}
      {table && data && (
        <Dialog title="Lines over time" onClose={() => setTable(false)}>
          <Table counted={data} by={address.by} tz={address.tz} />
        </Dialog>
      )}
    </section>
  );
}

function undo(): void {
  if (zooms === 0) return;
  zooms -= 1;
  window.history.back();
}
