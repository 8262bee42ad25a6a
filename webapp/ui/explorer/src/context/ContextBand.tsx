/**
 * What stood around one line, in the list's own columns and order: by its host, service or source, or among all.
 * Escape returns to the search where it was. While another scope is asked for, the lines of the last one stay.
 */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { get, Problem } from "../api/client";
import type { Context } from "../api/types";
import { ProblemNote } from "../frame/ProblemNote";
import { visible } from "../line/visible";
import { Skeleton } from "../list/edges";
import { type Address, go, type Scope } from "../state/address";
import { useKeys } from "../state/keys";
import { formatFull } from "../time/show";
import { Around } from "./Around";
import "./context.css";

const SCOPES: readonly Scope[] = ["host", "service", "source", "all"];
const AROUND = 20;

export function ContextBand({ address }: { address: Address }) {
  const path = `logs/${encodeURIComponent(address.context)}/context`;
  const first = useQuery({
    queryKey: ["context", address.context, address.scope],
    queryFn: ({ signal }) =>
      get<Context>(path, { scope: address.scope, before: AROUND, after: AROUND }, signal),
    placeholderData: keepPreviousData,
  });
  const back = () => go({ context: "" });
  useKeys([{ key: "Escape", label: "Back to the search", group: "Lines", run: back }]);
  const shown = first.data;
  const old = first.isPlaceholderData && !first.error;
  return (
    <section className={old ? "context stale" : "context"} aria-label="Around one line" aria-busy={old}>
      <header className="context-head">
        <button type="button" onClick={back}>
          ← Back
        </button>
        <span className="meta">
          Around {shown ? formatFull(shown.line.time, address.tz) : "one line"}, among the lines of
        </span>
        <Scopes scope={address.scope} line={shown?.line} />
      </header>
      {first.error && <Failed problem={first.error} onRetry={() => void first.refetch()} />}
      {!shown && !first.error && <Skeleton />}
      {shown && (
        <Around key={`${shown.line.id} ${shown.as_of}`} first={shown} path={path} address={address} />
      )}
    </section>
  );
}

function Failed({ problem, onRetry }: { problem: unknown; onRetry: () => void }) {
  const gone = problem instanceof Problem && problem.status === 404;
  return gone ? (
    <p className="context-end">This line is not here: it is kept no longer, or is not yours to see.</p>
  ) : (
    <ProblemNote problem={problem} onRetry={onRetry} />
  );
}

function Scopes({ scope, line }: { scope: Scope; line: Context["line"] | undefined }) {
  return (
    <div className="context-scopes" role="group" aria-label="Among the lines of">
      {SCOPES.map((one) => (
        <button
          key={one}
          type="button"
          className="quiet"
          aria-pressed={one === scope}
          onClick={() => go({ scope: one })}
        >
          {nameOf(one, line)}
        </button>
      ))}
    </div>
  );
}

const LONGEST = 24;

function nameOf(scope: Scope, line: Context["line"] | undefined): string {
  if (scope === "all") return "all sources";
  const value = line?.[scope];
  if (!line) return scope;
  if (!value) return `no ${scope}`;
  const text = visible(value.length > LONGEST ? `${value.slice(0, LONGEST - 1)}…` : value);
  return `${scope} ${text}`;
}
