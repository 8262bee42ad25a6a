/**
 * The state of the page is its address and nothing else: read it, write it, hear of it.
 *
 * What equals its default is left out, so that the shortest link says the same as the longest. Relative times
 * stay relative. `as_of` is there only in a frozen link.
 */
import { useSyncExternalStore } from "react";
import { boot } from "../boot";

export type Order = "desc" | "asc";
export type Scope = "host" | "service" | "source" | "all";

export interface Address {
  q: string;
  start: string;
  end: string;
  tz: string; // "local", "UTC" or an IANA name
  order: Order;
  columns: string[];
  facets: string[]; // the fields whose values are listed
  by: string; // what the histogram is coloured by
  line: string; // the id of the line that stands open
  context: string; // the id of the line whose surroundings are shown
  scope: Scope;
  live: boolean;
  wrap: boolean;
  as_of: string;
}

export const DEFAULTS: Address = {
  q: "",
  start: "now-15m",
  end: "now",
  tz: boot.preferences.tz ?? "local",
  order: "desc",
  columns: boot.preferences.columns ?? ["service", "host"],
  facets: ["severity", "service", "host", "source"],
  by: "severity",
  line: "",
  context: "",
  scope: "host",
  live: false,
  wrap: boot.preferences.wrap ?? false,
  as_of: "",
};

export function read(search: string, defaults: Address = DEFAULTS): Address {
  const query = new URLSearchParams(search);
  const text = (name: keyof Address) => query.get(name) ?? (defaults[name] as string);
  const flag = (name: "live" | "wrap") => (query.has(name) ? query.get(name) === "1" : defaults[name]);
  const names = (name: "columns" | "facets") => {
    const list = query.get(name);
    return list === null ? defaults[name] : list.split(",").filter(Boolean).map(decodeURIComponent);
  };
  return {
    q: text("q"),
    start: text("start"),
    end: text("end"),
    tz: text("tz"),
    order: text("order") === "asc" ? "asc" : "desc",
    columns: names("columns"),
    facets: names("facets"),
    by: text("by"),
    line: text("line"),
    context: text("context"),
    scope: oneOf(text("scope"), ["host", "service", "source", "all"], "host"),
    live: flag("live"),
    wrap: flag("wrap"),
    as_of: text("as_of"),
  };
}

export function written(address: Address, defaults: Address = DEFAULTS): string {
  const query = new URLSearchParams();
  for (const name of Object.keys(defaults) as (keyof Address)[]) {
    const value = plain(address[name]);
    if (value !== plain(defaults[name])) query.set(name, value);
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

function plain(value: Address[keyof Address]): string {
  if (Array.isArray(value)) return value.map(encodeURIComponent).join(",");
  return typeof value === "boolean" ? (value ? "1" : "0") : value;
}

function oneOf<T extends string>(text: string, known: readonly T[], other: T): T {
  return known.includes(text as T) ? (text as T) : other;
}

// ---- the browser's address bar as a store ----

const listeners = new Set<() => void>();
let held: { search: string; address: Address } | null = null;

function current(): Address {
  const search = window.location.search;
  if (held?.search !== search) held = { search, address: read(search) };
  return held.address;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

export function useAddress(): Address {
  return useSyncExternalStore(subscribe, current);
}

/** What changes the set of lines begins a new entry of the history; anything else replaces the present one. */
const STEPS: readonly (keyof Address)[] = ["q", "start", "end", "context", "as_of", "live"];

export function go(patch: Partial<Address>): void {
  const before = current();
  const address = { ...before, ...patch };
  const search = written(address);
  if (search === written(before)) return;
  const step = STEPS.some((name) => name in patch && plain(address[name]) !== plain(before[name]));
  const where = window.location.pathname + search;
  if (step) window.history.pushState(null, "", where);
  else window.history.replaceState(null, "", where);
  for (const listener of listeners) listener();
}
