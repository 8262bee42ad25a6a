/**
 * What the server makes of a query, a moment after the last key: it is read and never run.
 *
 * Where that answer does not come, the search itself says what is wrong with the query that was run.
 */
import { type QueryClient, useQuery } from "@tanstack/react-query";
import { get, Problem } from "../api/client";
import type { Complaint, Parsed } from "../api/types";
import { useLines } from "../data/results";
import type { Address } from "../state/address";
import { useSettled } from "./settled";

const PAUSE_MS = 250;
const END_PAUSE_MS = 1000; // what is wrong where one is still typing, one mostly knows
const MOST_BYTES = 4096;
const HELD_MS = 60_000;
export const NONE: Parsed = { errors: [], warnings: [], canonical: null };

/** `refused`: what could not be run; its mistake is told at once, also at its end. */
export function useParsed(text: string, address: Address, refused: string): Parsed {
  const settled = useSettled(text, PAUSE_MS);
  const { data } = useQuery({
    ...reading(settled),
    enabled: settled.trim() !== "" && tooLong(settled) === null,
  });
  const searched = useSearched(address);
  const rested = useSettled(text, END_PAUSE_MS);
  const long = tooLong(text);
  if (long) return { ...NONE, errors: [long] };
  // What was said of another text says nothing of this one.
  if (data && settled === text)
    return [rested, address.q, refused].includes(text) ? data : beforeEnd(data, text);
  return text === address.q ? searched : NONE;
}

function beforeEnd(parsed: Parsed, text: string): Parsed {
  const end = [...text.trimEnd()].length;
  return { ...parsed, errors: parsed.errors.filter(({ offset, length }) => offset + length < end) };
}

function useSearched(address: Address): Parsed {
  const { error, data, isPlaceholderData } = useLines(address);
  const errors = error instanceof Problem ? error.errors.filter(({ param }) => param === "q") : [];
  const warnings = data && !isPlaceholderData ? data.warnings : [];
  return { ...NONE, errors, warnings };
}

/** Whether it can be run. A server that does not say so now will say it of the search. */
export async function readable(client: QueryClient, text: string): Promise<boolean> {
  if (text.trim() === "") return true;
  if (tooLong(text)) return false;
  try {
    return (await client.fetchQuery(reading(text))).errors.length === 0;
  } catch {
    return true;
  }
}

function reading(text: string) {
  return {
    queryKey: ["parse", text],
    queryFn: ({ signal }: { signal: AbortSignal }) => get<Parsed>("logs/parse", { q: text }, signal),
    gcTime: HELD_MS,
    retry: false,
  };
}

function tooLong(text: string): Complaint | null {
  const size = new TextEncoder().encode(text).length;
  if (size <= MOST_BYTES) return null;
  const message = `A query has at most ${MOST_BYTES.toLocaleString("en")} bytes; this one has ${size.toLocaleString("en")}.`;
  return { param: "q", offset: 0, length: text.length, message, hint: null, fix: null };
}
