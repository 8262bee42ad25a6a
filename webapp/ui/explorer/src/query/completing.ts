/** What could stand at the caret: the names of fields, or the values of the field that is being given. Pure. */
import type { FacetValue, FieldEntry } from "../api/types";
import { nameFor, valueFor } from "./edit";
import { BUILTIN, fieldKey, unquoted } from "./parts";
import { type Token, tokens } from "./tokens";

/** What an offer takes the place of. */
export interface Word {
  from: number;
  to: number;
  field: string | null; // null: a field's own name is being typed
  text: string; // what there is of the name or the value, up to the caret
  list: boolean; // inside field:( )
}

export interface Offer {
  text: string; // as it is shown
  put: string; // what takes the place of the word
  lines: number | null; // in the range; null: not known
  note: string;
}

export const OFFERS = 8;
// The API counts no values of the others: each is different on nearly every line.
const COUNTED = ["severity", "service", "host", "source"];
const COMPLETE = ["value", "number", "time", "string"];

/** `wanted`: asked for by a key, so also where nothing has been typed yet. */
export function wordAt(q: string, caret: number, wanted = false): Word | null {
  const empty = { from: caret, to: caret, text: "" };
  let field: string | null = null;
  let list = false;
  let behindName = false;
  for (const token of tokens(q)) {
    const end = token.at + token.text.length;
    if (caret < token.at || (caret === token.at && !behindName)) break;
    behindName = token.kind === "field";
    const inside = token.kind === "field" ? caret < end : caret <= end;
    if (inside && token.kind !== "space") {
      const opens = token.text === "(" && field !== null && !list;
      if (field !== null && (opens || token.text === ",")) return { ...empty, field, list: true };
      return wordIn(token, caret, field, list);
    }
    if (token.kind === "field") field = unquoted(token.text.slice(0, -1));
    else if (token.text === "(" && field !== null) list = true;
    else if (token.text === ")" || (!list && COMPLETE.includes(token.kind))) {
      field = null;
      list = false;
    }
  }
  if (list && field !== null) return { ...empty, field, list };
  return wanted ? { ...empty, field: null, list: false } : null;
}

function wordIn(token: Token, caret: number, field: string | null, list: boolean): Word | null {
  const { kind, at } = token;
  const text = token.text.slice(0, caret - at);
  const to = at + token.text.length;
  if (field !== null && COMPLETE.includes(kind))
    return isCounted(field) ? { from: at, to, field, text: unquoted(text), list } : null;
  if (kind === "field") return { from: at, to, field: null, text, list: false };
  if (kind !== "word" || !/^[\p{L}_@]/u.test(text)) return null;
  if (!text.endsWith(":") || caret !== to) return { from: at, to, field: null, text, list: false };
  const name = text.slice(0, -1);
  return isCounted(name) ? { from: caret, to: caret, field: name, text: "", list: false } : null;
}

function isCounted(field: string): boolean {
  const key = fieldKey(field);
  return key !== "*" && (key.startsWith("@") || COUNTED.includes(key));
}

/** Names that begin so come before those that contain it; without an answer the built-in ones are known. */
export function namesFor({ text }: Word, entries: readonly FieldEntry[] | undefined): Offer[] {
  const wanted = text.toLowerCase();
  const rank = (name: string) => (name.toLowerCase().startsWith(wanted) ? 0 : 1);
  const known = entries
    ? entries.map(({ name, count, types }) => ({ name, lines: count, note: types.join(", ") }))
    : BUILTIN.filter((name) => name.includes(wanted)).map((name) => ({ name, lines: null, note: "" }));
  return known
    .sort((a, b) => rank(a.name) - rank(b.name))
    .slice(0, OFFERS)
    .map(({ name, lines, note }) => ({ text: name, put: `${nameFor(name)}:`, lines, note }));
}

export function valuesFor(word: Word, values: readonly FacetValue[]): Offer[] {
  const behind = word.list ? "" : " ";
  return values
    .filter(({ value }) => value !== "")
    .slice(0, OFFERS)
    .map(({ value, count }) => ({ text: value, put: valueFor(value) + behind, lines: count, note: "" }));
}
