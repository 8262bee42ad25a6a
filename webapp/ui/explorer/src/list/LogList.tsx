/** The lines of a search. Older ones stay until newer ones are there; keys walk through the whole set. */
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { Problem } from "../api/client";
import { type Pages, usePages } from "../data/pages";
import { runAgain, useHistogram } from "../data/results";
import { Empty } from "../empty/Empty";
import { ProblemNote } from "../frame/ProblemNote";
import { LinkedLine } from "../line/LinkedLine";
import type { Address } from "../state/address";
import { useKeys } from "../state/keys";
import { dated } from "./dated";
import { Foot, Partial, Skeleton, Stopped } from "./edges";
import { Grid, type Scroll } from "./Grid";
import { Toolbar } from "./Toolbar";
import { useWalk } from "./walk";

export function LogList({ address, covered }: { address: Address; covered: boolean }) {
  const pages = usePages(address);
  const { first, shown: page, old } = pages;
  const place = useRef<HTMLDivElement>(null);
  const scroll = useRef<Scroll | null>(null);
  const [current, setCurrent] = useState(-1);
  const walk = useWalk({ pages, current, setCurrent, scroll, address });
  useKeys(covered ? [] : walk);
  const whole = useTotal(address, page?.total ?? null, page?.total_relation ?? null);
  const linked = useBeginning(pages, address.line, place, setCurrent);
  const sight = useCallback((from: number, to: number) => pages.look(from, to), [pages.look]);

  const again = () => void first.refetch();
  const halted = first.fetchStatus === "idle" && !first.error && (!page || old);
  const waiting = old && first.fetchStatus !== "idle";
  if (first.error && !page) return <ProblemNote problem={first.error} onRetry={again} />;
  if (!page) return halted ? <Stopped older={false} onAgain={again} /> : <Skeleton />;
  const lines = page.logs;
  const empty = pages.count === 0 && !pages.more && !old;
  return (
    <div className={waiting ? "loglist stale" : "loglist"} aria-busy={waiting}>
      <Toolbar address={address} asOf={old ? "" : page.as_of} total={whole} />
      {first.error && <ProblemNote problem={first.error} onRetry={again} />}
      {first.error && old && <p className="loglist-foot meta">These are the lines of the search before.</p>}
      {halted && <Stopped older onAgain={again} />}
      {pages.stopped !== undefined && <Partial pages={pages} address={address} />}
      {linked && <LinkedLine address={address} />}
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
          set={page}
          dated={dated(lines[0]?.time, lines.at(-1)?.time, address.tz)}
          current={current}
          place={place}
          scroll={scroll}
          onPick={setCurrent}
          onSight={sight}
          foot={<Foot pages={pages} onRetry={expired(pages.failed) ? runAgain : pages.retry} />}
        />
      )}
    </div>
  );
}

/** A cursor lives an hour: behind that only a new search goes on. */
function expired(problem: unknown): boolean {
  return problem instanceof Problem && problem.status === 410;
}

/**
 * Another set of lines begins at its beginning, or at the line that its link is about, once that is among the
 * lines. True as long as it is not: it then stands above them, asked for by its id.
 */
function useBeginning(
  pages: Pages,
  line: string,
  place: RefObject<HTMLDivElement | null>,
  setCurrent: (index: number) => void,
): boolean {
  const set = pages.shown;
  const [met, setMet] = useState({ set, line: "" });
  const known = met.set === set && met.line === line;
  const index = line && !known ? pages.find(line) : -1;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the first page stands for the set
  useEffect(() => {
    place.current?.scrollTo({ top: 0 });
    setCurrent(-1);
  }, [set]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when it is found, and then never again
  useEffect(() => {
    if (index === -1) return;
    setMet({ set, line });
    setCurrent(index);
  }, [set, line, index]);
  return line !== "" && !known && index === -1;
}

/** The number of lines where it is known exactly. */
function useTotal(address: Address, total: number | null, relation: string | null): number | null {
  const counted = useHistogram(address);
  if (relation === "eq") return total;
  if (!counted.data || counted.isPlaceholderData || counted.data.partial) return null;
  return counted.data.total;
}
