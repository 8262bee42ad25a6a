/** The names above the columns. Time turns the order of the whole set round. */
import { visible } from "../line/visible";
import { type Address, go } from "../state/address";

export function Head({
  columns,
  address,
  dated,
}: {
  columns: readonly string[];
  address: Address;
  dated: boolean;
}) {
  const newest = address.order === "desc";
  return (
    <div role="row" className="row row-head meta" aria-rowindex={1}>
      <span role="columnheader" className="row-time" aria-sort={newest ? "descending" : "ascending"}>
        <button
          type="button"
          className="value"
          title={newest ? "Newest first" : "Oldest first"}
          onClick={() => go({ order: newest ? "asc" : "desc" })}
        >
          {dated ? "Date and time" : "Time"} {newest ? "↓" : "↑"}
        </button>
      </span>
      <span role="columnheader" className="row-level">
        <span className="hidden">Severity</span>
      </span>
      {columns.map((field) => (
        <span role="columnheader" className="row-cell" key={field} title={visible(field)}>
          {visible(field)}
        </span>
      ))}
      <span role="columnheader" className="row-message">
        Message
      </span>
    </div>
  );
}
