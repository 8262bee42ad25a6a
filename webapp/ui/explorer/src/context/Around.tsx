/** The line, and as many before and after it as were asked for; both sides go on under the as_of of the first answer. */
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { get } from "../api/client";
import type { Context, Line } from "../api/types";
import { ProblemNote } from "../frame/ProblemNote";
import { dated } from "../list/dated";
import { Grid, type Scroll } from "../list/Grid";
import { useSteps } from "../list/walk";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";

const MORE = 200;
const MOST = 20_000; // lines of one side

type Way = "prev" | "next";

interface Side {
  lines: Line[];
  cursor: string | null;
}

interface Props {
  first: Context;
  path: string;
  address: Address;
}

export function Around({ first, path, address }: Props) {
  const { sides, problem, busy, more } = useSides(first, path, address);
  const place = useRef<HTMLDivElement>(null);
  const scroll = useRef<Scroll | null>(null);
  const lines = useMemo(() => {
    const inOrder = [...sides.prev.lines, first.line, ...sides.next.lines];
    return address.order === "asc" ? inOrder : inOrder.toReversed();
  }, [sides, first, address.order]);
  // Known by its line, as lines may come in above it.
  const [picked, setPicked] = useState(first.line.id);
  const current = lines.findIndex((line) => line.id === picked);
  const at = useCallback((index: number) => lines[index], [lines]);
  const setCurrent = (index: number) => setPicked(lines[index]?.id ?? "");
  const steps = useSteps({ count: lines.length, at, current, setCurrent, scroll, address });
  useKeys([
    ...steps,
    {
      key: "c",
      label: "Around this line",
      group: "Lines",
      run: () => go({ context: picked === first.line.id ? "" : picked }),
    },
  ]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it opens
  useEffect(() => {
    const centred = () => scroll.current?.to(lines.indexOf(first.line), "center");
    centred();
    scroll.current?.focus();
    // And again, when a detail that stands open above it is measured.
    const frame = requestAnimationFrame(() => requestAnimationFrame(centred));
    return () => cancelAnimationFrame(frame);
  }, []);
  const upper: Way = address.order === "asc" ? "prev" : "next";
  const lower: Way = upper === "prev" ? "next" : "prev";
  const edge = (way: Way) => <More way={way} side={sides[way]} busy={busy} onMore={more} />;
  return (
    <>
      {first.partial && <p className="context-end meta">Not all of it: the time ran out.</p>}
      {edge(upper)}
      {problem !== null && <ProblemNote problem={problem} />}
      <Grid
        label="Lines around one line"
        address={address}
        count={lines.length}
        total={-1}
        at={at}
        sample={first.before.length > first.after.length ? first.before : first.after}
        set={first}
        byId
        dated={dated(lines[0]?.time, lines.at(-1)?.time, address.tz)}
        current={current}
        centre={first.line.id}
        place={place}
        scroll={scroll}
        onPick={setCurrent}
        foot={edge(lower)}
      />
    </>
  );
}

function useSides(first: Context, path: string, address: Address) {
  const client = useQueryClient();
  const [sides, setSides] = useState<{ [way in Way]: Side }>({
    prev: { lines: first.before, cursor: first.prev },
    next: { lines: first.after, cursor: first.next },
  });
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const more = async (way: Way) => {
    const { cursor } = sides[way];
    const params = {
      scope: address.scope,
      cursor: cursor ?? "",
      before: MORE,
      after: MORE,
      as_of: first.as_of,
    };
    setBusy(true);
    try {
      const found = await client.fetchQuery({
        queryKey: ["context", path, cursor],
        queryFn: ({ signal }) => get<Context>(path, params, signal),
      });
      setProblem(null);
      setSides((before) => ({ ...before, [way]: longer(before[way], way, found) }));
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return { sides, problem, busy, more };
}

function longer(side: Side, way: Way, found: Context): Side {
  return way === "prev"
    ? { lines: [...found.before, ...side.lines], cursor: found.prev }
    : { lines: [...side.lines, ...found.after], cursor: found.next };
}

interface MoreProps {
  way: Way;
  side: Side;
  busy: boolean;
  onMore: (way: Way) => Promise<void>;
}

function More({ way, side, busy, onMore }: MoreProps) {
  const name = way === "prev" ? "earlier" : "later";
  if (side.cursor === null) return <p className="context-end meta">Nothing {name}.</p>;
  if (side.lines.length >= MOST)
    return (
      <p className="context-end meta">{MOST.toLocaleString("en")} lines on this side: search for more.</p>
    );
  return (
    <button type="button" className="quiet context-more" disabled={busy} onClick={() => void onMore(way)}>
      {busy ? "…" : `${MORE} ${name} lines`}
    </button>
  );
}
