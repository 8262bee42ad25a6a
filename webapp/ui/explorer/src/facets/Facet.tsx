/** One field: its commonest values as boxes to tick, what is beyond them, and how many lines have none. */
import { useState } from "react";
import type { Facet as Counted, FacetValue } from "../api/types";
import { useFacets } from "../data/results";
import { ProblemNote } from "../frame/ProblemNote";
import { visible } from "../line/visible";
import { edited, missing, toggled } from "../query/edit";
import { type Address, go } from "../state/address";
import { openMenu } from "../values/menu";

export const FEW = 8;
const MANY = 50;
const SKELETON = ["80%", "60%", "70%"];

interface Props {
  address: Address;
  field: string;
  shared: ReturnType<typeof useFacets>; // the answer for all open fields
  onClose: () => void;
}

export function Facet({ address, field, shared, onClose }: Props) {
  const [contains, setContains] = useState("");
  const [limit, setLimit] = useState(FEW);
  const more = contains !== "" || limit > FEW;
  const own = useFacets(address, [field], { contains, limit, wanted: more });
  // Until there is more to show, what is there stays.
  const { data, error, refetch, isPlaceholderData } = more && (own.data || own.error) ? own : shared;
  const counted = data?.facets.find((one) => one.field === field);
  const searchable = contains !== "" || (counted?.distinct ?? 0) > FEW;
  return (
    <section className={isPlaceholderData ? "facet stale" : "facet"} aria-label={field}>
      <header className="facet-head">
        <h3 title={visible(field)}>{visible(field)}</h3>
        {counted && <span className="meta">{distinct(counted)}</span>}
        <button type="button" className="facet-close quiet" aria-label={`Close ${field}`} onClick={onClose}>
          ✕
        </button>
      </header>
      {searchable && (
        <input
          className="facet-search"
          type="search"
          placeholder="contains"
          aria-label={`Values of ${field} that contain`}
          value={contains}
          onChange={(event) => setContains(event.target.value)}
        />
      )}
      {error && <ProblemNote problem={error} onRetry={() => void refetch()} />}
      {!counted && !error && <Skeleton />}
      {counted && <Values address={address} counted={counted} />}
      {counted && counted.other > 0 && limit < MANY && (
        <button type="button" className="quiet facet-more" onClick={() => setLimit(MANY)}>
          more: {counted.other.toLocaleString("en")} other lines
        </button>
      )}
      {counted && counted.other > 0 && limit >= MANY && (
        <p className="meta facet-other">{counted.other.toLocaleString("en")} lines have other values</p>
      )}
    </section>
  );
}

function distinct({ distinct, distinct_relation }: Counted): string {
  return `${distinct.toLocaleString("en")}${distinct_relation === "gte" ? "+" : ""}`;
}

function Values({ address, counted }: { address: Address; counted: Counted }) {
  const { field, total } = counted;
  // Without a clause of its own every value is let in, and none is ticked.
  const narrowed = counted.values.some((value) => !value.selected);
  return (
    <ul className="facet-values">
      {counted.values.map((value) => (
        <Row
          key={value.value}
          address={address}
          field={field}
          value={value}
          total={total}
          ticked={narrowed && value.selected}
        />
      ))}
      {counted.missing > 0 && (
        <li className="facet-row">
          <button
            type="button"
            className="facet-name facet-none"
            title={`Lines without ${field}`}
            onClick={() => go({ q: missing(address.q, field) })}
          >
            no {field}
          </button>
          <span className="facet-count">{counted.missing.toLocaleString("en")}</span>
        </li>
      )}
    </ul>
  );
}

interface RowProps {
  address: Address;
  field: string;
  value: FacetValue;
  total: number;
  ticked: boolean;
}

function Row({ address, field, value, total, ticked }: RowProps) {
  const share = total > 0 ? (100 * value.count) / total : 0;
  const shown = visible(value.value) || "(empty)";
  const text = `${shown}: ${value.count.toLocaleString("en")} of ${total.toLocaleString("en")} lines`;
  return (
    <li className="facet-row" title={text}>
      <span className={`facet-share facet-share-${field}`} style={{ width: `${share}%` }} />
      <label className="facet-name">
        <input
          type="checkbox"
          checked={ticked}
          onChange={({ nativeEvent }) => {
            // A box is changed by a click or by the space bar, and only the former can bear Alt.
            const out = nativeEvent instanceof MouseEvent && nativeEvent.altKey;
            const { q } = address;
            go({
              q: out ? edited(q, field, value.value, "exclude") : toggled(q, field, value.value, ticked),
            });
          }}
        />
        <span className={field === "severity" ? `facet-text level-${value.value}` : "facet-text"}>
          {shown}
        </span>
      </label>
      <span className="facet-count">{value.count.toLocaleString("en")}</span>
      <button
        type="button"
        className="facet-menu quiet"
        aria-haspopup="menu"
        aria-label={`What to do with ${shown}`}
        onClick={(event) => openMenu({ field, value: value.value, anchor: event.currentTarget })}
      >
        ⋯
      </button>
    </li>
  );
}

function Skeleton() {
  return (
    <div aria-hidden="true">
      {SKELETON.map((width) => (
        <div key={width} className="skeleton facet-skeleton" style={{ width }} />
      ))}
    </div>
  );
}
