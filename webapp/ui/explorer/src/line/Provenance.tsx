/** How a line came here: when it was written, received and stored, from which source, in which batch. */
import { useQuery } from "@tanstack/react-query";
import { get } from "../api/client";
import type { Line } from "../api/types";
import { formatFull } from "../time/show";
import { lasting, skew } from "./skew";

interface Receipt {
  state: string;
  accepted: number;
  received_at: string;
  stored_at: string | null;
}

export function Provenance({ line, tz }: { line: Line; tz: string }) {
  const receipt = useQuery({
    queryKey: ["receipt", line.batch],
    queryFn: ({ signal }) => get<Receipt>(`batches/${line.batch}`, {}, signal),
    enabled: line.batch !== null,
    retry: false,
  }).data;
  const apart = skew(line);
  return (
    <p className="provenance meta">
      {apart && (
        <span className={`provenance-skew provenance-${apart.way}`} title={apart.text}>
          {apart.badge}
        </span>
      )}
      {line.received && <span>received {formatFull(line.received, tz)}</span>}
      {receipt?.stored_at && (
        <span>
          stored +{lasting(Math.max(0, Date.parse(receipt.stored_at) - Date.parse(receipt.received_at)))}
        </span>
      )}
      <span>source {line.source}</span>
      {line.batch && (
        <a href={`/api/v1/batches/${line.batch}`} target="_blank" rel="noreferrer">
          receipt of its batch{receipt && ` of ${receipt.accepted.toLocaleString("en")}`}
        </a>
      )}
    </p>
  );
}
