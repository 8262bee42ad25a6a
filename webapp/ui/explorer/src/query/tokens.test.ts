import { describe, expect, it } from "vitest";
import { tokens, unitsOf } from "./tokens";

const kinds = (q: string) =>
  tokens(q)
    .filter((token) => token.kind !== "space")
    .map((token) => `${token.kind} ${token.text}`);

describe("the tokens of a query", () => {
  it.each([
    ["timeout", ["word timeout"]],
    [
      'service:api OR -host:"a b"',
      ["field service:", "value api", "operator OR", "operator -", "field host:", 'string "a b"'],
    ],
    ["d:>=500 (x)", ["field d:", "mark >=", "number 500", "paren (", "word x", "paren )"]],
    ["level:(error, fatal)", ["field level:", "paren (", "value error", "mark ,", "value fatal", "paren )"]],
    ["x:a,b", ["field x:", "value a,b"]],
    ["n:[1 TO *] y", ["field n:", "mark [", "number 1", "operator TO", "value *", "mark ]", "word y"]],
    [
      "n:([1 TO 2] OR 5)",
      [
        "field n:",
        "paren (",
        "mark [",
        "number 1",
        "operator TO",
        "number 2",
        "mark ]",
        "operator OR",
        "number 5",
        "paren )",
      ],
    ],
    ['m:~"a (b" z', ["field m:", 'regex ~"a (b"', "word z"]],
    [
      "time:[now-1h TO 2026-11-24T10:00:00Z]",
      ["field time:", "mark [", "time now-1h", "operator TO", "time 2026-11-24T10:00:00Z", "mark ]"],
    ],
    [
      "ERROR: https://x std::string 12:30",
      ["word ERROR:", "word https://x", "word std::string", "word 12:30"],
    ],
    ["a-b --c - d", ["word a-b", "word --c", "word -", "word d"]],
    ["ANDROID or NOT", ["word ANDROID", "word or", "operator NOT"]],
    [
      '"odd name":x @größe:1 *:z',
      ['field "odd name":', "value x", "field @größe:", "number 1", "field *:", "value z"],
    ],
    ["“curly quotes” x", ["phrase “curly quotes”", "word x"]],
    ['a "never closed', ["word a", 'phrase "never closed']],
    ["service:", ["word service:"]],
  ])("%j", (q, expected) => expect(kinds(q)).toEqual(expected));

  it.each([
    "",
    'a "never closed',
    "(((",
    "🙂 \\",
    "-",
    'x:~ "y',
    "x:[1 TO",
    "n:([{",
    "a:(b c:d",
    "\ud83d",
  ])("lose no character of %j", (q) => {
    expect(
      tokens(q)
        .map((token) => token.text)
        .join(""),
    ).toBe(q);
    expect(tokens(q).every((token) => q.startsWith(token.text, token.at))).toBe(true);
  });

  it("find the place that the server means", () => {
    expect(unitsOf("🙂🙂x", 2)).toBe(4);
  });
});
