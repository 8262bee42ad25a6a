/**
 * A query as a row of tokens, for colours, for what can stand at the caret, and for editing it as text.
 *
 * The same terminals as webapp/logs/query.lark, read with what stands before them in mind: a comma ends a value
 * inside field:( ) and nowhere else. It takes every text, half a query too, and every character is in exactly one
 * token. What a query means is the server's to say.
 */

export type Kind =
  | "space"
  | "field" // a name with its colon
  | "operator" // AND OR NOT - TO
  | "paren"
  | "mark" // comparisons, brackets, commas
  | "string" // a quoted value
  | "regex"
  | "number"
  | "time"
  | "value"
  | "word"
  | "phrase";

export interface Token {
  kind: Kind;
  text: string;
  at: number;
}

type Where = "query" | "value" | "list" | "range";
type Rule = readonly [Kind, RegExp, Where?];

const SPACE: Rule = ["space", /\s+/uy];
const FIELD =
  /(?:@?(?:[\p{L}\p{Nl}\p{No}_]|\\["\\*?:])(?:[\p{L}\p{N}_.\-/@$#%+]|\\["\\*?:])*|\*|@?"(?:[^"\\]|\\.)+"|“[^“”]+”):(?=[^\s:)])(?!\/\/)/suy;
// A quotation mark that nothing closes takes the rest: so it looks while it is being typed.
const QUOTED = /"(?:[^"\\]|\\.)*(?:"|$)|[“”„](?:[^“”\\]|\\.)*(?:[“”]|$)/suy;
const REGEX = /~\s*(?:"(?:[^"\\]|\\.)*(?:"|$))?/suy;
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?(?=[\s(),\]}]|$)/uy;
const TIME = /(?:now|\d{4}-\d\d-\d\d)[^\s(),\]}"“”„]*/uy;

const RULES: { readonly [where in Where]: readonly Rule[] } = {
  query: [
    SPACE,
    ["paren", /[()]/uy],
    ["operator", /(?:AND|OR|NOT)(?=[\s()"“”„]|$)/uy],
    ["operator", /-(?=[^\s)-])/uy],
    ["field", FIELD, "value"],
    ["phrase", QUOTED],
    ["word", /(?:\\["\\*?:]|[^\s()"“”„])+/uy],
  ],
  value: [
    SPACE,
    ["paren", /\(/uy, "list"],
    ["paren", /\)/uy, "query"],
    ["mark", /(?:>=|<=|>|<)/uy],
    ["mark", /[[{]/uy, "range"],
    ["regex", REGEX, "query"],
    ["string", QUOTED, "query"],
    ["number", NUMBER, "query"],
    ["time", TIME, "query"],
    ["value", /(?:\\["\\*?:]|[^\s()"“”„])+/uy, "query"],
  ],
  list: [
    SPACE,
    ["paren", /\)/uy, "query"],
    ["paren", /\(/uy],
    ["operator", /OR(?=[\s(),"“”„]|$)/uy],
    ["mark", /,|>=|<=|>|</uy],
    ["mark", /[[{]/uy, "range"],
    ["regex", REGEX],
    ["string", QUOTED],
    ["number", NUMBER],
    ["time", TIME],
    ["value", /(?:\\["\\*?:]|[^\s(),"“”„])+/uy],
  ],
  range: [
    SPACE,
    ["mark", /[\]}]/uy],
    ["operator", /TO(?=[\s"“”„]|$)/uy],
    ["string", QUOTED],
    ["number", NUMBER],
    ["time", TIME],
    ["value", /[^\s\]}"“”„]+/uy],
  ],
};

export function tokens(q: string): Token[] {
  const found: Token[] = [];
  let where: Where = "query";
  let behind: Where = "query"; // where the range that is open leads back to
  for (let at = 0; at < q.length; ) {
    const [token, next] = one(q, at, RULES[where]);
    found.push(token);
    at += token.text.length;
    if (next === "range") behind = where === "list" ? "list" : "query";
    if (next) where = next;
    else if (where === "range" && token.kind === "mark") where = behind;
  }
  return found;
}

function one(q: string, at: number, rules: readonly Rule[]): [Token, Where | undefined] {
  for (const [kind, rule, next] of rules) {
    rule.lastIndex = at;
    const text = rule.exec(q)?.[0];
    if (text) return [{ kind, text, at }, next];
  }
  return [{ kind: "word", text: q.slice(at, at + 1), at }, undefined];
}

/** The server counts characters, a script counts UTF-16 units: 🙂 is one there and two here. */
export function unitsOf(q: string, characters: number): number {
  return [...q].slice(0, characters).join("").length;
}
