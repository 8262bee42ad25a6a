/** The bars themselves: what is under the pointer is told, a drag selects, a click takes one bucket. */
import { type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Histogram } from "../api/types";
import type { Address } from "../state/address";
import { formatDate, formatFull, formatTime, spansDays } from "../time/show";
import { type Bar, bars, classOf, stacked, ticks } from "./chart";
import { zoom } from "./Histogram";

const DRAG = 5; // pixels; less is a click
const AXIS = 16;

export function Bars({ counted, address }: { counted: Histogram; address: Address }) {
  const place = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(place);
  const tall = Math.max(1, height - AXIS);
  const drawn = useMemo(() => bars(counted, address.by, width, tall), [counted, address.by, width, tall]);
  const [at, setAt] = useState<number | null>(null); // x of the pointer
  const [from, setFrom] = useState<number | null>(null); // where a drag began
  const over = at === null ? undefined : drawn.find((bar) => at >= bar.x && at < bar.x + bar.width);
  const x = (event: PointerEvent) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  const time = (place: number) => {
    const [start, end] = [Date.parse(counted.start), Date.parse(counted.end)];
    return new Date(start + ((end - start) * Math.min(Math.max(place, 0), width)) / width).toISOString();
  };
  const released = (event: PointerEvent) => {
    if (from === null) return;
    const to = x(event);
    setFrom(null);
    if (Math.abs(to - from) >= DRAG) zoom(time(Math.min(from, to)), time(Math.max(from, to)));
    else if (over) zoom(over.from, over.to);
  };
  const dated = spansDays(counted.start, counted.end, address.tz);
  return (
    <div
      ref={place}
      className="bars"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setFrom(x(event));
      }}
      onPointerMove={(event) => setAt(x(event))}
      onPointerUp={released}
      onPointerLeave={() => setAt(null)}
    >
      <svg width={width} height={height} role="img" aria-label={said(counted, address)}>
        <defs>
          <pattern
            id="clipped"
            width="6"
            height="6"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <line x1="0" y1="0" x2="0" y2="6" className="bars-hatch" />
          </pattern>
        </defs>
        {drawn.map((bar) => (
          <g key={bar.from}>
            {bar.clipped && (
              <rect x={bar.x} y={0} width={Math.max(0, bar.width - 1)} height={tall} fill="url(#clipped)" />
            )}
            {bar === over && <rect className="bars-slot" x={bar.x} y={0} width={bar.width} height={tall} />}
            {bar.parts.map((part) => (
              <rect
                key={part.name}
                className={part.name}
                x={bar.x}
                y={part.y}
                width={Math.max(3, bar.width - 1)}
                height={part.height}
              />
            ))}
          </g>
        ))}
        <line className="bars-base" x1={0} x2={width} y1={tall + 0.5} y2={tall + 0.5} />
        {ticks(drawn, width).map((bar) => (
          <text key={bar.from} className="bars-tick" x={bar.x} y={height - 3}>
            {tick(bar, address.tz, dated)}
          </text>
        ))}
        {from !== null && at !== null && Math.abs(at - from) >= DRAG && (
          <rect
            className="bars-drag"
            x={Math.min(from, at)}
            y={0}
            width={Math.abs(at - from)}
            height={tall}
          />
        )}
      </svg>
      <span className="bars-most meta">
        {Math.max(0, ...drawn.map((bar) => bar.total)).toLocaleString("en")}
      </span>
      {over && <Tip bar={over} counted={counted} address={address} right={over.x > width / 2} />}
    </div>
  );
}

function Tip(props: { bar: Bar; counted: Histogram; address: Address; right: boolean }) {
  const { bar, counted, address, right } = props;
  const index = counted.times.indexOf(bar.from);
  const order = stacked(counted.series, address.by);
  const style = right ? { right: `calc(100% - ${bar.x}px + 8px)` } : { left: bar.x + bar.width + 8 };
  return (
    <div className="menu bars-tip meta" style={style}>
      <p>
        {formatTime(bar.from, address.tz)} – {formatTime(bar.to, address.tz)}
        {bar.clipped && ", cut by the range"}
      </p>
      <p>
        <b>{bar.total.toLocaleString("en")} lines</b>
      </p>
      {order.map((series, rank) =>
        series.counts[index] ? (
          <p key={series.kind + series.value}>
            <span className={`swatch ${classOf(series, rank, address.by)}`} />
            {nameOf(series.kind, series.value)} {series.counts[index]?.toLocaleString("en")}
          </p>
        ) : null,
      )}
    </div>
  );
}

export function nameOf(kind: string, value: string): string {
  if (kind === "other") return "other";
  if (kind === "missing") return "none";
  return value === "" ? "(empty)" : value;
}

function tick(bar: Bar, tz: string, dated: boolean): string {
  const clock = formatFull(bar.from, tz).slice(11, 16);
  return dated ? `${formatDate(bar.from, tz).slice(5)} ${clock}` : formatFull(bar.from, tz).slice(11, 19);
}

function said(counted: Histogram, { tz }: Address): string {
  const range = `${formatFull(counted.start, tz)} to ${formatFull(counted.end, tz)}`;
  return `${counted.total.toLocaleString("en")} lines from ${range}; the table has the numbers`;
}

function useSize(place: { current: HTMLElement | null }): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!place.current) return;
    const watch = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    watch.observe(place.current);
    return () => watch.disconnect();
  }, [place]);
  return size;
}
