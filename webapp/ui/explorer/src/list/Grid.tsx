/**
 * A long list of lines of which only those in sight are in the document. The list of a search, the surroundings
 * of a line and the tail are all this grid.
 */
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import {
  type CSSProperties,
  type ReactNode,
  type RefObject,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
} from "react";
import type { Line } from "../api/types";
import { useNarrow } from "../frame/narrow";
import { LineDetail } from "../line/LineDetail";
import { marker } from "../query/words";
import { type Address, go } from "../state/address";
import { usePreferences } from "../state/preferences";
import { template } from "./columns";
import { Head } from "./Head";
import { type Look, Row } from "./Row";

const COMPACT = 22;
const COSY = 28;
const NARROW = 44;
const HEAD = 24;
const OVERSCAN = 20;

export interface Scroll {
  to: (index: number, where?: "auto" | "center") => void;
  sight: () => readonly [number, number]; // the first and the last row that are seen
  focus: () => void;
}

interface Props {
  label: string;
  address: Address;
  count: number;
  total: number; // -1: not known
  at: (index: number) => Line | undefined;
  sample: readonly Line[]; // lines by which columns are measured
  set: unknown; // another one: these are other lines, and no height is known of them
  byId?: boolean; // lines come in above others: rows are known by their line, and what is in sight stays there
  dated: boolean;
  current: number;
  centre?: string; // the id of the line that the others stand around
  place: RefObject<HTMLDivElement | null>; // what scrolls
  scroll: RefObject<Scroll | null>;
  onPick: (index: number) => void;
  onSight?: (from: number, to: number) => void;
  onScroll?: (top: number) => void;
  foot?: ReactNode;
}

export function Grid(props: Props) {
  const { address, count, at, sample, dated, current, place, onPick, onSight, byId = false } = props;
  const narrow = useNarrow();
  const density = usePreferences().density;
  const name = useId();
  const { columns, wrap, line: opened, tz } = address;
  const marks = useMemo(() => marker(address.q), [address.q]);
  const look: Look = useMemo(
    () => ({ tz, dated, columns, wrap, marks, name }),
    [tz, dated, columns, wrap, marks, name],
  );
  const height = narrow ? NARROW : density === "cosy" ? COSY : COMPACT;
  const head = narrow ? 0 : HEAD;
  const byLine = useCallback((index: number) => at(index)?.id ?? index, [at]);
  const rows = useVirtualizer({
    count,
    getScrollElement: () => place.current,
    estimateSize: () => height,
    overscan: OVERSCAN,
    scrollMargin: head, // the names of the columns stand above the first row,
    scrollPaddingStart: head, // and stay on top of whichever is the first in sight
    getItemKey: byId ? byLine : byIndex,
  });
  useScroll(props.scroll, rows, place, height, head);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height of all rows makes every measure wrong
  useEffect(() => rows.measure(), [height, wrap, narrow, props.set]);
  useStaying(rows, place, count, byId);
  useUnfolding(rows, place, opened, at, head);
  const toggle = useCallback(
    (line: Line, index: number) => {
      onPick(index);
      go({ line: line.id === opened ? "" : line.id });
    },
    [onPick, opened],
  );
  const items = rows.getVirtualItems();
  const [from, to] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  useEffect(() => onSight?.(from, to), [onSight, from, to]);
  const cells = useMemo(() => template(dated ? 19 : 13, columns, sample), [dated, columns, sample]);
  return (
    <div
      ref={place}
      className="grid"
      role="grid"
      aria-label={props.label}
      aria-rowcount={props.total < 0 ? -1 : props.total + 1}
      aria-activedescendant={current >= from && current <= to && count > 0 ? `${name}${current}` : undefined}
      tabIndex={0}
      style={{ "--cells": cells, "--row": `${height}px` } as CSSProperties}
      onScroll={(event) => props.onScroll?.(event.currentTarget.scrollTop)}
    >
      <Head columns={columns} address={address} dated={dated} />
      <div className="grid-lines" role="rowgroup" style={{ height: rows.getTotalSize() }}>
        {items.map((item) => {
          const line = at(item.index);
          const open = line !== undefined && line.id === opened;
          return (
            <div
              key={item.key}
              ref={rows.measureElement}
              data-index={item.index}
              className="grid-item"
              role="presentation"
              style={{ transform: `translateY(${item.start - head}px)` }}
            >
              {line ? (
                <Row
                  line={line}
                  index={item.index}
                  look={look}
                  current={item.index === current}
                  open={open}
                  centre={line.id === props.centre}
                  onOpen={toggle}
                />
              ) : (
                <div className="row row-absent" aria-hidden="true">
                  <span className="skeleton" />
                </div>
              )}
              {line && open && <Below line={line} address={address} marks={marks} />}
            </div>
          );
        })}
      </div>
      {props.foot && (
        <div role="row" tabIndex={-1}>
          <div role="gridcell" tabIndex={-1} aria-colspan={columns.length + 3}>
            {props.foot}
          </div>
        </div>
      )}
    </div>
  );
}

/** To a grid all there is is rows: what stands open below a line is one more, with one wide cell. */
function Below({ line, address, marks }: { line: Line; address: Address; marks: RegExp | null }) {
  return (
    <div role="row" tabIndex={-1}>
      <div role="gridcell" tabIndex={-1} aria-colspan={address.columns.length + 3}>
        <LineDetail line={line} address={address} marks={marks} />
      </div>
    </div>
  );
}

/** It must stay the same function: with another one all measures are made anew. */
const byIndex = (index: number) => index;

type Rows = Virtualizer<HTMLDivElement, Element>;

/** By hand: the virtualizer's own would align the foot of a line whose detail is taller than the window. */
function useScroll(
  scroll: RefObject<Scroll | null>,
  rows: Rows,
  place: RefObject<HTMLDivElement | null>,
  height: number,
  head: number,
): void {
  useEffect(() => {
    const to: Scroll["to"] = (index, where = "auto") => {
      const held = place.current;
      const start = rows.measurementsCache[index]?.start;
      if (!held || start === undefined) return;
      const least = start + height - held.clientHeight;
      if (where === "center") held.scrollTop = (least + start - head) / 2;
      else held.scrollTop = Math.min(Math.max(held.scrollTop, least), start - head);
    };
    const sight: Scroll["sight"] = () => [rows.range?.startIndex ?? 0, rows.range?.endIndex ?? 0];
    const focus = () => {
      if (!place.current?.contains(document.activeElement)) place.current?.focus({ preventScroll: true });
    };
    scroll.current = { to, sight, focus };
  });
}

/** When lines come in above, the row that was on top stays where it was on the screen. */
function useStaying(rows: Rows, place: RefObject<HTMLDivElement | null>, count: number, byId: boolean): void {
  const top = useRef<{ key: string | number | bigint; under: number } | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only where the number of lines changed
  useLayoutEffect(() => {
    const before = top.current;
    if (!byId || !before || !place.current || place.current.scrollTop === 0) return;
    for (let index = 0; index < count; index += 1) {
      const measured = rows.measurementsCache[index];
      if (measured?.key === before.key) {
        place.current.scrollTop = measured.start + before.under;
        return;
      }
    }
  }, [count]);
  useEffect(() => {
    const first = byId
      ? rows.getVirtualItems().find((item) => item.end > (rows.scrollOffset ?? 0))
      : undefined;
    top.current = first ? { key: first.key, under: (rows.scrollOffset ?? 0) - first.start } : null;
  });
}

/** What was just opened comes into sight as a whole, or as much of it from its line on as there is room for. */
function useUnfolding(
  rows: Rows,
  place: RefObject<HTMLDivElement | null>,
  opened: string,
  at: (index: number) => Line | undefined,
  head: number,
): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each line that is opened
  useEffect(() => {
    if (!opened) return;
    // By the next frame but one it is drawn and measured.
    const frame = requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        const held = place.current;
        const item = rows.getVirtualItems().find(({ index }) => at(index)?.id === opened);
        if (!held || !item || item.end <= held.scrollTop + held.clientHeight) return;
        held.scrollTop = Math.min(item.start - head, item.end - held.clientHeight);
      }),
    );
    return () => cancelAnimationFrame(frame);
  }, [opened]);
}
