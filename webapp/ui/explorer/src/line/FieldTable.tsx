/** The fields of a line by name; the menu on each value filters by it or makes a column of it. */
import type { Line } from "../api/types";
import { attributeField } from "../query/edit";
import { Value } from "../values/Value";
import { fieldOf, textOf } from "./value";
import { visible } from "./visible";

const NAMED = ["time", "severity", "service", "host", "source", "trace_id", "span_id", "batch"];
const MOST = 2000; // characters of a value

export function FieldTable({ line }: { line: Line }) {
  const rows: [string, string][] = [];
  for (const name of NAMED) {
    const value = fieldOf(line, name);
    if (value !== null) rows.push([name, value]);
  }
  // A null counts as missing: there is no value to filter by.
  const nulls = Object.keys(line.attributes).filter((name) => line.attributes[name] === null);
  for (const name of Object.keys(line.attributes).sort())
    if (!nulls.includes(name)) rows.push([attributeField(name), textOf(line.attributes[name] ?? null)]);
  return (
    <table className="fields">
      <tbody>
        {rows.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{visible(name)}</th>
            <td className="mono">
              <Value field={name} value={value}>
                {visible(value.slice(0, MOST)) || "(empty)"}
              </Value>
              {value.length > MOST && (
                <span className="meta">
                  {" "}
                  +{(value.length - MOST).toLocaleString("en")} characters: see JSON
                </span>
              )}
            </td>
          </tr>
        ))}
        {nulls.length > 0 && (
          <tr>
            <th scope="row">null</th>
            <td className="mono">{nulls.map(visible).join(", ")}</td>
          </tr>
        )}
        {line.flags.length > 0 && (
          <tr>
            <th scope="row">flags</th>
            <td className="mono">{line.flags.join(", ")}</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}
