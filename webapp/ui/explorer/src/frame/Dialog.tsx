/** A dialog over the page: Escape, the cross and a click beside it close it, and the focus goes back. */
import { type MouseEvent, type ReactNode, useEffect, useRef } from "react";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  sheet?: boolean; // from the foot of a small screen
}

export function Dialog({ title, onClose, children, sheet = false }: Props) {
  const held = useRef<HTMLDialogElement>(null);
  useEffect(() => held.current?.showModal(), []);
  const beside = (event: MouseEvent) => event.target === held.current && onClose();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
    <dialog
      ref={held}
      className={sheet ? "dialog dialog-sheet" : "dialog"}
      aria-label={title}
      onClose={onClose}
      onClick={beside}
    >
      <header className="dialog-head">
        <h2>{title}</h2>
        <button type="button" className="quiet" aria-label="Close" onClick={onClose}>
          ✕
        </button>
      </header>
      <div className="dialog-body">{children}</div>
    </dialog>
  );
}
