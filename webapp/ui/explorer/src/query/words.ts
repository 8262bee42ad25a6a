/** The words of a query that are looked for in the message, to mark them there. */
import { unquoted } from "./parts";
import { type Kind, type Token, tokens } from "./tokens";

const LOOKED: readonly Kind[] = ["word", "phrase"];
const MOST = 20;

export function words(q: string): string[] {
  const found: string[] = [];
  const row = tokens(q).filter((token) => token.kind !== "space");
  let negated = 0; // parentheses below which everything is left out
  let depth = 0;
  for (const [index, token] of row.entries()) {
    const not = isNot(row[index - 1]);
    if (token.text === "(") {
      depth += 1;
      if (not && negated === 0) negated = depth;
    } else if (token.text === ")") {
      if (depth === negated) negated = 0;
      depth -= 1;
    } else if (negated === 0 && !not && LOOKED.includes(token.kind)) found.push(unquoted(token.text));
  }
  return found.filter((word) => word !== "" && word !== "*").slice(0, MOST);
}

function isNot(token: Token | undefined): boolean {
  return token?.kind === "operator" && (token.text === "NOT" || token.text === "-");
}

/** What finds any of them, whatever the case; null where there are none. */
export function marker(q: string): RegExp | null {
  const escaped = words(q).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return escaped.length ? new RegExp(`(${escaped.join("|")})`, "gi") : null;
}
