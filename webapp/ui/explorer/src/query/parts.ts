/**
 * Takes a query apart at its top level, as text: what stands in quotes, parentheses or brackets stays whole.
 * It follows webapp/logs/query.lark closely enough to edit a query; the server alone says what one means.
 */

export interface Part {
  text: string; // as written, with its minus
  kind: "clause" | "word" | "group" | "AND" | "OR" | "NOT";
  negated: boolean; // by a minus of its own
  field: string; // of a clause: the name as written, without quotes and escapes
  value: string; // of a clause: what is behind the colon, as written
}

const FIELD =
  /^(?:@?(?:[A-Za-z_\u0080-\uffff])(?:[\w.\-/@$#%+\u0080-\uffff]|\\["\\*?:])*|\*|@?"(?:[^"\\]|\\.)+"):(?=[^\s:)])(?!\/\/)/;
const QUOTED = /^"(?:[^"\\]|\\.)*"?/;
const OPERATORS = ["AND", "OR", "NOT"];

export function parts(q: string): Part[] {
  const found: Part[] = [];
  let at = 0;
  while (at < q.length) {
    if (/\s/.test(q[at] ?? "")) {
      at += 1;
      continue;
    }
    const text = q.slice(at, at + whole(q.slice(at)));
    found.push(part(text));
    at += text.length;
  }
  return found;
}

function part(text: string): Part {
  const negated = text.startsWith("-") && text.length > 1;
  const bare = negated ? text.slice(1) : text;
  const none = { text, negated, field: "", value: "" };
  if (OPERATORS.includes(text)) return { ...none, kind: text as "AND" | "OR" | "NOT" };
  if (bare.startsWith("(")) return { ...none, kind: "group" };
  const name = FIELD.exec(bare)?.[0];
  if (!name) return { ...none, kind: "word" };
  return {
    text,
    negated,
    kind: "clause",
    field: unquoted(name.slice(0, -1)),
    value: bare.slice(name.length),
  };
}

/** How long the part is that the text begins with. */
function whole(text: string): number {
  let at = text.startsWith("-") ? 1 : 0;
  const name = FIELD.exec(text.slice(at))?.[0] ?? "";
  at += name.length;
  const rest = text.slice(at);
  const mark = /^(>=|<=|>|<|~)/.exec(name ? rest : "")?.[0] ?? "";
  at += mark.length;
  const value = text.slice(at);
  if (value.startsWith('"')) return at + (QUOTED.exec(value)?.[0].length ?? 1);
  if (value.startsWith("(")) return at + enclosed(value, "(", ")");
  if (name && /^[[{]/.test(value)) return at + bracketed(value);
  const length = /^[^\s()"]+/.exec(value)?.[0].length ?? 1;
  return at + Math.max(1, length);
}

function enclosed(text: string, open: string, close: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at += (QUOTED.exec(text.slice(at))?.[0].length ?? 1) - 1;
    else if (character === open) depth += 1;
    else if (character === close) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

function bracketed(text: string): number {
  return (/^[[{][^\]}]*[\]}]?/.exec(text)?.[0] ?? text).length;
}

export function unquoted(text: string): string {
  const at = text.startsWith("@") ? "@" : "";
  const bare = text.slice(at.length);
  return bare.startsWith('"') ? at + bare.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1") : text;
}

/** The values of `a`, `"a b"`, `(a OR "b c")`; null where it is something else than a list of plain values. */
export function listed(value: string): string[] | null {
  if (!value.startsWith("(")) return plain(value) ? [unquoted(value)] : null;
  const inner = parts(value.slice(1, -1).replaceAll(",", " OR "));
  const values: string[] = [];
  for (const [index, one] of inner.entries()) {
    if (index % 2 === 1 ? one.kind !== "OR" : !plain(one.text)) return null;
    if (index % 2 === 0) values.push(unquoted(one.text));
  }
  return values;
}

function plain(text: string): boolean {
  return text.startsWith('"') || /^(?![[{<>~(])[^\s*?]+$/.test(text);
}
