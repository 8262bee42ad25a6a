/** The line that a link is about, when it stands on no page that is loaded: asked for by its id. */
import { useQuery } from "@tanstack/react-query";
import { get, Problem } from "../api/client";
import type { Line } from "../api/types";
import { ProblemNote } from "../frame/ProblemNote";
import { type Address, go } from "../state/address";
import { LineDetail } from "./LineDetail";

export function LinkedLine({ address }: { address: Address }) {
  const line = useQuery({
    queryKey: ["line", address.line],
    queryFn: ({ signal }) => get<Line>(`logs/${encodeURIComponent(address.line)}`, {}, signal),
  });
  if (line.error instanceof Problem && line.error.status === 404) return <Gone />;
  if (line.error) return <ProblemNote problem={line.error} onRetry={() => void line.refetch()} />;
  if (!line.data) return null;
  return (
    <div className="linked">
      <p className="linked-head meta">The line of this link</p>
      <LineDetail line={line.data} address={address} />
    </div>
  );
}

function Gone() {
  return (
    <div className="loglist-partial" role="status">
      <p>The line of this link is not here: it was kept as long as lines are kept, or is not yours to see.</p>
      <button type="button" onClick={() => go({ line: "" })}>
        Close
      </button>
    </div>
  );
}
