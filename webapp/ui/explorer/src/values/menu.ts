/** Which value's menu stands open; one at a time, anchored to what was clicked. */
import { useSyncExternalStore } from "react";

export interface Opened {
  field: string;
  value: string;
  anchor: HTMLElement;
}

let opened: Opened | null = null;
const listeners = new Set<() => void>();

export function openMenu(next: Opened | null): void {
  opened = next;
  for (const listener of listeners) listener();
}

export function useOpened(): Opened | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => opened,
  );
}
