/**
 * Changes a query as text: clauses are put in, turned round and taken out, and what the reader wrote stays.
 *
 * Only clauses that are ANDed at the top level are touched. A query that has an OR there is put in parentheses
 * before anything is added to it, so that the addition holds for all of it.
 */
import { listed, type Part, parts } from "./parts";

export type Mode = "filter" | "exclude" | "only";

const PLAIN_NAME = /^@?[A-Za-z_][A-Za-z0-9_.-]*$/;
const PLAIN_VALUE = /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|[A-Za-z0-9_][A-Za-z0-9_.\-/@]*)$/;
const WORDS = ["AND", "OR", "NOT", "TO"];
const LONGEST = 1000; // a query has 4 KiB

/** Whether the language has a clause that finds just this value. An array or object as a whole has none. */
export function findable(field: string, value: string): boolean {
  if (field === "time" || value.length > LONGEST) return false;
  return field === "message" || !/^[[{]/.test(value);
}

export function clause(field: string, value: string): string {
  return `${named(field)}:${valued(value)}`;
}

function named(field: string): string {
  return PLAIN_NAME.test(field) ? field : quoted(field);
}

/** A number goes without quotes: it then finds 200, 200.0 and "200", as a facet counts them together. */
function valued(value: string): string {
  return PLAIN_VALUE.test(value) && !WORDS.includes(value) ? value : quoted(value);
}

export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

export function edited(q: string, field: string, value: string, mode: Mode): string {
  const wanted = clause(field, value);
  if (mode === "only") return wanted;
  const held = conjuncts(q);
  const without = held.filter((part) => !says(part, field, value));
  const put = mode === "exclude" ? `-${wanted}` : wanted;
  // A list of values that this one is excluded from, or narrowed to, is rewritten rather than contradicted.
  const kept = without.map((part) => narrowed(part, field, value, mode)).filter(Boolean);
  return [...kept, put].join(" ");
}

/** A value that is picked in a list of them: put in beside the others that were picked, or taken out again. */
export function toggled(q: string, field: string, value: string): string {
  const held = conjuncts(q).filter((part) => !(part.negated && says(part, field, value)));
  const at = held.findIndex((part) => isList(part, field));
  const picked = at === -1 ? [] : (listed(held[at]?.value ?? "") ?? []);
  const next = picked.includes(value) ? picked.filter((one) => one !== value) : [...picked, value];
  const texts = held.map((part) => part.text);
  if (at === -1) texts.push(anyOf(field, next));
  else texts[at] = anyOf(field, next);
  return texts.filter(Boolean).join(" ");
}

/** Only lines without the field; only lines with it. */
export function missing(q: string, field: string): string {
  return withPresence(q, field, `-${named(field)}:*`);
}

export function present(q: string, field: string): string {
  return withPresence(q, field, `${named(field)}:*`);
}

function withPresence(q: string, field: string, wanted: string): string {
  const kept = conjuncts(q).filter((part) => !(part.field === field && part.value === "*"));
  return [...kept.map((part) => part.text), wanted].join(" ");
}

function anyOf(field: string, values: readonly string[]): string {
  if (values.length === 0) return "";
  if (values.length === 1) return clause(field, values[0] ?? "");
  return `${named(field)}:(${values.map(valued).join(" OR ")})`;
}

/** The parts that all hold. Those of an OR hold as one, and what a NOT stands before belongs to it. */
function conjuncts(q: string): Part[] {
  const found = parts(q).filter((part) => part.kind !== "AND" && part.text !== "*");
  if (found.some((part) => part.kind === "OR")) return [one(`(${q.trim()})`)];
  const joined: Part[] = [];
  let not = "";
  for (const part of found) {
    if (part.kind === "NOT") not += "NOT ";
    else {
      joined.push(not ? one(not + part.text) : part);
      not = "";
    }
  }
  return joined;
}

function one(text: string): Part {
  return { text, kind: "group", negated: false, field: "", value: "" };
}

function says(part: Part, field: string, value: string): boolean {
  if (part.kind !== "clause" || part.field !== field) return false;
  const values = listed(part.value);
  return values?.length === 1 && values[0] === value;
}

function isList(part: Part, field: string): boolean {
  return (
    part.kind === "clause" &&
    !part.negated &&
    part.field === field &&
    part.value !== "*" &&
    listed(part.value) !== null
  );
}

function narrowed(part: Part, field: string, value: string, mode: Mode): string {
  if (!isList(part, field)) return part.text;
  const values = listed(part.value) ?? [];
  if (!values.includes(value)) return part.text;
  return mode === "filter"
    ? ""
    : anyOf(
        field,
        values.filter((one) => one !== value),
      );
}
