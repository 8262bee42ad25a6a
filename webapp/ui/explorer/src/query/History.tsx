/** What was searched for before in this browser; a choice runs it. */
import { useState } from "react";
import { Dialog } from "../frame/Dialog";
import { past } from "./past";

export function History({ onClose, onPick }: { onClose: () => void; onPick: (q: string) => void }) {
  const [contains, setContains] = useState("");
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
      <ul className="query-history">
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
