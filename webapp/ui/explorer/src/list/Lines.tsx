/** The lines that were found. */
import { useLines } from "../data/results";
import type { Address } from "../state/address";

export function Lines({ address }: { address: Address }) {
  const found = useLines(address);
  const lines = found.data?.pages.flatMap((page) => page.logs) ?? [];
  return (
    <main className={found.isPlaceholderData ? "stale" : ""}>
      {lines.map((line) => (
        <div key={line.id} className="mono">
          {line.time} {line.message}
        </div>
      ))}
    </main>
  );
}
