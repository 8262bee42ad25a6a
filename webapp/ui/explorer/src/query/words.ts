/** The words of a query that are looked for in the message, to mark them there. */

const PIECE = /"((?:[^"\\]|\\.)*)"|([^\s()"]+)/g;
const OPERATORS = ["AND", "OR", "NOT"];
const FIELD_CLAUSE = /^[A-Za-z_@*"][^\s:]*:(?![:\s]|\/\/)/;
const MOST = 20;

export function words(q: string): string[] {
  const found: string[] = [];
  let negated = false;
  let ofField = false;
  for (const piece of q.matchAll(PIECE)) {
    const [whole, phrase, word = ""] = piece;
    const minus = q[piece.index - 1] === "-" || word.startsWith("-");
    if (word === "-") continue;
    if (word === "NOT") {
      negated = true;
      continue;
    }
    const text = phrase === undefined ? word : phrase.replace(/\\(.)/g, "$1");
    const clause = phrase === undefined && FIELD_CLAUSE.test(whole.replace(/^-/, ""));
    if (!ofField && !clause && !negated && !minus && text && text !== "*" && !OPERATORS.includes(text))
      found.push(text);
    ofField = clause && whole.endsWith(":");
    negated = false;
  }
  return found.slice(0, MOST);
}

/** What finds any of them, whatever the case; null where there are none. */
export function marker(q: string): RegExp | null {
  const escaped = words(q).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return escaped.length ? new RegExp(`(${escaped.join("|")})`, "gi") : null;
}
