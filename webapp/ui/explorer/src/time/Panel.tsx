/** What opens below the range: a box to type into, what it means while it is typed, and ranges to choose. */
import { type FormEvent, type KeyboardEvent, useState } from "react";
import { copied } from "../frame/notices";
import { type Address, go } from "../state/address";
import { prefer } from "../state/preferences";
import { fromMs, resolved, rfc3339 } from "./instants";
import { called, lengthOf, PRESETS, parse, type Range, type Understood } from "./range";
import { recent } from "./recent";
import { formatFull } from "./show";

interface Props {
  address: Address;
  range: Range;
  onTake: (range: Range) => void;
  onClose: () => void;
}

export function Panel({ address, range, onTake, onClose }: Props) {
  const { tz } = address;
  const [typed, setTyped] = useState("");
  const now = Date.now();
  const found = parse(typed, tz, now);
  const wrong = typed.trim() !== "" && !found;
  const submitted = (event: FormEvent) => {
    event.preventDefault();
    if (found) onTake(found);
  };
  const escaped = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.nativeEvent.stopImmediatePropagation();
    onClose();
  };
  return (
    <div
      className="menu time-panel"
      role="dialog"
      aria-label="Range of time"
      tabIndex={-1}
      onKeyDown={escaped}
    >
      <form className="time-form" onSubmit={submitted}>
        <input
          // biome-ignore lint/a11y/noAutofocus: the panel was opened to type into this box
          autoFocus
          className="mono time-box"
          aria-label="Range"
          aria-describedby="time-meaning"
          aria-invalid={wrong}
          placeholder="15m · today · 10:00-10:30 · a pasted line"
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit" className="primary" disabled={!found}>
          Apply
        </button>
      </form>
      <div id="time-meaning" className="meta time-meaning" role="status">
        {wrong ? <Forms /> : <Meaning range={found ?? range} tz={tz} now={now} />}
        {found?.note && <p>{found.note}</p>}
      </div>
      <Choices
        title="Ranges"
        hidden
        ranges={PRESETS.map(({ range }) => range)}
        chosen={range}
        tz={tz}
        onTake={onTake}
      />
      <Choices title="Recent" ranges={others(recent())} chosen={range} tz={tz} onTake={onTake} />
      <div className="time-foot">
        <Zone tz={tz} />
        <button type="button" className="quiet" onClick={() => void copied("Range", absolute(range, tz))}>
          Copy range
        </button>
      </div>
    </div>
  );
}

function Forms() {
  return (
    <p className="time-wrong">
      Write 15m, 3d, yesterday, 10:00-10:30, 2026-11-24, an epoch, or paste a line.
    </p>
  );
}

function Meaning({ range, tz, now }: { range: Range | Understood; tz: string; now: number }) {
  const [from, to] = ends(range, tz, now);
  const show = (ns: bigint | null, text: string, open: string) =>
    text === "" ? open : ns === null ? text : formatFull(rfc3339(ns), tz).replace(/\.000$/, "");
  const relative = /now/.test(range.start) || /now/.test(range.end);
  return (
    <p>
      {show(from, range.start, "the beginning")} – {show(to, range.end, "now")}
      {from !== null && to !== null && to > from && ` · ${lengthOf(to - from)}`}
      {relative && ", moving on with now"}
    </p>
  );
}

function ends({ start, end }: Range, tz: string, now: number): [bigint | null, bigint | null] {
  const at = fromMs(now);
  return [resolved(start, tz, at), resolved(end === "" ? "now" : end, tz, at)];
}

/** As instants, in a form that the box takes again. */
function absolute(range: Range, tz: string): string {
  const [from, to] = ends(range, tz, Date.now());
  return `${from === null ? range.start || "1970-01-01T00:00:00Z" : rfc3339(from)} to ${to === null ? range.end : rfc3339(to)}`;
}

interface ChoicesProps {
  title: string;
  hidden?: boolean; // the title
  ranges: readonly Range[];
  chosen: Range;
  tz: string;
  onTake: (range: Range) => void;
}

function Choices({ title, hidden = false, ranges, chosen, tz, onTake }: ChoicesProps) {
  if (ranges.length === 0) return null;
  return (
    <section className="time-choices" aria-label={title}>
      <h3 className={hidden ? "hidden" : "meta"}>{title}</h3>
      <ul>
        {ranges.map((range) => (
          <li key={`${range.start} ${range.end}`}>
            <button
              type="button"
              className="quiet"
              aria-pressed={same(range, chosen)}
              onClick={() => onTake(range)}
            >
              {called(range, tz, Date.now())}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function same(one: Range, other: Range): boolean {
  return one.start === other.start && one.end === other.end;
}

function others(ranges: readonly Range[]): Range[] {
  return ranges.filter((range) => !PRESETS.some((preset) => same(preset.range, range)));
}

// Browsers list zones by names that the database has given up.
const RENAMED: { [name: string]: string } = {
  "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
  "America/Godthab": "America/Nuuk",
  "Asia/Calcutta": "Asia/Kolkata",
  "Asia/Katmandu": "Asia/Kathmandu",
  "Asia/Rangoon": "Asia/Yangon",
  "Asia/Saigon": "Asia/Ho_Chi_Minh",
  "Atlantic/Faeroe": "Atlantic/Faroe",
  "Europe/Kiev": "Europe/Kyiv",
};

function zones(): string[] {
  const listed = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return listed
    .filter((zone) => zone !== "UTC")
    .map((zone) => RENAMED[zone] ?? zone)
    .sort();
}

function Zone({ tz }: { tz: string }) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = ["local", "UTC", ...zones()];
  const offered = known.includes(tz) ? known : [tz, ...known];
  const choose = (zone: string) => {
    go({ tz: zone });
    prefer({ tz: zone });
  };
  return (
    <label className="time-zone meta">
      Zone{" "}
      <select value={tz} onChange={(event) => choose(event.target.value)}>
        {offered.map((zone) => (
          <option key={zone} value={zone}>
            {zone === "local" ? `local (${here})` : zone}
          </option>
        ))}
      </select>
    </label>
  );
}
