/** What one reader likes, kept in the profile on the server; the page begins with what boot brought. */
import { useSyncExternalStore } from "react";
import { send } from "../api/client";
import type { Me, Preferences } from "../api/types";
import { boot } from "../boot";

let held: Preferences = boot.preferences;
const listeners = new Set<() => void>();

export function preference<K extends keyof Preferences>(name: K): Preferences[K] {
  return held[name];
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => held,
  );
}

/** Takes effect at once; a profile that cannot be written now is written with the next change. */
export function prefer(patch: Preferences): void {
  held = { ...held, ...patch };
  showTheme();
  for (const listener of listeners) listener();
  void send<Me>("PATCH", "me", { preferences: held }).catch(() => undefined);
}

export function showTheme(): void {
  const theme = held.theme ?? "system";
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
