/** Whether the window is too narrow for fields beside the lines. */
import { useSyncExternalStore } from "react";

const query = window.matchMedia("(max-width: 800px)");

export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      query.addEventListener("change", listener);
      return () => query.removeEventListener("change", listener);
    },
    () => query.matches,
  );
}
