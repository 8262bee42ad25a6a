/** A text of any length: the frames of a stack trace folded, a very long one cut until all of it is asked for. */
import { useState } from "react";
import { fold } from "./fold";
import { Marked } from "./Message";
import { visible } from "./visible";

const MOST = 20_000; // characters that are shown at once

interface Props {
  text: string;
  folded?: boolean;
  marks?: RegExp | null;
}

export function LongText({ text, folded = true, marks = null }: Props) {
  const [open, setOpen] = useState(false);
  const [all, setAll] = useState(false);
  const shown = all ? text : text.slice(0, MOST);
  const parts = folded && !open ? fold(shown) : [{ text: shown, frames: 0 }];
  return (
    <div className="long" role="region" aria-label="Text" tabIndex={text.length > 2000 ? 0 : undefined}>
      {parts.map((part, index) => {
        const place = `${index}`; // the parts of one text never move
        return part.frames > 0 ? (
          <button key={place} type="button" className="long-fold" onClick={() => setOpen(true)}>
            + {part.frames} frames
          </button>
        ) : (
          <pre key={place} className="mono">
            {text === "" ? <span className="meta">(empty)</span> : null}
            <Marked text={visible(part.text)} marks={marks} />
          </pre>
        );
      })}
      {shown.length < text.length && (
        <button type="button" className="long-fold" onClick={() => setAll(true)}>
          show all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </div>
  );
}
