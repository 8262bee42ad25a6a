/** Asks for what completing.ts offers: over the range alone, so that a query that finds nothing still gets help. */
import { useQuery } from "@tanstack/react-query";
import { get } from "../api/client";
import type { Facets, Fields } from "../api/types";
import { asked } from "../data/ask";
import type { Address } from "../state/address";
import { namesFor, OFFERS, type Offer, valuesFor, type Word } from "./completing";
import { useSettled } from "./settled";

const PAUSE_MS = 120;
const HELD_MS = 60_000;

export function useOffers(address: Address, word: Word | null): Offer[] {
  const range = { ...asked(address), q: "", as_of: "" };
  const field = useSettled(word?.field ?? null, PAUSE_MS);
  const contains = useSettled(word?.text ?? "", PAUSE_MS);
  // An older question is aborted by react-query as soon as nobody waits for its answer.
  const names = useQuery({
    queryKey: ["offered names", range, contains],
    queryFn: ({ signal }) => get<Fields>("logs/fields", { ...range, contains }, signal),
    enabled: word !== null && word.field === null,
    gcTime: HELD_MS,
    retry: false,
  });
  const values = useQuery({
    queryKey: ["offered values", range, field, contains],
    queryFn: ({ signal }) =>
      get<Facets>(
        "logs/facets",
        { ...range, field: field ?? "", contains, limit: OFFERS, own: "exclude" },
        signal,
      ),
    enabled: word !== null && field !== null && field === word.field,
    gcTime: HELD_MS,
    retry: false,
  });
  if (word === null) return [];
  if (word.field === null) return names.isPending && !names.error ? [] : namesFor(word, names.data?.fields);
  return valuesFor(word, values.data?.facets[0]?.values ?? []);
}
