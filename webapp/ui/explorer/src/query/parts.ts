/**
 * Takes a query apart at its top level, as text: what stands in quotes, parentheses or brackets stays whole.
 * It reads what query.lark reads, closely enough to edit a query; the server alone says what one means.
 */
import { type Token, tokens } from "./tokens";

/** One of the alternatives that a clause gives its field. */
export interface Item {
  text: string; // as written
  value: string | null; // what is meant, where it is one plain value
}

export interface Part {
  text: string; // as written, with what negates it
  kind: "clause" | "word" | "group" | "operator";
  negated: boolean;
  field: string; // of a clause: what its name means, see `fieldKey`
  items: Item[]; // of a clause
}

export const BUILTIN = [
  "time",
  "severity",
  "service",
  "host",
  "message",
  "trace_id",
  "span_id",
  "source",
  "batch",
];
const ALIASES: { [name: string]: string } = { level: "severity" };
const ESCAPE = /\\(["\\*?:])/g;
const NETWORK = /^[0-9A-Fa-f.:]+\/[0-9]{1,3}$/;

export function isBuiltin(name: string): boolean {
  return BUILTIN.includes(name) || name in ALIASES;
}

/** Two names mean the same field if this is the same: `level` and `severity`, `@x`, `attributes.x` and `x`. */
export function fieldKey(name: string): string {
  if (name.startsWith("@")) return name;
  const known = ALIASES[name] ?? name;
  if (BUILTIN.includes(known) || known === "*") return known;
  return `@${known.replace(/^attributes\./, "")}`;
}

export function parts(q: string): Part[] {
  const row = tokens(q);
  const found: Part[] = [];
  for (let at = 0; at < row.length; ) {
    if (row[at]?.kind === "space") {
      at += 1;
      continue;
    }
    const end = endOf(row, at);
    found.push(part(row.slice(at, end)));
    at = end;
  }
  return found;
}

/** Behind the part that begins there: with the NOTs before it, and with all that its parentheses hold. */
function endOf(row: readonly Token[], from: number): number {
  let at = from;
  while (isNot(row[at]) && at + 1 < row.length) at = skipSpace(row, at + 1);
  const first = row[at];
  if (!first) return row.length;
  if (first.text === "(") return closed(row, at);
  if (first.kind !== "field") return at + 1;
  at += 1;
  if (row[at]?.kind === "mark" && /^[<>]/.test(row[at]?.text ?? "")) at = skipSpace(row, at + 1);
  const value = row[at];
  if (value?.text === "(") return closed(row, at);
  if (value && "[{".includes(value.text)) return bracketed(row, at);
  return Math.min(at + 1, row.length);
}

function isNot(token: Token | undefined): boolean {
  return token?.kind === "operator" && (token.text === "NOT" || token.text === "-");
}

function skipSpace(row: readonly Token[], at: number): number {
  return row[at]?.kind === "space" ? at + 1 : at;
}

function closed(row: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < row.length; at += 1) {
    if (row[at]?.text === "(") depth += 1;
    if (row[at]?.text === ")") depth -= 1;
    if (depth === 0) return at + 1;
  }
  return row.length;
}

function bracketed(row: readonly Token[], from: number): number {
  const end = row.findIndex((token, at) => at > from && token.kind === "mark" && /[\]}]/.test(token.text));
  return end === -1 ? row.length : end + 1;
}

function part(row: readonly Token[]): Part {
  const text = textOf(row);
  const first = row.findIndex((token) => token.kind !== "space" && !isNot(token));
  const negated = row.slice(0, Math.max(0, first)).filter(isNot).length % 2 === 1;
  const none = { text, negated, field: "", items: [] };
  const head = row[first];
  if (!head || head.kind === "operator") return { ...none, kind: "operator" };
  if (head.text === "(") return { ...none, kind: "group" };
  if (head.kind !== "field") return { ...none, kind: "word" };
  const name = unquoted(head.text.slice(0, -1));
  return { ...none, kind: "clause", field: fieldKey(name), items: items(row.slice(first + 1)) };
}

/** The alternatives: split at commas and ORs, which in a list are nothing else. */
function items(row: readonly Token[]): Item[] {
  if (row[0]?.text !== "(") return [item(row)];
  const found: Item[] = [];
  let held: Token[] = [];
  const put = () => {
    if (held.some((token) => token.kind !== "space")) found.push(item(held));
    held = [];
  };
  for (const token of row.slice(1, row.at(-1)?.text === ")" ? -1 : undefined)) {
    if (token.text === "," || (token.kind === "operator" && token.text === "OR")) put();
    else held.push(token);
  }
  put();
  return found;
}

function item(row: readonly Token[]): Item {
  const bare = row.filter((token) => token.kind !== "space");
  const text = textOf(row).trim();
  return { text, value: bare.length === 1 ? meant(bare[0] as Token) : null };
}

/** The value that this token stands for; null where it stands for several: wildcards, networks, expressions. */
function meant({ kind, text }: Token): string | null {
  if (kind === "string") return unquoted(text);
  if (!["value", "number", "time"].includes(kind) || NETWORK.test(text)) return null;
  return /[*?]/.test(text.replace(ESCAPE, "")) ? null : text.replace(ESCAPE, "$1");
}

export function unquoted(text: string): string {
  const at = text.startsWith("@") ? "@" : "";
  const bare = text.slice(at.length);
  const inner = /^["“”„]/.test(bare) ? bare.slice(1).replace(/["“”]$/, "") : bare;
  return at + inner.replace(ESCAPE, "$1");
}

export function isNetwork(text: string): boolean {
  return NETWORK.test(text);
}

function textOf(row: readonly Token[]): string {
  return row.map((token) => token.text).join("");
}
