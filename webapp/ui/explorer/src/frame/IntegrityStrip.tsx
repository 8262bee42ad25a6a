/**
 * The numbers that agree: how many lines, complete as of when, and what still waits.
 *
 * The total is the histogram's, which counts all of them; until it is there, the list's own, which may stop at
 * a bound and then says so with a plus. What waits comes from the pipeline, not from the search.
 */
import { Problem } from "../api/client";
import type { Status, Waiting } from "../api/types";
import { boot } from "../boot";
import { useHistogram, useLines, useStatus } from "../data/results";
import { type Address, useAddress } from "../state/address";
import { formatClock } from "../time/show";
import { useCalm } from "./calm";

export function IntegrityStrip() {
  const address = useAddress();
  const found = useFound(address);
  const waits = useWaits();
  const announced = useCalm(found.said);
  return (
    <div className={found.stale ? "strip meta stale" : "strip meta"}>
      <b>{found.total}</b>
      {found.asOf && <span>complete as of {found.asOf}</span>}
      {waits.text && (
        <span className={waits.trouble ? "strip-trouble" : ""}>
          {boot.ledger_url ? <a href={boot.ledger_url}>{waits.text}</a> : waits.text}
        </span>
      )}
      <span className="hidden" role="status">
        {announced}
      </span>
    </div>
  );
}

function useFound(address: Address): { total: string; asOf: string; stale: boolean; said: string } {
  const lines = useLines(address);
  const counted = useHistogram(address);
  const page = lines.data;
  const stale = lines.isPlaceholderData || counted.isPlaceholderData;
  if (!page) return { total: lines.isError ? "" : "searching", asOf: "", stale, said: "" };
  const whole = counted.data && !counted.isPlaceholderData && !counted.data.partial;
  const count = whole ? counted.data.total : page.total;
  const more = !whole && page.total_relation === "gte" ? "+" : "";
  const total =
    count === null ? "" : `${count.toLocaleString("en")}${more} ${count === 1 ? "line" : "lines"}`;
  return { total, asOf: formatClock(page.as_of_time, address.tz), stale, said: stale ? "" : total };
}

function useWaits(): { text: string; trouble: boolean } {
  const { data, error } = useStatus();
  if (error) return { text: awayText(error), trouble: true };
  if (!data) return { text: "", trouble: false };
  return { text: waitsText(data) + imbalanceText(data), trouble: data.broker !== "ok" || data.imbalance > 0 };
}

/** What the ledger found, in words: nothing while it balances. */
function imbalanceText({ imbalance, unheld }: Status): string {
  if (!imbalance) return "";
  const lines = `${imbalance.toLocaleString("en")} ${imbalance === 1 ? "line" : "lines"} out of balance`;
  const batches = `${unheld.toLocaleString("en")} spilled ${unheld === 1 ? "batch" : "batches"}`;
  return unheld ? ` · ${lines}: ${batches} on no volume` : ` · ${lines}`;
}

function waitsText({ broker, queued, spilled }: Status): string {
  if (broker === "away" || !queued) return "the queue does not answer: sending waits";
  const text = `${rows(queued)} queued · ${rows(spilled)} spilled`;
  return broker === "full" ? `${text} · the queue is full: sending waits` : text;
}

function awayText(error: unknown): string {
  const queued = error instanceof Problem ? (error.more.queued as Waiting | undefined) : undefined;
  return queued
    ? `the database does not answer: ${rows(queued)} lines wait for it`
    : "Logboom does not answer";
}

function rows(waiting: Waiting | null): string {
  return waiting ? waiting.rows.toLocaleString("en") : "?";
}
