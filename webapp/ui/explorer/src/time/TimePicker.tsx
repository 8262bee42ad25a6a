/** The range of a search: one box that takes nearly anything, presets, and the zone in which times are shown. */
import { useEffect, useRef, useState } from "react";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { Panel } from "./Panel";
import { called, type Range } from "./range";
import { rememberRange } from "./recent";
import "./time.css";

export function TimePicker({ address }: { address: Address }) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const range = { start: address.start, end: address.end };
  const name = called(range, address.tz, Date.now());
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
  const take = ({ start, end }: Range) => {
    close();
    rememberRange({ start, end });
    go({ start, end, as_of: "", live: false });
  };
  return (
    <div ref={place} className="time">
      <button
        ref={button}
        type="button"
        className="time-button"
        aria-haspopup="dialog"
        aria-expanded={open}
        title={`${name} (d)`}
        onClick={() => setOpen(!open)}
      >
        <span className="time-name">{name}</span>
        {address.tz !== "local" && <span className="meta time-tz">{address.tz}</span>}
      </button>
      {open && <Panel address={address} range={range} onTake={take} onClose={close} />}
    </div>
  );
}
