/** The numbers that agree: how many lines, complete as of when, and what still waits. */
import { useHistogram, useStatus } from "../data/results";
import { useAddress } from "../state/address";

export function IntegrityStrip() {
  const address = useAddress();
  const counted = useHistogram(address).data;
  const status = useStatus().data;
  return (
    <p className="strip meta" aria-live="polite">
      {counted ? `${counted.total.toLocaleString("en")} lines` : "counting"}
      {status ? ` · ${status.queued?.rows ?? "?"} queued · ${status.spilled?.rows ?? "?"} spilled` : ""}
    </p>
  );
}
