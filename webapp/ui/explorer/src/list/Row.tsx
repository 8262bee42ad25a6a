/** One line as a row of the grid. On a narrow screen time and names stand above the message. */
import { memo } from "react";
import type { Line } from "../api/types";
import { LETTERS } from "../line/letters";
import { Message } from "../line/Message";
import { skew } from "../line/skew";
import { fieldOf } from "../line/value";
import { visible } from "../line/visible";
import { formatDate, formatMillis } from "../time/show";
import { Value } from "../values/Value";

const CELL = 200; // characters of a value in a row

export interface Look {
  tz: string;
  dated: boolean;
  columns: readonly string[];
  wrap: boolean;
  marks: RegExp | null;
  name: string; // of the grid: rows are pointed at by it and their number
}

interface Props {
  line: Line;
  index: number; // from 0, in the whole list
  look: Look;
  current: boolean;
  open: boolean;
  centre: boolean;
  onOpen: (line: Line, index: number) => void;
}

export const Row = memo(function Row({ line, index, look, current, open, centre, onOpen }: Props) {
  const level = line.severity ?? "none";
  const states = [
    current && "row-current",
    open && "row-opened",
    centre && "row-centre",
    look.wrap && "row-wrap",
  ];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Enter opens the current row, for the whole grid
    <div
      role="row"
      id={`${look.name}${index}`}
      tabIndex={-1}
      className={`row level-bar-${level} ${states.filter(Boolean).join(" ")}`}
      aria-rowindex={index + 2}
      aria-selected={current}
      aria-current={centre || undefined}
      onClick={() => marked() || onOpen(line, index)}
    >
      <span role="gridcell" className="row-time" title={line.time}>
        {look.dated && <span className="row-date">{formatDate(line.time, look.tz).slice(5)} </span>}
        {formatMillis(line.time, look.tz)}
        <Clock line={line} />
      </span>
      <span role="gridcell" className={`row-level level-${level}`} title={line.severity ?? "no severity"}>
        {LETTERS[level] ?? "·"}
      </span>
      {look.columns.map((field) => (
        <span role="gridcell" className="row-cell" key={field}>
          <Cell field={field} value={fieldOf(line, field)} />
        </span>
      ))}
      <span role="gridcell" className="row-message">
        <Message text={line.message} wrap={look.wrap} marks={look.marks} />
      </span>
    </div>
  );
});

/** Whoever draws over a text wants to copy it, not to open the line. */
function marked(): boolean {
  return window.getSelection()?.type === "Range";
}

/** A sign that the sender's clock and ours disagree: up for ahead, down for behind or late. */
function Clock({ line }: { line: Line }) {
  const apart = skew(line);
  if (!apart) return null;
  return (
    <span
      className={`row-clock row-clock-${apart.way}`}
      role="img"
      aria-label={apart.text}
      title={apart.text}
    />
  );
}

function Cell({ field, value }: { field: string; value: string | null }) {
  if (value === null) return null;
  return (
    <Value field={field} value={value} tabIndex={-1}>
      {visible(value.slice(0, CELL))}
    </Value>
  );
}
