/**
 * The three answers of one search: lines first, and then, under the as_of they came with, histogram and facets.
 *
 * Each stands and fails by itself. A newer search keeps the older answer in sight until its own is there
 * (`isPlaceholderData`); `stop` aborts what is under way, and the server then cancels the SQL.
 */
import { keepPreviousData, type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { get } from "../api/client";
import type { Facets, Fields, Histogram, Page, Status, Suggestion } from "../api/types";
import type { Address } from "../state/address";
import { asked } from "./ask";

const FIRST_PAGE = 100;
// Bars of three pixels and more, on a large screen and on a small one.
const BUCKETS = globalThis.innerWidth > 800 ? 120 : 60;
const RESULTS = ["lines", "page", "histogram", "facets"];

// ---- Run again: the same question, asked anew ----

let runs = 0;
const listeners = new Set<() => void>();

export function runAgain(): void {
  runs += 1;
  for (const listener of listeners) listener();
}

function useRun(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => runs,
  );
}

export function stop(client: QueryClient): void {
  for (const name of RESULTS) void client.cancelQueries({ queryKey: [name] });
}

// ---- the answers ----

/** The first page. What is behind it is data/pages.ts. */
export function useLines(address: Address) {
  const params = { ...asked(address), order: address.order, limit: FIRST_PAGE };
  const run = useRun();
  return useQuery({
    queryKey: ["lines", params, run],
    queryFn: ({ signal }) => get<Page>("logs/search", params, signal),
    placeholderData: keepPreviousData,
  });
}

/** The as_of of the lines that are shown, or "" while another search is on its way. */
export function useAsOf(address: Address): string {
  const lines = useLines(address);
  return lines.isPlaceholderData ? "" : (lines.data?.as_of ?? "");
}

export function useHistogram(address: Address, buckets = BUCKETS) {
  const as_of = useAsOf(address);
  const params = { ...asked(address), as_of, by: address.by, buckets };
  return useQuery({
    queryKey: ["histogram", params],
    queryFn: ({ signal }) => get<Histogram>("logs/histogram", params, signal),
    enabled: as_of !== "",
    placeholderData: keepPreviousData,
  });
}

export function useFacets(
  address: Address,
  field: string[],
  { contains = "", limit = 10, wanted = true } = {},
) {
  const as_of = useAsOf(address);
  const params = { ...asked(address), as_of, field, contains, limit };
  return useQuery({
    queryKey: ["facets", params],
    queryFn: ({ signal }) => get<Facets>("logs/facets", params, signal),
    enabled: wanted && as_of !== "",
    placeholderData: keepPreviousData,
  });
}

export function useFields(address: Address, contains: string, wanted = true) {
  const params = { ...asked(address), contains };
  return useQuery({
    queryKey: ["fields", params],
    queryFn: ({ signal }) => get<Fields>("logs/fields", params, signal),
    enabled: wanted,
    placeholderData: keepPreviousData,
  });
}

/** Why a search found nothing. */
export function useSuggestion(address: Address, wanted: boolean) {
  const params = asked(address);
  return useQuery({
    queryKey: ["suggest", params],
    queryFn: ({ signal }) => get<Suggestion>("logs/suggest", params, signal),
    enabled: wanted,
  });
}

export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => get<Status>("status", {}, signal),
    refetchInterval: 5000,
    placeholderData: keepPreviousData,
  });
}

export function useStop(): () => void {
  const client = useQueryClient();
  return () => stop(client);
}
