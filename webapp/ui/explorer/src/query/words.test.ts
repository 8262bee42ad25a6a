import { describe, expect, it } from "vitest";
import { marker, words } from "./words";

describe("the words that are marked", () => {
  it.each([
    ["timeout", ["timeout"]],
    ['timeout "connection reset"', ["timeout", "connection reset"]],
    ["service:api timeout", ["timeout"]],
    ["-healthcheck timeout", ["timeout"]],
    ["NOT debug AND error OR fatal", ["error", "fatal"]],
    ['service:"a b" -"not this" that', ["that"]],
    ["https://example.com std::string", ["https://example.com", "std::string"]],
    ["service:(api OR web) n:[1 TO 5] d:>=5 x", ["x"]],
    ['service:("a b", c) "d e"', ["d e"]],
    ["NOT (a OR b) (c d)", ["c", "d"]],
    ["-(a (b)) c", ["c"]],
    ["*", []],
    ["", []],
  ])("%j marks %j", (q, expected) => expect(words(q)).toEqual(expected));

  it("marks whatever the case, and takes nothing for a pattern", () => {
    expect("a.b A.B axb".match(marker("a.b") as RegExp)).toEqual(["a.b", "A.B"]);
  });
});
