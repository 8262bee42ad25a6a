/** All there is of one line, in place below its row: fields, JSON or the message alone, and how it came here. */
import { useState } from "react";
import type { Line } from "../api/types";
import { copied } from "../frame/notices";
import { linkOf } from "../share/commands";
import { type Address, go } from "../state/address";
import { FieldTable } from "./FieldTable";
import { LongText } from "./LongText";
import { Provenance } from "./Provenance";
import "./line.css";

const TABS = ["Fields", "JSON", "Raw"] as const;

export function LineDetail({ line, address }: { line: Line; address: Address }) {
  const [tab, setTab] = useState<(typeof TABS)[number]>("Fields");
  return (
    <section className="detail" aria-label="The line">
      <div className="detail-head">
        <div role="tablist" aria-label="Form">
          {TABS.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              className="quiet"
              aria-selected={name === tab}
              onClick={() => setTab(name)}
            >
              {name}
            </button>
          ))}
        </div>
        <span className="toolbar-space" />
        <button
          type="button"
          className="quiet"
          title="What stands around it (c)"
          onClick={() => go({ context: line.id, live: false })}
        >
          Context
        </button>
        <button
          type="button"
          className="quiet"
          onClick={() => void copied("Link to the line", permalink(line, address))}
        >
          Copy link
        </button>
        <button type="button" className="quiet" onClick={() => void copied("Line", JSON.stringify(line))}>
          Copy JSON
        </button>
        <button type="button" className="quiet" aria-label="Close the line" onClick={() => go({ line: "" })}>
          ✕
        </button>
      </div>
      {tab === "Fields" && (
        <>
          <LongText text={line.message} />
          <FieldTable line={line} />
        </>
      )}
      {tab === "JSON" && <LongText text={JSON.stringify(line, null, 2)} />}
      {tab === "Raw" && <LongText text={line.message} folded={false} />}
      <Provenance line={line} tz={address.tz} />
    </section>
  );
}

/** Five minutes around it, and itself open: the line is found by its id whatever the search is. */
function permalink(line: Line, address: Address): string {
  const at = Date.parse(line.time);
  const iso = (ms: number) => new Date(ms).toISOString();
  const range = { start: iso(at - 150_000), end: iso(at + 150_000) };
  return linkOf(window.location.origin, { ...address, line: line.id, live: false, context: "" }, range);
}
