/** Whether the bars are folded away, kept in this browser. */
const NAME = "logboom.histogram";

export function isFolded(): boolean {
  try {
    return window.localStorage.getItem(NAME) === "folded";
  } catch {
    return false;
  }
}

export function rememberFolded(folded: boolean): void {
  try {
    if (folded) window.localStorage.setItem(NAME, "folded");
    else window.localStorage.removeItem(NAME);
  } catch {
    // private windows keep nothing
  }
}
