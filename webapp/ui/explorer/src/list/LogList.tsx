/** The lines of a search. Older ones stay until newer ones are there; keys walk through the whole set. */
import { useCallback, useEffect, useRef, useState } from "react";
import { usePages } from "../data/pages";
import { useHistogram } from "../data/results";
import { Empty } from "../empty/Empty";
import { ProblemNote } from "../frame/ProblemNote";
import { LinkedLine } from "../line/LinkedLine";
import type { Address } from "../state/address";
import { useKeys } from "../state/keys";
import { formatFull, spansDays } from "../time/show";
import { Grid, type Scroll } from "./Grid";
import { Toolbar } from "./Toolbar";
import { useWalk } from "./walk";

export function LogList({ address, covered }: { address: Address; covered: boolean }) {
  const pages = usePages(address);
  const { first } = pages;
  const page = first.data;
  const place = useRef<HTMLDivElement>(null);
  const scroll = useRef<Scroll | null>(null);
  const [current, setCurrent] = useState(-1);
  const walk = useWalk({ pages, current, setCurrent, scroll, address });
  useKeys(covered ? [] : walk);
  const whole = useTotal(address, page?.total ?? null, page?.total_relation ?? null);
  // Another set of lines begins at its beginning.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the page stands for the set
  useEffect(() => {
    place.current?.scrollTo({ top: 0 });
    setCurrent(-1);
  }, [page]);
  const sight = useCallback((from: number, to: number) => pages.look(from, to), [pages.look]);

  if (first.error && !page) return <ProblemNote problem={first.error} onRetry={() => void first.refetch()} />;
  if (!page) return <Skeleton />;
  const lines = page.logs;
  const empty = lines.length === 0 && !page.next && !first.isPlaceholderData;
  return (
    <div className={first.isPlaceholderData && !first.error ? "loglist stale" : "loglist"}>
      <Toolbar address={address} asOf={page.as_of} total={whole} />
      {first.error && <ProblemNote problem={first.error} onRetry={() => void first.refetch()} />}
      {page.partial && <Partial covered={page.covered} tz={address.tz} onMore={() => void pages.further()} />}
      {address.line && !lines.some((line) => line.id === address.line) && (
        <LinkedLine address={address} held={(id) => holds(pages, id)} />
      )}
      {empty ? (
        <Empty address={address} />
      ) : (
        <Grid
          label="Log lines"
          address={address}
          count={pages.count}
          total={whole ?? -1}
          at={pages.at}
          sample={lines}
          dated={dated(lines[0]?.time, lines.at(-1)?.time, address)}
          current={current}
          place={place}
          scroll={scroll}
          onPick={setCurrent}
          onSight={sight}
          foot={<Foot more={pages.more} failed={pages.failed} onRetry={pages.retry} />}
        />
      )}
    </div>
  );
}

/** The number of lines where it is known exactly. */
function useTotal(address: Address, total: number | null, relation: string | null): number | null {
  const counted = useHistogram(address);
  if (relation === "eq") return total;
  if (!counted.data || counted.isPlaceholderData || counted.data.partial) return null;
  return counted.data.total;
}

function holds(pages: ReturnType<typeof usePages>, id: string): boolean {
  for (let index = 0; index < pages.count; index += 1) if (pages.at(index)?.id === id) return true;
  return false;
}

function dated(one: string | undefined, other: string | undefined, { tz }: Address): boolean {
  if (!one || !other) return false;
  const now = new Date().toISOString();
  return spansDays(one, other, tz) || spansDays(one, now, tz);
}

function Partial(props: {
  covered: { start: string | null; end: string | null } | null;
  tz: string;
  onMore: () => void;
}) {
  const { covered, tz, onMore } = props;
  const start = covered?.start ? formatFull(covered.start, tz) : "the beginning";
  const end = covered?.end ? formatFull(covered.end, tz) : "now";
  return (
    <div className="loglist-partial" role="status">
      <p>
        The time ran out: looked through {start} to {end}. Older lines may match too.
      </p>
      <button type="button" onClick={onMore}>
        Go on
      </button>
    </div>
  );
}

function Foot({ more, failed, onRetry }: { more: boolean; failed: unknown; onRetry: () => void }) {
  if (failed) return <ProblemNote problem={failed} onRetry={onRetry} />;
  return <p className="loglist-foot meta">{more ? "more lines are coming…" : "That is all of them."}</p>;
}

const WIDTHS = ["62%", "48%", "71%", "55%", "66%", "40%", "58%", "74%", "45%", "63%", "52%", "69%"];

function Skeleton() {
  return (
    <div className="loglist-skeleton" aria-hidden="true">
      {WIDTHS.map((width) => (
        <div key={width} className="skeleton" style={{ width }} />
      ))}
    </div>
  );
}
