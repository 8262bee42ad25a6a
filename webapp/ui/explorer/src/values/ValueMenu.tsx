/** The one menu on every value: Filter, Exclude, Only, a column, the histogram's colours, Copy. */
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef } from "react";
import { copied } from "../frame/notices";
import { visible } from "../line/visible";
import { edited, findable, type Mode } from "../query/edit";
import { type Address, go, useAddress } from "../state/address";
import { prefer } from "../state/preferences";
import { type Opened, openMenu, useOpened } from "./menu";

const UNGROUPED = ["message", "time", "trace_id", "span_id", "batch"]; // nearly every line has another
const ALWAYS_SHOWN = ["time", "severity", "message"];
const MARGIN = 8;

export function ValueMenu() {
  const opened = useOpened();
  return opened && <Menu key={`${opened.field}\0${opened.value}`} opened={opened} />;
}

function Menu({ opened }: { opened: Opened }) {
  const address = useAddress();
  const held = useRef<HTMLDivElement>(null);
  usePlace(held, opened.anchor);
  useCloseOutside(held);
  const close = () => {
    openMenu(null);
    opened.anchor.focus();
  };
  return (
    <div
      ref={held}
      className="menu value-menu"
      role="menu"
      tabIndex={-1}
      onKeyDown={(event) => moved(event, close)}
    >
      <p className="value-menu-head meta" role="presentation">
        {visible(opened.field)}: <span className="mono">{visible(shortened(opened.value))}</span>
      </p>
      {entries(address, opened).map(({ label, run, hint }) => (
        <button
          type="button"
          role="menuitem"
          tabIndex={-1}
          key={label}
          onClick={() => {
            close();
            run();
          }}
        >
          <span>{label}</span>
          {hint && <span className="meta">{hint}</span>}
        </button>
      ))}
    </div>
  );
}

interface Entry {
  label: string;
  run: () => void;
  hint?: string;
}

function entries(address: Address, { field, value }: Opened): Entry[] {
  const edit = (mode: Mode) => () => go({ q: edited(address.q, field, value, mode) });
  const found: Entry[] = findable(field, value)
    ? [
        { label: "Filter", run: edit("filter") },
        { label: "Exclude", run: edit("exclude"), hint: "Alt+click" },
        { label: "Only", run: edit("only") },
      ]
    : [];
  if (!ALWAYS_SHOWN.includes(field)) found.push(column(address.columns, field));
  if (!UNGROUPED.includes(field) && address.by !== field)
    found.push({ label: "Group by", run: () => go({ by: field }) });
  return [...found, { label: "Copy", run: () => void copied("Value", value) }];
}

function column(columns: string[], field: string): Entry {
  const there = columns.includes(field);
  const next = there ? columns.filter((name) => name !== field) : [...columns, field];
  const run = () => {
    go({ columns: next });
    prefer({ columns: next });
  };
  return { label: there ? "Remove column" : "Add column", run };
}

function shortened(value: string): string {
  return value.length > 60 ? `${value.slice(0, 59)}…` : value;
}

/** Below what was clicked, or above where there is no room; never beyond the window. */
function usePlace(held: { current: HTMLDivElement | null }, anchor: HTMLElement): void {
  useLayoutEffect(() => {
    const menu = held.current;
    if (!menu) return;
    const at = anchor.getBoundingClientRect();
    const size = menu.getBoundingClientRect();
    const below = at.bottom + size.height + MARGIN < window.innerHeight;
    const left = Math.min(at.left, window.innerWidth - size.width - MARGIN);
    menu.style.left = `${Math.max(MARGIN, left)}px`;
    menu.style.top = `${below ? at.bottom + 2 : Math.max(MARGIN, at.top - size.height - 2)}px`;
    menu.querySelector("button")?.focus();
  }, [held, anchor]);
}

function useCloseOutside(held: { current: HTMLDivElement | null }): void {
  useEffect(() => {
    const pressed = (event: PointerEvent) => {
      if (event.target instanceof Node && !held.current?.contains(event.target)) openMenu(null);
    };
    const away = (event: Event) => {
      if (!(event.target instanceof Node) || !held.current?.contains(event.target)) openMenu(null);
    };
    document.addEventListener("pointerdown", pressed);
    window.addEventListener("scroll", away, true);
    window.addEventListener("resize", away);
    return () => {
      document.removeEventListener("pointerdown", pressed);
      window.removeEventListener("scroll", away, true);
      window.removeEventListener("resize", away);
    };
  }, [held]);
}

function moved(event: KeyboardEvent<HTMLDivElement>, close: () => void): void {
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    buttons.at(to % buttons.length)?.focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    event.stopPropagation();
    close();
  }
}
