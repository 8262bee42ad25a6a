/** The bars themselves: what is under the pointer is told, a drag selects, a click takes one bucket. */
import { type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Histogram } from "../api/types";
import type { Address } from "../state/address";
import { formatFull } from "../time/show";
import { type Bar, barAt, bars, timeAt } from "./chart";
import { Tip } from "./Tip";
import { ticks, tickTexts } from "./ticks";
import { zoom } from "./zoom";

const DRAG = 5; // pixels; less is a click
const AXIS = 16;

export function Bars({ counted, address }: { counted: Histogram; address: Address }) {
  const place = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(place);
  const tall = Math.max(1, height - AXIS);
  const drawn = useMemo(() => bars(counted, address.by, width, tall), [counted, address.by, width, tall]);
  const [at, setAt] = useState<number | null>(null); // x of the pointer
  const [from, setFrom] = useState<number | null>(null); // where a drag began
  const x = (event: PointerEvent) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  const released = (event: PointerEvent) => {
    if (from === null) return;
    const to = x(event);
    setFrom(null);
    const bar = barAt(drawn, to);
    if (Math.abs(to - from) >= DRAG) zoom(address, ...timeAt(counted, width, from, to));
    else if (bar) zoom(address, bar.from, bar.to);
  };
  const over = at === null ? undefined : barAt(drawn, at);
  const dragged = from !== null && at !== null && Math.abs(at - from) >= DRAG ? ([from, at] as const) : null;
  const most = Math.max(0, ...drawn.map((bar) => bar.total));
  return (
    <div
      ref={place}
      className="bars"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setFrom(x(event));
        setAt(x(event));
      }}
      onPointerMove={(event) => setAt(x(event))}
      onPointerUp={released}
      onPointerCancel={() => setFrom(null)}
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
          <Stack key={bar.from} bar={bar} tall={tall} over={bar === over} />
        ))}
        <line className="bars-base" x1={0} x2={width} y1={tall + 0.5} y2={tall + 0.5} />
        {tickTexts(ticks(drawn, width), address.tz).map(({ x, text }) => (
          <text key={x} className="bars-tick" x={x} y={height - 3}>
            {text}
          </text>
        ))}
        {dragged && (
          <rect
            className="bars-drag"
            x={Math.min(...dragged)}
            y={0}
            width={Math.abs(dragged[1] - dragged[0])}
            height={tall}
          />
        )}
      </svg>
      <span className="bars-most meta" aria-hidden="true">
        {most.toLocaleString("en")}
      </span>
      {counted.total === 0 && <span className="bars-none meta">no lines</span>}
      {over && !dragged && <Tip bar={over} counted={counted} address={address} right={over.x > width / 2} />}
    </div>
  );
}

/** What is hatched was cut off by the range, or not counted before the time ran out. */
function Stack({ bar, tall, over }: { bar: Bar; tall: number; over: boolean }) {
  const width = bar.width - 1;
  return (
    <>
      {over && <rect className="bars-slot" x={bar.x} y={0} width={bar.width} height={tall} />}
      {(bar.clipped || bar.uncounted) && (
        <rect x={bar.x} y={0} width={width} height={tall} fill="url(#clipped)" />
      )}
      {bar.parts.map((part) => (
        <rect key={part.name} className={part.name} x={bar.x} y={part.y} width={width} height={part.height} />
      ))}
    </>
  );
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
      if (entry) setSize({ width: Math.floor(entry.contentRect.width), height: entry.contentRect.height });
    });
    watch.observe(place.current);
    return () => watch.disconnect();
  }, [place]);
  return size;
}
