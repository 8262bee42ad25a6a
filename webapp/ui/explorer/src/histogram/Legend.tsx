/** What the colours are, with totals: a click keeps only that value, Alt+click leaves it out. */
import type { MouseEvent } from "react";
import type { Histogram, Series } from "../api/types";
import { edited, missing, present } from "../query/edit";
import { type Address, go } from "../state/address";
import { nameOf } from "./Bars";
import { classOf, stacked } from "./chart";

const LETTERS: { [severity: string]: string } = {
  trace: "T",
  debug: "D",
  info: "I",
  warn: "W",
  error: "E",
  fatal: "F",
};

export function Legend({ address, counted }: { address: Address; counted: Histogram }) {
  const { by, q } = address;
  const chosen = (series: Series) => (event: MouseEvent) => {
    const out = event.altKey;
    if (series.kind === "missing") go({ q: out ? present(q, by) : missing(q, by) });
    else go({ q: edited(q, by, series.value, out ? "exclude" : "filter") });
  };
  return (
    <ul className="legend">
      {stacked(counted.series, by).map((series, index) => (
        <li key={series.kind + series.value}>
          <button
            type="button"
            className="legend-entry"
            disabled={series.kind === "other"}
            title="Only these; Alt+click: without these"
            onClick={chosen(series)}
          >
            <span className={`swatch ${classOf(series, index, by)}`} aria-hidden="true" />
            {by === "severity" && series.kind === "value" && <b>{LETTERS[series.value]}</b>}{" "}
            {nameOf(series.kind, series.value)}{" "}
            <span className="meta">{series.total.toLocaleString("en")}</span>
          </button>
        </li>
      ))}
      {by !== "severity" && (
        <li>
          <button type="button" className="legend-entry" onClick={() => go({ by: "severity" })}>
            by {by} ✕
          </button>
        </li>
      )}
    </ul>
  );
}
