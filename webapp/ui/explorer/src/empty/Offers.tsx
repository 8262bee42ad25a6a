/** While the demo lines are there: the three questions that find what happened in them. */
import { useState } from "react";
import { useStatus } from "../data/results";
import { type Address, go } from "../state/address";

export function Offers({ address }: { address: Address }) {
  const offers = useStatus().data?.demo ?? [];
  const [closed, setClosed] = useState(false);
  if (closed || offers.length === 0 || address.q !== "" || address.live || address.context) return null;
  return (
    <div className="offers">
      <span className="meta">The demo lines tell a story. Find it:</span>
      {offers.map(({ title, q, start, end }) => (
        <button type="button" key={title} title={q} onClick={() => go({ q, start, end, as_of: "" })}>
          {title}
        </button>
      ))}
      <button type="button" className="quiet" aria-label="Close" onClick={() => setClosed(true)}>
        ✕
      </button>
    </div>
  );
}
