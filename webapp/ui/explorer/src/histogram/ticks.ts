/** A few times below the bars: the clock, and the date where it begins or changes. Pure. */
import { formatFull } from "../time/show";
import type { Bar } from "./chart";

const APART = 110; // pixels
const ROOM = 70; // at the right edge, for the text

export function ticks(found: readonly Bar[], width: number): Bar[] {
  const whole = found.filter((bar) => !bar.clipped);
  const every = Math.max(1, Math.ceil((whole.length * APART) / Math.max(1, width)));
  return whole.filter((bar, index) => index % every === 0 && bar.x < width - ROOM);
}

export function tickTexts(found: readonly Bar[], tz: string): { x: number; text: string }[] {
  let before = "";
  const today = formatFull(new Date().toISOString(), tz).slice(0, 10);
  return found.map(({ x, from }) => {
    const full = formatFull(from, tz);
    const [date, clock] = [full.slice(0, 10), full.slice(11).replace(/(:00)?\.000$/, "")];
    const changed = date !== before && !(before === "" && date === today);
    before = date;
    if (!changed) return { x, text: clock };
    return { x, text: clock === "00:00" ? date : `${date.slice(5)} ${clock}` };
  });
}
