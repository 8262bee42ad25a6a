/**
 * A long list of lines of which only those in sight are in the document. The list of a search, the surroundings
 * of a line and the tail are all this grid.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type ReactNode, type RefObject, useCallback, useEffect, useMemo } from "react";
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
const HEAD = 24; // it stays above the rows
const OVERSCAN = 20;

export interface Scroll {
  to: (index: number) => void;
}

interface Props {
  label: string;
  address: Address;
  count: number;
  total: number; // -1: not known
  at: (index: number) => Line | undefined;
  sample: readonly Line[]; // lines by which columns are measured
  dated: boolean;
  current: number;
  place: RefObject<HTMLDivElement | null>; // what scrolls
  scroll: RefObject<Scroll | null>;
  onPick: (index: number) => void;
  onSight?: (from: number, to: number) => void;
  onScroll?: (top: number) => void;
  foot?: ReactNode;
}

export function Grid(props: Props) {
  const { address, count, at, sample, dated, current, place, onPick, onSight } = props;
  const narrow = useNarrow();
  const density = usePreferences().density;
  const { columns, wrap, line: opened } = address;
  const marks = useMemo(() => marker(address.q), [address.q]);
  const look: Look = useMemo(
    () => ({ tz: address.tz, dated, columns, wrap, marks }),
    [address.tz, dated, columns, wrap, marks],
  );
  const height = narrow ? NARROW : density === "cosy" ? COSY : COMPACT;
  const rows = useVirtualizer({
    count,
    getScrollElement: () => place.current,
    estimateSize: () => height,
    overscan: OVERSCAN,
    scrollPaddingStart: HEAD,
    getItemKey: (index) => at(index)?.id ?? index,
  });
  useEffect(() => {
    props.scroll.current = { to: (index) => rows.scrollToIndex(index, { align: "auto" }) };
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height of all rows makes every measure wrong
  useEffect(() => rows.measure(), [height, wrap, narrow]);
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
  const cells = template(dated ? 19 : 13, columns, sample);
  return (
    <div
      ref={place}
      className="grid"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
      tabIndex={0}
      style={{ "--cells": cells, "--row": `${height}px` } as CSSProperties}
      onScroll={(event) => props.onScroll?.(event.currentTarget.scrollTop)}
    >
      <div role="grid" aria-label={props.label} aria-rowcount={props.total < 0 ? -1 : props.total + 1}>
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
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {line ? (
                  <Row
                    line={line}
                    index={item.index}
                    look={look}
                    current={item.index === current}
                    open={open}
                    onOpen={toggle}
                  />
                ) : (
                  <div className="row row-absent" aria-hidden="true">
                    <span className="skeleton" />
                  </div>
                )}
                {line && open && (
                  <div role="row" className="row-detail">
                    <div role="gridcell">
                      <LineDetail line={line} address={address} />
                    </div>
                  </div>
                )}
              </div>
            );
          })}
        </div>
      </div>
      {props.foot}
    </div>
  );
}
