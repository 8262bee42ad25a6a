import { describe, expect, it } from "vitest";
import { tokens, unitsOf } from "./tokens";

const kinds = (q: string) =>
  tokens(q)
    .filter((token) => token.text.trim())
    .map((token) => `${token.kind} ${token.text}`);

describe("the colours of a query", () => {
  it("tell fields, operators, strings and numbers apart", () => {
    expect(kinds('service:api OR -host:"a b" d:>=500 (x)')).toEqual([
      "field service:",
      "text api",
      "operator OR",
      "field -host:",
      'string "a b"',
      "field d:",
      "mark >=",
      "number 500",
      "mark (",
      "text x",
      "mark )",
    ]);
  });

  it("see no field in pasted text", () => {
    expect(kinds("ERROR: https://x std::string 12:30")).toEqual([
      "text ERROR:",
      "text https://x",
      "text std::string",
      "text 12:30",
    ]);
  });

  it.each(["", 'a "never closed', "(((", "🙂 \\", "-"])("lose no character of %j", (q) => {
    expect(
      tokens(q)
        .map((token) => token.text)
        .join(""),
    ).toBe(q);
  });

  it("find the place that the server means", () => {
    expect(unitsOf("🙂🙂x", 2)).toBe(4);
  });
});
