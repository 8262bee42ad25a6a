/** Asks the REST API. Every failure is a `Problem`: what is wrong, in words that can be shown. */
import { boot } from "../boot";
import type { Complaint } from "./types";

export type Value = string | number | boolean | string[] | undefined;
export type Params = { [name: string]: Value };

export class Problem extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    readonly code: string,
    readonly detail: string,
    readonly errors: Complaint[] = [],
    readonly retryAfter: number | null = null, // seconds
    readonly more: { [name: string]: unknown } = {},
  ) {
    super(detail);
  }

  get transient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function addressOf(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  const text = query.toString();
  return `/api/v1/${path}${text ? `?${text}` : ""}`;
}

export function get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  return asked<T>(addressOf(path, params), signal ? { signal } : {});
}

export function send<T>(method: "POST" | "PATCH", path: string, body: unknown): Promise<T> {
  return asked<T>(addressOf(path), {
    method,
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-CSRFToken": boot.csrf },
  });
}

/** An answer that is read as it comes. */
export function opened(path: string, params: Params, init: RequestInit): Promise<Response> {
  return answered(addressOf(path, params), init);
}

async function asked<T>(address: string, init: RequestInit): Promise<T> {
  return (await (await answered(address, init)).json()) as T;
}

async function answered(address: string, init: RequestInit): Promise<Response> {
  const answer = await reached(address, init);
  if (answer.ok) return answer;
  if (answer.status === 401) logIn();
  throw await problemOf(answer);
}

async function reached(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "Logboom does not answer. Is the network there?");
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  const wait = Number(answer.headers.get("Retry-After")) || null;
  try {
    const { detail, title, code, errors, ...more } = await answer.json();
    return new Problem(answer.status, code ?? "error", detail || title, errors ?? [], wait, more);
  } catch {
    return new Problem(answer.status, "error", `The server answered ${answer.status}.`, [], wait);
  }
}

/** The session ended: the way back is this very address. */
function logIn(): void {
  const here = window.location.pathname + window.location.search;
  window.location.assign(`${boot.login_url}?next=${encodeURIComponent(here)}`);
}
