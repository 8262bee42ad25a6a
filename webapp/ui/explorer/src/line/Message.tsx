/** A message in a row: one line of it, or as many as fit a preview, with what was searched for marked. */
import { Fragment, memo } from "react";
import { visible } from "./visible";

const ONE_LINE = 1000; // characters: more than any screen is wide
const PREVIEW = 4000;
const PREVIEW_LINES = 12;

interface Props {
  text: string;
  wrap: boolean;
  marks: RegExp | null;
}

export const Message = memo(function Message({ text, wrap, marks }: Props) {
  if (text === "") return <span className="row-empty">(empty)</span>;
  const lines = text.split("\n", PREVIEW_LINES + 1);
  const shown = wrap
    ? lines.slice(0, PREVIEW_LINES).join("\n").slice(0, PREVIEW)
    : (lines[0] ?? "").slice(0, ONE_LINE).replace(/\r$/, "");
  const hidden = text.length - shown.length;
  return (
    <>
      <Marked text={visible(shown)} marks={marks} />
      {hidden > 0 && <span className="row-more">{beyond(text, shown)}</span>}
    </>
  );
});

function beyond(text: string, shown: string): string {
  const lines = countLines(text) - countLines(shown);
  if (lines > 0) return ` +${lines.toLocaleString("en")} ${lines === 1 ? "line" : "lines"}`;
  const rest = text.length - shown.length;
  return ` +${rest.toLocaleString("en")} characters`;
}

function countLines(text: string): number {
  let count = 1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

export function Marked({ text, marks }: { text: string; marks: RegExp | null }) {
  if (!marks) return text;
  // A pattern with one group splits into what is between and what was found, in turn.
  const parts = text.split(marks);
  if (parts.length === 1) return text;
  return parts.map((part, index) => {
    const place = `${index}`; // the parts of one text never move
    return index % 2 ? <mark key={place}>{part}</mark> : <Fragment key={place}>{part}</Fragment>;
  });
}
