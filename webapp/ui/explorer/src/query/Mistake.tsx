/** One sentence on what is wrong with the query, or may be meant otherwise, and a button that applies the cure. */
import type { Parsed } from "../api/types";

interface Props {
  id: string;
  mistakes: Parsed;
  onFix: (q: string) => void;
}

export function Mistake({ id, mistakes, onFix }: Props) {
  const said = mistakes.errors[0] ?? mistakes.warnings[0];
  const kind = mistakes.errors.length > 0 ? "query-mistake query-mistake-error" : "query-mistake";
  return (
    <div id={id} className={said ? kind : "hidden"} role="status">
      {said && (
        <p>
          {said.message} {said.hint && <span className="meta">{said.hint}</span>}
        </p>
      )}
      {said?.fix && (
        <button type="button" onClick={() => onFix(said.fix ?? "")}>
          Search <span className="mono">{said.fix}</span>
        </button>
      )}
    </div>
  );
}
