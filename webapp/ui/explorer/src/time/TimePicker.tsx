/** The range of a search: one box that takes nearly anything, presets, and the zone in which times are shown. */
import { type FormEvent, useEffect, useRef, useState } from "react";
import { copied } from "../frame/notices";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { prefer } from "../state/preferences";
import { called, PRESETS, parse, type Range } from "./range";
import { formatFull, formatTime } from "./show";
import "./time.css";

export function TimePicker({ address }: { address: Address }) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const range = { start: address.start, end: address.end };
  useKeys([{ key: "d", label: "The range of time", group: "Search", run: () => setOpen(true) }]);
  useEffect(() => {
    if (!open) return;
    const beside = (event: PointerEvent) => {
      if (event.target instanceof Node && !place.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", beside);
    return () => document.removeEventListener("pointerdown", beside);
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const take = (range: Range) => {
    close();
    go({ ...range, as_of: "" });
  };
  return (
    <div ref={place} className="time">
      <button
        ref={button}
        type="button"
        className="time-button"
        aria-expanded={open}
        title="The range of time (d)"
        onClick={() => setOpen(!open)}
      >
        <span className="time-name">{called(range, (time) => formatTime(time, address.tz))}</span>
        <span className="meta">{address.tz === "local" ? "" : address.tz}</span>
      </button>
      {open && <Panel address={address} range={range} onTake={take} onClose={close} />}
    </div>
  );
}

interface Props {
  address: Address;
  range: Range;
  onTake: (range: Range) => void;
  onClose: () => void;
}

function Panel({ address, range, onTake, onClose }: Props) {
  const [typed, setTyped] = useState("");
  const found = parse(typed, address.tz, Date.now());
  const submitted = (event: FormEvent) => {
    event.preventDefault();
    if (found) onTake(found);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only hears Escape on its way up
    <div
      className="menu time-panel"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.nativeEvent.stopImmediatePropagation();
        onClose();
      }}
    >
      <form onSubmit={submitted}>
        <input
          // biome-ignore lint/a11y/noAutofocus: the panel was opened to type into this box
          autoFocus
          className="mono time-box"
          aria-label="Range"
          aria-describedby="time-meaning"
          placeholder="15m · 3d · today · 10:00-10:30 · a pasted line"
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      </form>
      <p id="time-meaning" className="meta time-meaning" role="status">
        {meaning(typed, found, range, address.tz)}
      </p>
      <ul className="time-presets">
        {PRESETS.map((preset) => (
          <li key={preset.label}>
            <button
              type="button"
              className="quiet"
              aria-pressed={preset.range.start === range.start && preset.range.end === range.end}
              onClick={() => onTake(preset.range)}
            >
              {preset.label}
            </button>
          </li>
        ))}
      </ul>
      <div className="time-foot">
        <Zone address={address} />
        <button
          type="button"
          className="quiet"
          onClick={() => void copied("Range", `${range.start} to ${range.end}`)}
        >
          Copy range
        </button>
      </div>
    </div>
  );
}

function meaning(typed: string, found: Range | null, range: Range, tz: string): string {
  if (typed.trim() && !found)
    return "Not understood. 15m, yesterday, 10:00-10:30, 2026-11-24, an epoch, or a line with a time.";
  const { start, end } = found ?? range;
  const side = (time: string, open: string) =>
    time === "" ? open : Number.isNaN(Date.parse(time)) ? time : formatFull(time, tz);
  return `${side(start, "the beginning")} – ${side(end, "now")}`;
}

function Zone({ address }: { address: Address }) {
  const zones = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = ["local", "UTC", ...zones.filter((zone) => zone !== "UTC")];
  const offered = known.includes(address.tz) ? known : [address.tz, ...known];
  return (
    <label className="time-zone meta">
      Zone{" "}
      <select
        value={address.tz}
        onChange={(event) => {
          go({ tz: event.target.value });
          prefer({ tz: event.target.value });
        }}
      >
        {offered.map((zone) => (
          <option key={zone} value={zone}>
            {zone === "local" ? `local (${here})` : zone}
          </option>
        ))}
      </select>
    </label>
  );
}
