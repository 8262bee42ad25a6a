/** Whether the rows of a list need a date beside the time: they are of several days, or not of today. */
import { spansDays } from "../time/show";

export function dated(one: string | undefined, other: string | undefined, tz: string): boolean {
  if (!one || !other) return false;
  const [start, end] = one < other ? [one, other] : [other, one];
  return spansDays(start, end, tz) || spansDays(start, new Date().toISOString(), tz);
}
