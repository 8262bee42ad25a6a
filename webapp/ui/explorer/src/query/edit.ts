/** Changes a query as text: clauses are put in, taken out and turned round, and what the reader wrote stays. */

export type Mode = "filter" | "exclude" | "only";

const BUILTIN = ["time", "severity", "service", "host", "message", "trace_id", "span_id", "source", "batch"];
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_.\-/]*$/;
const PLAIN_VALUE = /^[A-Za-z0-9_][A-Za-z0-9_.\-/@]*$/;
const WORDS = ["AND", "OR", "NOT", "TO"];

export function clause(field: string, value: string): string {
  return `${named(field)}:${valued(value)}`;
}

function named(field: string): string {
  if (BUILTIN.includes(field) || PLAIN_NAME.test(field)) return field;
  return quoted(field);
}

function valued(value: string): string {
  return PLAIN_VALUE.test(value) && !WORDS.includes(value) ? value : quoted(value);
}

export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

export function edited(q: string, field: string, value: string, mode: Mode): string {
  const wanted = clause(field, value);
  if (mode === "only") return wanted;
  const put = mode === "exclude" ? `-${wanted}` : wanted;
  const opposite = mode === "exclude" ? wanted : `-${wanted}`;
  const parts = q.trim() === "" || q.trim() === "*" ? [] : [q.trim()];
  const kept = parts.map((part) => (part === opposite ? "" : part)).filter(Boolean);
  return [...kept, put].join(" ");
}

/** A value that is picked in a list of them: put in, or taken out again. */
export function toggled(q: string, field: string, value: string): string {
  const wanted = clause(field, value);
  const words = q.split(" ");
  return words.includes(wanted)
    ? words.filter((word) => word !== wanted).join(" ")
    : edited(q, field, value, "filter");
}

/** Only lines without the field. */
export function missing(q: string, field: string): string {
  return [q.trim(), `-${named(field)}:*`].filter(Boolean).join(" ");
}
