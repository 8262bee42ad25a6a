/** A button that opens a small panel below itself; Escape, a click beside it or a choice in it closes it. */
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";

interface Props {
  label: ReactNode;
  name: string; // for who cannot see the label
  className?: string;
  open?: boolean; // given where a key opens it too
  onOpen?: (open: boolean) => void;
  children: (close: () => void) => ReactNode;
}

export function Popover({ label, name, className = "", children, ...given }: Props) {
  const own = useState(false);
  const open = given.open ?? own[0];
  const setOpen = given.onOpen ?? own[1];
  const held = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    const beside = (event: PointerEvent) => {
      if (event.target instanceof Node && !held.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", beside);
    return () => document.removeEventListener("pointerdown", beside);
  }, [open, setOpen]);
  // By a click the focus is on the button, one Tab before the panel; by a key it is anywhere.
  useEffect(() => {
    if (given.open) held.current?.querySelector<HTMLElement>(".popover-panel button")?.focus();
  }, [given.open]);
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    event.nativeEvent.stopImmediatePropagation();
    close();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only hears Escape on its way up
    <div ref={held} className={`popover ${className}`} onKeyDown={pressed}>
      <button
        ref={button}
        type="button"
        className="quiet"
        aria-expanded={open}
        aria-label={name}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && <div className="menu popover-panel">{children(close)}</div>}
    </div>
  );
}
