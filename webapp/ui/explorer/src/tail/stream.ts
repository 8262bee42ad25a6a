/**
 * The tail as a stream of events: lines in order of arrival, each with the place to resume from.
 *
 * It begins where a search ended (its as_of), so between list and tail nothing is missing and nothing comes twice.
 * The browser comes back by itself after a break and says how far it had come; what the server refuses ends it.
 */
import { addressOf, type Params } from "../api/client";
import type { Line } from "../api/types";

export interface Heard {
  line: (line: Line) => void;
  status: (rate: number, lagMs: number) => void;
  gap: (from: string, to: string, lines: number) => void;
  state: (state: "open" | "again" | "ended", reason?: string) => void;
}

export function follow(params: Params, heard: Heard): () => void {
  const source = new EventSource(addressOf("logs/tail", params));
  const data = (event: Event) => JSON.parse((event as MessageEvent<string>).data);
  source.addEventListener("open", () => heard.state("open"));
  source.addEventListener("line", (event) => heard.line(data(event)));
  source.addEventListener("status", (event) => {
    const { rate, lag_ms } = data(event);
    heard.status(rate, lag_ms);
  });
  source.addEventListener("gap", (event) => {
    const { from, to, lines } = data(event);
    heard.gap(from, to, lines);
  });
  // The server's own event of this name carries a reason; the browser's, when the connection broke, carries none.
  source.addEventListener("error", (event) => {
    const reason = event instanceof MessageEvent ? data(event).detail : undefined;
    heard.state(source.readyState === EventSource.CLOSED ? "ended" : "again", reason);
  });
  return () => source.close();
}
