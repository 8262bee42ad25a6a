/** The lines over time. */
import { useHistogram } from "../data/results";
import type { Address } from "../state/address";

export function Histogram({ address }: { address: Address }) {
  const counted = useHistogram(address);
  return <div className={counted.isPlaceholderData ? "stale" : ""}>{counted.data?.total ?? ""}</div>;
}
