/** One sentence on what is wrong with the query, or may be meant otherwise, and a button that applies the cure. */
import type { Parsed } from "../api/types";

export function Mistake({ mistakes, onFix }: { mistakes: Parsed; onFix: (q: string) => void }) {
  const said = mistakes.errors[0] ?? mistakes.warnings[0];
  if (!said) return null;
  const { message, hint, fix } = said;
  return (
    <div
      className={mistakes.errors.length ? "query-mistake query-mistake-error" : "query-mistake"}
      role="status"
    >
      <p>
        {message} {hint}
      </p>
      {fix && (
        <button type="button" onClick={() => onFix(fix)}>
          Search <span className="mono">{fix}</span> instead
        </button>
      )}
    </div>
  );
}
