/** The line that a link is about, when it stands on no page that is loaded: asked for by its id. */
import { useQuery } from "@tanstack/react-query";
import { get } from "../api/client";
import type { Line } from "../api/types";
import { ProblemNote } from "../frame/ProblemNote";
import type { Address } from "../state/address";
import { LineDetail } from "./LineDetail";

export function LinkedLine({ address, held }: { address: Address; held: (id: string) => boolean }) {
  const there = held(address.line);
  const line = useQuery({
    queryKey: ["line", address.line],
    queryFn: ({ signal }) => get<Line>(`logs/${address.line}`, {}, signal),
    enabled: !there,
  });
  if (there) return null;
  if (line.error) return <ProblemNote problem={line.error} />;
  return line.data ? (
    <div className="linked">
      <LineDetail line={line.data} address={address} />
    </div>
  ) : null;
}
