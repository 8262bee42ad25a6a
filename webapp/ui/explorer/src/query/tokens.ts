/** Colours for a query while it is typed. Every character of it is in exactly one token. */

export type Kind = "field" | "operator" | "string" | "number" | "mark" | "text";

export interface Token {
  text: string;
  kind: Kind;
}

const RULES: readonly [Kind, RegExp][] = [
  ["text", /\s+/y],
  [
    "field",
    /-?@?(?:[A-Za-z_*\u0080-\uffff][\w.\-/@$#%+\u0080-\uffff]*|"(?:[^"\\]|\\.)+"):(?=[^\s:)])(?!\/\/)/y,
  ],
  ["string", /~?"(?:[^"\\]|\\.)*"?/y],
  ["operator", /(?:AND|OR|NOT|TO)(?=[\s()"]|$)/y],
  ["mark", /[()[\]{},]|>=|<=|[<>]|-(?=\S)/y],
  ["number", /\d+(?:\.\d+)?(?=[\s()\]},]|$)/y],
  ["text", /[^\s()[\]{},"]+/y],
];

export function tokens(q: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < q.length) {
    const token = next(q, at);
    found.push(token);
    at += token.text.length;
  }
  return found;
}

function next(q: string, at: number): Token {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = at;
    const text = rule.exec(q)?.[0];
    if (text) return { text, kind };
  }
  return { text: q[at] ?? "", kind: "text" };
}

/** The server counts characters, a script counts UTF-16 units: 🙂 is one there and two here. */
export function unitsOf(q: string, characters: number): number {
  return [...q].slice(0, characters).join("").length;
}
