/** What could stand where the caret is: the names of fields, or the values of the field that is being given. */
import { useFacet, useFields } from "../data/results";
import type { Address } from "../state/address";
import { clause } from "./edit";
import { unquoted } from "./parts";

export interface Offer {
  text: string; // as it is shown
  put: string; // what takes the place of the word
  lines: number;
}

export interface Word {
  from: number; // where it begins
  to: number; // the caret
  field: string | null; // null: a field's own name is being typed
  text: string; // what is there of the name or the value
}

const OFFERS = 8;
const BEGUN = /(?:^|[\s(])-?((?:@?[A-Za-z_][\w.\-/@$#%+]*|"(?:[^"\\]|\\.)+"):)?("?[^\s()"]*)$/;

export function wordAt(q: string, caret: number): Word | null {
  const found = BEGUN.exec(q.slice(0, caret));
  if (!found) return null;
  const [, name, text = ""] = found;
  const from = caret - text.length - (name?.length ?? 0);
  if (name) return { from, to: caret, field: unquoted(name.slice(0, -1)), text: text.replace(/^"/, "") };
  return text.length > 0 && /^[A-Za-z_@]/.test(text) ? { from, to: caret, field: null, text } : null;
}

export function useOffers(address: Address, word: Word | null): Offer[] {
  const fields = useFields(address, word && word.field === null ? word.text : "", word?.field === null);
  const values = useFacet(address, word?.field ?? "service", {
    contains: word?.text ?? "",
    limit: OFFERS,
    wanted: word !== null && word.field !== null,
  });
  if (!word) return [];
  const { field } = word;
  if (field === null)
    return (fields.data?.fields ?? [])
      .slice(0, OFFERS)
      .map(({ name, count }) => ({ text: name, put: clause(name, "x").slice(0, -1), lines: count }));
  return (values.data?.facets[0]?.values ?? [])
    .filter(({ value }) => value !== word.text)
    .map(({ value, count }) => ({ text: value, put: `${clause(field, value)} `, lines: count }));
}
