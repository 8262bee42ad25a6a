/** What was searched for before in this browser; a choice runs it. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Dialog } from "../frame/Dialog";
import { past } from "./past";

export function History({ onClose, onPick }: { onClose: () => void; onPick: (q: string) => void }) {
  const [contains, setContains] = useState("");
  const list = useRef<HTMLUListElement>(null);
  // Once the dialog stands: its own first focus is the cross.
  useEffect(() => {
    const frame = requestAnimationFrame(() => list.current?.querySelector("button")?.focus());
    return () => cancelAnimationFrame(frame);
  }, []);
  const held = past();
  const shown = held.filter((q) => q.toLowerCase().includes(contains.toLowerCase()));
  return (
    <Dialog title="Earlier queries" onClose={onClose}>
      {held.length === 0 && <p className="meta">None in this browser yet.</p>}
      {held.length > 8 && (
        <input
          type="search"
          className="query-history-search"
          placeholder="contains"
          aria-label="Queries that contain"
          value={contains}
          onChange={(event) => setContains(event.target.value)}
        />
      )}
      <ul ref={list} className="query-history" onKeyDown={moved}>
        {shown.map((q) => (
          <li key={q}>
            <button
              type="button"
              className="quiet mono"
              onClick={() => {
                onClose();
                onPick(q);
              }}
            >
              {q}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function moved(event: KeyboardEvent<HTMLUListElement>): void {
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  buttons[buttons.indexOf(document.activeElement as HTMLButtonElement) + by]?.focus();
}
