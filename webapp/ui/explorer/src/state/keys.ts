/**
 * Single keys: whoever is shown says which it takes, and the help lists just those.
 *
 * They rest while a text is being typed, and can be switched off altogether (WCAG 2.1.4); Escape and keys with
 * a modifier always work. The latest to register a key has it.
 */
import { useEffect, useRef, useSyncExternalStore } from "react";
import { preference } from "./preferences";

export interface Key {
  key: string; // as KeyboardEvent.key has it
  label: string;
  group: "Search" | "Lines" | "View";
  run: (event: KeyboardEvent) => void;
  inText?: boolean; // also while a text is being typed
}

let keys: readonly Key[] = [];
const listeners = new Set<() => void>();

function put(next: readonly Key[]): void {
  keys = next;
  for (const listener of listeners) listener();
}

export function useKeys(own: readonly Key[]): void {
  const latest = useRef(own);
  latest.current = own;
  const names = own.map((key) => key.key).join(" ");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the names stand for the keys; run() is looked up when pressed.
  useEffect(() => {
    const mine = latest.current.map((key) => ({
      ...key,
      run: (event: KeyboardEvent) => latest.current.find((other) => other.key === key.key)?.run(event),
    }));
    put([...keys, ...mine]);
    return () => put(keys.filter((key) => !mine.includes(key)));
  }, [names]);
}

export function useAllKeys(): readonly Key[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => keys,
  );
}

export function listen(): void {
  window.addEventListener("keydown", pressed);
}

function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return; // it has the keys, Escape before all
  const found = keys.findLast((key) => key.key === event.key);
  if (!found) return;
  if (inText(event.target) && !found.inText) return;
  if (event.key === "Enter" && presses(event.target)) return;
  if (event.key.length === 1 && preference("single_keys") === false) return;
  event.preventDefault();
  found.run(event);
}

function inText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

/** Enter on a button or a link is that one's own. */
function presses(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("a[href], button, summary") !== null;
}
