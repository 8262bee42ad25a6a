/** One short message at the foot of the page ("Link copied"), gone after a moment; screen readers hear it. */
import { useSyncExternalStore } from "react";
import { copy } from "./copy";

const SHOWN_MS = 2500;
let text = "";
let timer: number | undefined;
const listeners = new Set<() => void>();

function show(next: string): void {
  text = next;
  for (const listener of listeners) listener();
}

export function notify(message: string): void {
  window.clearTimeout(timer);
  show(message);
  timer = window.setTimeout(() => show(""), SHOWN_MS);
}

export async function copied(what: string, value: string): Promise<void> {
  notify((await copy(value)) ? `${what} copied` : `${what} could not be copied`);
}

export function useNotice(): string {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => text,
  );
}
