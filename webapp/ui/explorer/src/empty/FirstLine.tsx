/**
 * Nothing was ever stored: how to send the first line, with a token that works, and the moment it arrives.
 *
 * A token is shown once and never again, so it is made when it is asked for.
 */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, send } from "../api/client";
import type { Me, Page } from "../api/types";
import { boot } from "../boot";
import { runAgain } from "../data/results";
import { copied } from "../frame/notices";
import { ProblemNote } from "../frame/ProblemNote";
import { go } from "../state/address";

const LOOK_MS = 1000;
const NO_TOKEN = "lb_ingest_…";
const WAYS = ["curl", "file", "agent"] as const;
type Way = (typeof WAYS)[number];

export function FirstLine() {
  const arrived = useArrival();
  if (arrived) return <Arrived took={arrived.took} />;
  return <Waiting />;
}

function Arrived({ took }: { took: string }) {
  const show = () => {
    go({ q: "", start: "now-15m", end: "now" });
    runAgain();
  };
  return (
    <div className="empty">
      <h2>First line stored{took && ` ${took} after we received it`}.</h2>
      <button type="button" className="primary" onClick={show}>
        Show it
      </button>
    </div>
  );
}

function Waiting() {
  const [way, setWay] = useState<Way>("curl");
  const [token, setToken] = useState(NO_TOKEN);
  const text = example(way, token);
  return (
    <div className="empty">
      <h2>Waiting for your first line</h2>
      <div className="empty-tabs" role="tablist" aria-label="Ways to send">
        {WAYS.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            className="quiet"
            aria-selected={name === way}
            onClick={() => setWay(name)}
          >
            {name}
          </button>
        ))}
      </div>
      <pre className="mono empty-example" role="tabpanel">
        {text}
      </pre>
      <div className="empty-actions">
        <MakeToken made={token !== NO_TOKEN} onMade={setToken} />
        <button type="button" onClick={() => void copied("Command", text)}>
          Copy
        </button>
      </div>
      <p className="meta" role="status">
        Looking every second…
      </p>
    </div>
  );
}

function MakeToken({ made, onMade }: { made: boolean; onMade: (token: string) => void }) {
  const me = useQuery({ queryKey: ["me"], queryFn: ({ signal }) => get<Me>("me", {}, signal) });
  const [problem, setProblem] = useState<unknown>(null);
  if (made) return <p className="meta">The token is in the text, and is shown only now: keep it.</p>;
  if (!me.data?.may_make_tokens) return <p className="meta">Ask whoever runs Logboom for a token.</p>;
  const make = async () => {
    try {
      const now = new Date().toISOString().slice(0, 19); // names are given once
      const wanted = { name: `first line, ${boot.user.username} ${now}`, source: "default", scope: "ingest" };
      onMade((await send<{ token: string }>("POST", "tokens", wanted)).token);
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <>
      <button type="button" className="primary" onClick={() => void make()}>
        Fill in a token
      </button>
      {problem !== null && <ProblemNote problem={problem} />}
    </>
  );
}

function example(way: Way, token: string): string {
  const url = boot.ingest_url;
  if (way === "curl")
    return [
      `curl ${url}/api/v1/logs -H "Authorization: Bearer ${token}" \\`,
      `  -H "Content-Type: application/json" -d '{"service":"hello","message":"my first line"}'`,
    ].join("\n");
  if (way === "file")
    return `LOGBOOM_URL=${url} LOGBOOM_TOKEN=${token} \\\n  ./logboom ship -f /var/log/*.log`;
  return [
    "# Fluent Bit, or any agent that posts JSON lines",
    "[OUTPUT]",
    "    Name             http",
    "    Match            *",
    `    Host             ${new URL(url).hostname}`,
    `    Port             ${new URL(url).port || (url.startsWith("https") ? "443" : "80")}`,
    "    URI              /api/v1/logs",
    "    Format           json_lines",
    `    Header           Authorization Bearer ${token}`,
  ].join("\n");
}

/** Looks until a line is there, and then asks its receipt how long it took. */
function useArrival(): { took: string } | null {
  const newest = useQuery({
    queryKey: ["arrival"],
    queryFn: ({ signal }) => get<Page>("logs/search", { limit: 1, count: "none" }, signal),
    refetchInterval: (query) => (query.state.data?.logs.length ? false : LOOK_MS),
  });
  const batch = newest.data?.logs[0]?.batch ?? "";
  const receipt = useQuery({
    queryKey: ["receipt", batch],
    queryFn: ({ signal }) =>
      get<{ received_at: string; stored_at: string | null }>(`batches/${batch}`, { wait: "5s" }, signal),
    enabled: batch !== "",
  });
  if (!newest.data?.logs.length || receipt.isLoading) return null;
  return { took: receipt.data ? between(receipt.data.received_at, receipt.data.stored_at) : "" };
}

function between(from: string, to: string | null): string {
  return to === null ? "" : `${Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)} s`;
}
