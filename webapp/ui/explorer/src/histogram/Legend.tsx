/** What the colours are, with totals: a click keeps only that value, Alt+click leaves it out; both by the query. */
import type { Histogram, Series } from "../api/types";
import { LETTERS } from "../line/letters";
import { among, clause, edited, findable, missing, others, present, saysOnly, without } from "../query/edit";
import { type Address, go } from "../state/address";
import { classOf, nameOf, stacked } from "./chart";

export function Legend({ address, counted }: { address: Address; counted: Histogram }) {
  const { by, q } = address;
  return (
    <ul className="legend" aria-label="Colours">
      <li className="legend-total">
        <b>
          {counted.total.toLocaleString("en")}
          {counted.partial && "+"}
        </b>{" "}
        {counted.total === 1 ? "line" : "lines"}
        {by !== "severity" && (
          <button
            type="button"
            className="legend-entry"
            title="By severity again"
            onClick={() => go({ by: "severity" })}
          >
            by {by} ✕
          </button>
        )}
      </li>
      {stacked(counted.series, by).map((series, index) => (
        <li key={series.kind + series.value}>
          <button
            type="button"
            className="legend-entry"
            disabled={series.kind === "value" && !findable(by, series.value)}
            aria-pressed={isAlone(q, by, series)}
            title="Only these lines; Alt+click: without them"
            onClick={(event) => go({ q: chosen(q, by, series, counted.series, event.altKey) })}
          >
            <span className={`swatch ${classOf(series, index, by)}`} aria-hidden="true" />
            {by === "severity" && series.kind === "value" && <b>{LETTERS[series.value]}</b>}{" "}
            <span className="legend-name">{nameOf(series)}</span>{" "}
            <span className="meta">{series.total.toLocaleString("en")}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function isAlone(q: string, by: string, series: Series): boolean {
  return series.kind === "value" && saysOnly(q, by, clause(by, series.value));
}

/** Only these lines; the same again brings the others back. `out`: without them. */
function chosen(q: string, by: string, series: Series, all: readonly Series[], out: boolean): string {
  const values = all.filter(({ kind }) => kind === "value").map(({ value }) => value);
  if (series.kind === "other")
    return out
      ? among(
          q,
          by,
          values,
          all.some(({ kind }) => kind === "missing"),
        )
      : others(q, by, values);
  if (series.kind === "missing") return out ? present(q, by) : missing(q, by);
  if (out) return edited(q, by, series.value, "exclude");
  return isAlone(q, by, series) ? without(q, by) : edited(q, by, series.value, "only");
}
