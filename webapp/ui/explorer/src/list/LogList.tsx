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
  const { first } = pages;
  const page = first.data;
  const place = useRef<HTMLDivElement>(null);
  const scroll = useRef<Scroll | null>(null);
  const [current, setCurrent] = useState(-1);
  const walk = useWalk({ pages, current, setCurrent, scroll, address });
  useKeys(covered ? [] : walk);
  const whole = useTotal(address, page?.total ?? null, page?.total_relation ?? null);
  useBeginning(pages, address.line, place, setCurrent);
  const linked = useLinked(pages, address.line);
  const sight = useCallback((from: number, to: number) => pages.look(from, to), [pages.look]);

  const again = () => void first.refetch();
  const halted = first.fetchStatus === "idle" && !first.error && (!page || first.isPlaceholderData);
  if (first.error && !page) return <ProblemNote problem={first.error} onRetry={again} />;
  if (!page) return halted ? <Stopped older={false} onAgain={again} /> : <Skeleton />;
  const lines = page.logs;
  const old = first.isPlaceholderData && !first.error && !halted;
  const empty = pages.count === 0 && !pages.more && !first.isPlaceholderData;
  return (
    <div className={old ? "loglist stale" : "loglist"} aria-busy={old}>
      <Toolbar address={address} asOf={first.isPlaceholderData ? "" : page.as_of} total={whole} />
      {first.error && <ProblemNote problem={first.error} onRetry={again} />}
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

/** Another set of lines begins at its beginning, or at the line that its link is about. */
function useBeginning(
  pages: Pages,
  line: string,
  place: RefObject<HTMLDivElement | null>,
  setCurrent: (index: number) => void,
): void {
  const page = pages.first.data;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the page stands for the set
  useEffect(() => {
    place.current?.scrollTo({ top: 0 });
    setCurrent(line ? pages.find(line) : -1);
  }, [page]);
}

/** Whether the open line is one that a link brought: it was never seen among the lines of this set. */
function useLinked(pages: Pages, line: string): boolean {
  const seen = useRef({ set: pages.first.data, line: "" });
  const set = pages.first.data;
  if (seen.current.set !== set || (line && line !== seen.current.line && pages.find(line) !== -1))
    seen.current = { set, line: line && pages.find(line) !== -1 ? line : "" };
  return line !== "" && seen.current.line !== line;
}

/** The number of lines where it is known exactly. */
function useTotal(address: Address, total: number | null, relation: string | null): number | null {
  const counted = useHistogram(address);
  if (relation === "eq") return total;
  if (!counted.data || counted.isPlaceholderData || counted.data.partial) return null;
  return counted.data.total;
}
