/** What went wrong in one panel, in the server's words, and what can be done about it. */
import { Problem } from "../api/client";

interface Props {
  problem: unknown;
  onRetry?: () => void;
}

export function ProblemNote({ problem, onRetry }: Props) {
  const known = problem instanceof Problem;
  const first = known ? problem.errors[0] : undefined;
  return (
    <div className="problem-note" role="alert">
      <p>{first?.message ?? (known ? problem.detail : "This could not be shown.")}</p>
      {first?.hint && <p className="meta">{first.hint}</p>}
      {onRetry && (!known || problem.transient) && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
