/** What was searched for in this browser: the newest first, each once, bounded. A browser that keeps nothing keeps nothing. */

const NAME = "logboom.history";
const MOST = 50;

export function past(): string[] {
  try {
    const held: unknown = JSON.parse(window.localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(held) ? held.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

export function remember(q: string): void {
  const query = q.trim();
  if (query === "") return;
  try {
    const held = [query, ...past().filter((one) => one !== query)].slice(0, MOST);
    window.localStorage.setItem(NAME, JSON.stringify(held));
  } catch {
    // private windows and full disks: there is no history then
  }
}
