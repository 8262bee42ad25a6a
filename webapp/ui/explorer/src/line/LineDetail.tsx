/** All there is of one line, in place below its row: fields, JSON or the message alone, and how it came here. */
import { type KeyboardEvent, useId, useState } from "react";
import type { Line } from "../api/types";
import { copied } from "../frame/notices";
import { permalink } from "../share/commands";
import { type Address, go } from "../state/address";
import { FieldTable } from "./FieldTable";
import { LongText } from "./LongText";
import { Provenance } from "./Provenance";
import "./line.css";

const TABS = ["Fields", "JSON", "Raw"] as const;
type Tab = (typeof TABS)[number];

interface Props {
  line: Line;
  address: Address;
  marks?: RegExp | null;
}

export function LineDetail({ line, address, marks = null }: Props) {
  const [tab, setTab] = useState<Tab>("Fields");
  const name = useId();
  return (
    <section className="detail" aria-label="The line">
      <div className="detail-head">
        <Tabs tab={tab} onTab={setTab} name={name} />
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
          onClick={() => void copied("Link to the line", permalink(window.location.origin, line, address))}
        >
          Copy link
        </button>
        <button
          type="button"
          className="quiet"
          onClick={() => void copied(tab === "JSON" ? "JSON" : "Message", textOf(tab, line))}
        >
          {tab === "JSON" ? "Copy JSON" : "Copy message"}
        </button>
        <button type="button" className="quiet" aria-label="Close the line" onClick={() => go({ line: "" })}>
          ✕
        </button>
      </div>
      <div role="tabpanel" id={`${name}panel`} aria-labelledby={`${name}${tab}`}>
        {tab === "Fields" && (
          <>
            <LongText text={line.message} marks={marks} />
            <FieldTable line={line} />
          </>
        )}
        {tab === "JSON" && <LongText text={textOf(tab, line)} folded={false} />}
        {tab === "Raw" && <LongText text={line.message} folded={false} marks={marks} />}
      </div>
      <Provenance line={line} tz={address.tz} />
    </section>
  );
}

function textOf(tab: Tab, line: Line): string {
  return tab === "JSON" ? JSON.stringify(line, null, 2) : line.message;
}

function Tabs({ tab, onTab, name }: { tab: Tab; onTab: (tab: Tab) => void; name: string }) {
  const moved = (event: KeyboardEvent<HTMLDivElement>) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length] as Tab;
    onTab(next);
    document.getElementById(name + next)?.focus();
  };
  return (
    <div role="tablist" aria-label="Form" tabIndex={-1} onKeyDown={moved}>
      {TABS.map((one) => (
        <button
          key={one}
          id={name + one}
          type="button"
          role="tab"
          className="quiet"
          aria-selected={one === tab}
          aria-controls={`${name}panel`}
          tabIndex={one === tab ? 0 : -1}
          onClick={() => onTab(one)}
        >
          {one}
        </button>
      ))}
    </div>
  );
}
