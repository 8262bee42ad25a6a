/** Which fields stand as columns, in which order; kept in the address and in the profile. */
import { useState } from "react";
import { useFields } from "../data/results";
import { visible } from "../line/visible";
import { type Address, go } from "../state/address";
import { prefer } from "../state/preferences";

const MOST = 20;
const OFFERED = 12;
const SHOWN_ALWAYS = ["time", "severity", "message"];

export function Columns({ address }: { address: Address }) {
  const { columns } = address;
  const [contains, setContains] = useState("");
  const fields = useFields(address, contains).data?.fields ?? [];
  const offered = fields.map((field) => field.name).filter((name) => !columns.includes(name));
  const put = (next: string[]) => {
    go({ columns: next });
    prefer({ columns: next });
  };
  const move = (name: string, by: number) => {
    const at = columns.indexOf(name);
    const rest = columns.filter((column) => column !== name);
    put([...rest.slice(0, at + by), name, ...rest.slice(at + by)]);
  };
  return (
    <div className="columns">
      <ul>
        {columns.map((name, index) => (
          <li key={name}>
            <span className="mono columns-name">{visible(name)}</span>
            <button
              type="button"
              className="quiet"
              aria-label={`${name} to the left`}
              disabled={index === 0}
              onClick={() => move(name, -1)}
            >
              ↑
            </button>
            <button
              type="button"
              className="quiet"
              aria-label={`${name} to the right`}
              disabled={index === columns.length - 1}
              onClick={() => move(name, 1)}
            >
              ↓
            </button>
            <button
              type="button"
              className="quiet"
              aria-label={`Remove ${name}`}
              onClick={() => put(columns.filter((column) => column !== name))}
            >
              ✕
            </button>
          </li>
        ))}
      </ul>
      <input
        type="search"
        placeholder="add a field"
        aria-label="Add a field as a column"
        value={contains}
        onChange={(event) => setContains(event.target.value)}
      />
      <ul>
        {offered
          .filter((name) => !SHOWN_ALWAYS.includes(name))
          .slice(0, OFFERED)
          .map((name) => (
            <li key={name}>
              <button
                type="button"
                className="quiet columns-add"
                disabled={columns.length >= MOST}
                onClick={() => put([...columns, name])}
              >
                + <span className="mono">{visible(name)}</span>
              </button>
            </li>
          ))}
      </ul>
    </div>
  );
}
