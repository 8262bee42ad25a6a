/**
 * Changes a query as text: clauses are put in, turned round and taken out, and what the reader wrote stays.
 *
 * Only clauses that are ANDed at the top level are touched. A query that has an OR there is put in parentheses
 * before anything is added to it, so that the addition holds for all of it. Fields are named as the API names
 * them: a built-in name, or an attribute's, with an @ before it where it would be taken for something else.
 */
import { fieldKey, type Item, isBuiltin, isNetwork, type Part, parts } from "./parts";

export type Mode = "filter" | "exclude" | "only";

const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}_.\-/@$#%+]*$/u;
const PLAIN_VALUE = /^(?!\/\/)[\p{L}\p{N}_.+\-/@][\p{L}\p{N}_.+\-/@:]*$/u;
const WORDS = ["AND", "OR", "NOT", "TO"];
const EMPTY_IS_MISSING = ["service", "host"]; // the API counts an empty one as missing
const SINGLE = ["severity", "service", "host", "source"]; // never several values at once, as an array is
const LONGEST = 1000; // a query has 4 KiB

/** Whether the language has a clause that finds just this value. An array or object as a whole has none. */
export function findable(field: string, value: string): boolean {
  if (field === "time" || value.length > LONGEST) return false;
  return field === "message" || !isStructure(value);
}

function isStructure(value: string): boolean {
  if (!/^[[{]/.test(value)) return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false; // "[main]" is a text
  }
}

/** The name by which the API and a query call an attribute. */
export function attributeField(name: string): string {
  return isBuiltin(name) || /^(@|attributes\.)/.test(name) ? `@${name}` : name;
}

export function clause(field: string, value: string): string {
  if (value === "" && EMPTY_IS_MISSING.includes(field)) return `-${field}:*`;
  return `${named(field)}:${valued(value)}`;
}

function named(field: string): string {
  if (field === "*") return field;
  const forced = field.startsWith("@") ? "@" : "";
  const name = field.slice(forced.length);
  return PLAIN_NAME.test(name) ? field : forced + quoted(name);
}

/** A number goes without quotes: it then finds 200, 200.0 and "200", as a facet counts them together. */
function valued(value: string): string {
  return PLAIN_VALUE.test(value) && !WORDS.includes(value) && !isNetwork(value) ? value : quoted(value);
}

/** A name and a value as a query writes them. */
export { named as nameFor, valued as valueFor };

export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

// ---- what a menu does ----

export function edited(q: string, field: string, value: string, mode: Mode): string {
  if (value === "" && EMPTY_IS_MISSING.includes(field))
    return mode === "exclude" ? present(q, field) : missing(q, field);
  if (mode === "exclude") return excluded(q, field, value);
  const wanted = clause(field, value);
  const own = isOwn(field);
  if (mode === "only") return replaced(q, wanted, (part) => (own(part) ? "" : part.text));
  // What it follows from, and what would contradict it, it takes the place of.
  const superseded = (part: Part) =>
    own(part) && (part.negated ? isPresence(part) : isPresence(part) || holds(part, value));
  return replaced(q, wanted, (part) => {
    if (superseded(part)) return "";
    return own(part) && part.negated ? narrowed(part, field, value) : part.text;
  });
}

function excluded(q: string, field: string, value: string): string {
  const own = isOwn(field);
  const mine = conjuncts(q).filter(own);
  if (mine.some((part) => isExcluded(part, field, value))) return q;
  const next = replaced(q, `-${clause(field, value)}`, (part) =>
    own(part) && !part.negated ? narrowed(part, field, value) : part.text,
  );
  // Of service:(api OR web) without api, service:web says all there is to say.
  const rest = conjuncts(next).filter(own);
  return rest.some((part) => !part.negated && isExcluded(part, field, value))
    ? withoutExclusion(next, field, value)
    : next;
}

/** Whether no line with this value comes through: it is named, or the only values that do are others. */
function isExcluded(part: Part, field: string, value: string): boolean {
  if (part.negated) return isPresence(part) || holds(part, value);
  return SINGLE.includes(field) && part.items.every((item) => item.value !== null) && !holds(part, value);
}

function withoutExclusion(q: string, field: string, value: string): string {
  const own = isOwn(field);
  return joined(
    conjuncts(q).map((part) =>
      own(part) && part.negated && holds(part, value) ? narrowed(part, field, value) : part.text,
    ),
  );
}

/**
 * A value that is ticked or unticked in a list of them. `ticked`: whether the query lets it through now and not
 * every other one too; where that is not given, it is what stands in the query.
 */
export function toggled(q: string, field: string, value: string, ticked?: boolean): string {
  const own = isOwn(field);
  const mine = conjuncts(q).filter(own);
  const list = mine.find((part) => !part.negated && !isPresence(part));
  if (mine.some((part) => part.negated && holds(part, value))) return withoutExclusion(q, field, value);
  if (list && holds(list, value))
    return joined(
      conjuncts(q).map((part) => (part.text === list.text ? narrowed(part, field, value) : part.text)),
    );
  // It passes by a comparison or a wildcard, or because only others are excluded.
  if (ticked) return excluded(q, field, value);
  if (!list) return edited(q, field, value, "filter");
  const wider = alternatives(field, [...list.items.map((item) => item.text), valued(value)]);
  return joined(conjuncts(q).map((part) => (part.text === list.text ? wider : part.text)));
}

/** Only lines without the field; only lines with it. */
export function missing(q: string, field: string): string {
  const own = isOwn(field);
  return replaced(q, `-${named(field)}:*`, (part) => (own(part) ? "" : part.text));
}

export function present(q: string, field: string): string {
  const own = isOwn(field);
  const mine = conjuncts(q).filter((part) => own(part) && !part.negated);
  if (mine.length > 0) return q;
  return replaced(q, `${named(field)}:*`, (part) =>
    own(part) && part.negated && isPresence(part) ? "" : part.text,
  );
}

/** Without what the query says of the field. */
export function without(q: string, field: string): string {
  const own = isOwn(field);
  return joined(conjuncts(q).map((part) => (own(part) ? "" : part.text)));
}

/** Lines whose value is none of these; and those whose value is one of them, or none where `bare`. */
export function others(q: string, field: string, values: readonly string[]): string {
  const rest = conjuncts(q).map((part) => part.text);
  return joined([...rest, `${named(field)}:*`, `-${alternatives(field, values.map(valued))}`]);
}

export function among(q: string, field: string, values: readonly string[], bare: boolean): string {
  const rest = conjuncts(q).map((part) => part.text);
  const any = alternatives(field, values.map(valued));
  return joined([...rest, bare ? `(${any} OR -${named(field)}:*)` : any]);
}

/** Whether this is all that the query says of the field. */
export function saysOnly(q: string, field: string, wanted: string): boolean {
  const own = isOwn(field);
  const mine = conjuncts(q).filter(own);
  return mine.length === 1 && mine[0]?.text === wanted;
}

// ---- the pieces ----

/** The parts that all hold. Those of an OR hold as one. */
function conjuncts(q: string): Part[] {
  const found = parts(q).filter((part) => part.text !== "AND" && part.text !== "*");
  const isOr = (part: Part) => part.kind === "operator" && part.text === "OR";
  if (!found.some(isOr)) return found;
  return [{ text: `(${q.trim()})`, kind: "group", negated: false, field: "", items: [] }];
}

/** Each part as it then is, and `wanted` once: where the first part was that gave way to it, or at the end. */
function replaced(q: string, wanted: string, then: (part: Part) => string): string {
  const before = conjuncts(q);
  const after = before.map(then);
  if (after.includes(wanted)) return joined(after);
  const gave = after.findIndex((text, index) => text === "" && before[index]?.text !== "");
  if (gave === -1) after.push(wanted);
  else after[gave] = wanted;
  return joined(after);
}

function joined(texts: readonly string[]): string {
  return texts.filter(Boolean).join(" ");
}

function isOwn(field: string): (part: Part) => boolean {
  const key = fieldKey(field);
  return (part) => part.kind === "clause" && part.field === key;
}

function isPresence(part: Part): boolean {
  return part.items.length === 1 && part.items[0]?.text === "*";
}

function holds(part: Part, value: string): boolean {
  return part.items.some((item) => same(part, item, value));
}

function same(part: Part, { value }: Item, wanted: string): boolean {
  if (value === null) return false;
  return part.field === "severity" ? value.toLowerCase() === wanted.toLowerCase() : value === wanted;
}

/** The clause without this one of its alternatives; "" if there was no other. */
function narrowed(part: Part, field: string, value: string): string {
  const left = part.items.filter((item) => !same(part, item, value));
  if (left.length === part.items.length) return part.text;
  if (left.length === 0) return "";
  const rest = alternatives(
    field,
    left.map((item) => item.text),
  );
  return part.negated ? `-${rest}` : rest;
}

function alternatives(field: string, texts: readonly string[]): string {
  return texts.length === 1 ? `${named(field)}:${texts[0]}` : `${named(field)}:(${texts.join(" OR ")})`;
}
