/** The same search elsewhere: as a link, for curl, for the terminal. */
import type { Address } from "../state/address";
import { DEFAULTS, written } from "../state/address";

/** A word of a POSIX shell, taken as it is. */
export function shell(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function asCurl(origin: string, { q, start, end, order, as_of }: Address): string {
  const params = { q, start, end, order, as_of };
  const given = Object.entries(params).filter(([, value]) => value !== "");
  const words = given.map(([name, value]) => `--data-urlencode ${shell(`${name}=${value}`)}`);
  return [
    `curl -G ${shell(`${origin}/api/v1/logs/search`)}`,
    `-H "Authorization: Bearer $LOGBOOM_TOKEN"`,
    ...words,
  ].join(" \\\n  ");
}

export function asCommand({ q, start, end, order }: Address): string {
  const words = ["./logboom", "search"];
  if (start) words.push("--start", start);
  if (end && end !== "now") words.push("--end", end);
  if (order === "asc") words.push("--order", "asc");
  return [...words.map(shell), ...(q ? ["--", shell(q)] : [])].join(" ");
}

/** `frozen` holds what the relative range meant, and the set of lines that was seen; else it stays relative. */
export function linkOf(origin: string, address: Address, frozen?: Partial<Address>): string {
  // What this reader prefers is written out: whoever opens the link prefers something else.
  const everyone = { ...DEFAULTS, tz: "", columns: [], wrap: !address.wrap };
  return `${origin}/${written({ ...address, ...frozen }, everyone)}`;
}
