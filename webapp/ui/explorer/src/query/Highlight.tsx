/** The layer below the text box: the same text in the same places, coloured, a mistake underlined. */
import type { Complaint } from "../api/types";
import { tokens, unitsOf } from "./tokens";

export function Highlight({ text, mistake }: { text: string; mistake: Complaint | undefined }) {
  const from = mistake ? unitsOf(text, mistake.offset) : -1;
  const to = mistake ? Math.max(from + 1, unitsOf(text, mistake.offset + mistake.length)) : -1;
  let at = 0;
  return (
    <div className="query-layer mono" aria-hidden="true">
      {tokens(text).map((token) => {
        const begin = at;
        at += token.text.length;
        return (
          <span key={begin} className={`token-${token.kind}`}>
            {pieces(token.text, from - begin, to - begin)}
          </span>
        );
      })}
      {/* A last line that is empty has its height too. */}
      {"\u200b"}
    </div>
  );
}

function pieces(text: string, from: number, to: number) {
  const [start, end] = [Math.max(0, from), Math.min(text.length, to)];
  if (to <= 0 || start >= end) return text;
  return (
    <>
      {text.slice(0, start)}
      <span className="query-wrong">{text.slice(start, end)}</span>
      {text.slice(end)}
    </>
  );
}
