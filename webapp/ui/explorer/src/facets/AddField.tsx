/** The fields there are in the range, to open one more of them beside the lines. */
import { useState } from "react";
import { useFields } from "../data/results";
import { Dialog } from "../frame/Dialog";
import { ProblemNote } from "../frame/ProblemNote";
import { type Address, go } from "../state/address";

export function AddField({ address, onClose }: { address: Address; onClose: () => void }) {
  const [contains, setContains] = useState("");
  const { data, error, refetch } = useFields(address, contains);
  const closed = data?.fields.filter((field) => !address.facets.includes(field.name)) ?? [];
  const open = (name: string) => {
    go({ facets: [...address.facets, name] });
    onClose();
  };
  return (
    <Dialog title="Add a field" onClose={onClose}>
      <input
        className="add-field-search"
        type="search"
        placeholder="name contains"
        aria-label="Fields whose name contains"
        value={contains}
        onChange={(event) => setContains(event.target.value)}
      />
      {error && <ProblemNote problem={error} onRetry={() => void refetch()} />}
      <ul className="add-field-list">
        {closed.map((field) => (
          <li key={field.name}>
            <button type="button" className="quiet" onClick={() => open(field.name)}>
              <span className="mono">{field.name}</span>
              <span className="meta">
                {field.types.join(", ")} · {field.count.toLocaleString("en")} lines
              </span>
            </button>
          </li>
        ))}
      </ul>
      {data && closed.length === 0 && <p className="meta">No other field in this range.</p>}
    </Dialog>
  );
}
