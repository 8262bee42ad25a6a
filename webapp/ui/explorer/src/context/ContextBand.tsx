/**
 * What stood around one line, in the list's own columns and order: by its host, service or source, or among all.
 * Escape, or the way back in the browser, returns to the search where it was.
 */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { get } from "../api/client";
import type { Context, Line } from "../api/types";
import { ProblemNote } from "../frame/ProblemNote";
import { Grid, type Scroll } from "../list/Grid";
import { type Address, go, type Scope } from "../state/address";
import { useKeys } from "../state/keys";
import { formatFull } from "../time/show";
import "./context.css";

const SCOPES: readonly Scope[] = ["host", "service", "source", "all"];
const AROUND = 20;
const MORE = 200;

interface Side {
  lines: Line[];
  cursor: string | null;
}

export function ContextBand({ address }: { address: Address }) {
  const params = { scope: address.scope, before: AROUND, after: AROUND };
  const path = `logs/${address.context}/context`;
  const first = useQuery({
    queryKey: ["context", address.context, address.scope],
    queryFn: ({ signal }) => get<Context>(path, params, signal),
  });
  const back = () => go({ context: "" });
  useKeys([
    { key: "Escape", label: "Back to the search", group: "Lines", run: back },
    { key: "c", label: "Back to the search", group: "Lines", run: back },
  ]);
  return (
    <section className="context" aria-label="Around one line">
      <header className="context-head">
        <button type="button" onClick={back}>
          ← Back
        </button>
        <span className="meta">
          Around {first.data ? formatFull(first.data.line.time, address.tz) : "one line"}, among the lines of
        </span>
        <div className="context-scopes" role="group" aria-label="Among the lines of">
          {SCOPES.map((scope) => (
            <button
              key={scope}
              type="button"
              className="quiet"
              aria-pressed={scope === address.scope}
              onClick={() => go({ scope })}
            >
              {scope === "all" ? "all sources" : `its ${scope}`}
            </button>
          ))}
        </div>
      </header>
      {first.error && <ProblemNote problem={first.error} onRetry={() => void first.refetch()} />}
      {first.data && <Around key={first.data.line.id} first={first.data} path={path} address={address} />}
    </section>
  );
}

function Around({ first, path, address }: { first: Context; path: string; address: Address }) {
  const client = useQueryClient();
  const [before, setBefore] = useState<Side>({ lines: first.before, cursor: first.prev });
  const [after, setAfter] = useState<Side>({ lines: first.after, cursor: first.next });
  const [problem, setProblem] = useState<unknown>(null);
  const place = useRef<HTMLDivElement>(null);
  const scroll = useRef<Scroll | null>(null);
  const inOrder = [...before.lines, first.line, ...after.lines];
  const lines = address.order === "asc" ? inOrder : inOrder.toReversed();
  const centre = lines.indexOf(first.line);
  const at = useCallback((index: number) => lines[index], [lines]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it opens
  useEffect(() => scroll.current?.to(Math.min(centre + 6, lines.length - 1)), []);

  const more = async (side: "prev" | "next") => {
    const cursor = side === "prev" ? before.cursor : after.cursor;
    const params = {
      scope: address.scope,
      cursor: cursor ?? "",
      before: MORE,
      after: MORE,
      as_of: first.as_of,
    };
    try {
      const found = await client.fetchQuery({
        queryKey: ["context", path, cursor],
        queryFn: ({ signal }) => get<Context>(path, params, signal),
      });
      setProblem(null);
      if (side === "prev") setBefore({ lines: [...found.before, ...before.lines], cursor: found.prev });
      else setAfter({ lines: [...after.lines, ...found.after], cursor: found.next });
    } catch (error) {
      setProblem(error);
    }
  };
  const upper = address.order === "asc" ? "prev" : "next";
  const lower = upper === "prev" ? "next" : "prev";
  const cursors = { prev: before.cursor, next: after.cursor };
  return (
    <>
      <More which={upper} cursor={cursors[upper]} onMore={more} />
      {problem !== null && <ProblemNote problem={problem} />}
      <Grid
        label="Lines around one line"
        address={address}
        count={lines.length}
        total={-1}
        at={at}
        sample={lines}
        dated={false}
        current={centre}
        place={place}
        scroll={scroll}
        onPick={() => undefined}
        foot={<More which={lower} cursor={cursors[lower]} onMore={more} />}
      />
    </>
  );
}

interface MoreProps {
  which: "prev" | "next";
  cursor: string | null;
  onMore: (which: "prev" | "next") => Promise<void>;
}

function More({ which, cursor, onMore }: MoreProps) {
  const name = which === "prev" ? "earlier" : "later";
  if (cursor === null) return <p className="context-end meta">Nothing {name}.</p>;
  return (
    <button type="button" className="quiet context-more" onClick={() => void onMore(which)}>
      {MORE} {name} lines
    </button>
  );
}
