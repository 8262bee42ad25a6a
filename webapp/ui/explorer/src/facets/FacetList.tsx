/**
 * The values of fields, counted over exactly the lines of the search.
 *
 * The open fields are one question, which the server answers in one scan; a field in which more is looked for
 * asks for itself. A field's own clauses do not narrow its list: what else could be picked stays in sight.
 */
import { useState } from "react";
import { useFacets, useStop } from "../data/results";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { AddField } from "./AddField";
import { Facet, FEW } from "./Facet";
import "./facets.css";

export function Facets({ address }: { address: Address }) {
  const stop = useStop();
  useKeys([{ key: "Escape", label: "Stop searching", group: "Search", run: stop }]);
  const [adding, setAdding] = useState(false);
  const shared = useFacets(address, address.facets, { limit: FEW, wanted: address.facets.length > 0 });
  const close = (field: string) => go({ facets: address.facets.filter((name) => name !== field) });
  return (
    <div className="facets">
      {address.facets.map((field) => (
        <Facet key={field} address={address} field={field} shared={shared} onClose={() => close(field)} />
      ))}
      <button type="button" className="quiet facets-add" onClick={() => setAdding(true)}>
        + Add a field
      </button>
      {adding && <AddField address={address} onClose={() => setAdding(false)} />}
    </div>
  );
}
