import { describe, expect, it } from "vitest";
import { namesFor, valuesFor, wordAt } from "./completing";

/** The caret stands at the |. What is found: the field whose value it is, the text so far, and what gives way. */
const at = (marked: string, wanted = false) => {
  const q = marked.replace("|", "");
  const word = wordAt(q, marked.indexOf("|"), wanted);
  return word && [word.field, word.text, q.slice(word.from, word.to)];
};

describe("what is being typed", () => {
  it.each([
    ["serv|", [null, "serv", "serv"]],
    ["timeout se|rv", [null, "se", "serv"]],
    ["-serv|", [null, "serv", "serv"]],
    ["(a OR se|)", [null, "se", "se"]],
    ["se|rvice:api", [null, "se", "service:"]],
    ["service:|", ["service", "", ""]],
    ["service:|api", ["service", "", "api"]],
    ["service:ap|i x", ["service", "ap", "api"]],
    ['service:"a b|', ["service", "a b", '"a b']],
    ["service:(|", ["service", "", ""]],
    ["service:(api OR w|)", ["service", "w", "w"]],
    ["service:(api OR |", ["service", "", ""]],
    ["service:(api,|", ["service", "", ""]],
    ["service:(api) w|", [null, "w", "w"]],
    ["level:>=wa|", ["level", "wa", "wa"]],
    ['"odd name":x|', ["odd name", "x", "x"]],
    ["@service:x|", ["@service", "x", "x"]],
    ["service:api |", null],
    ['"a phrase|', null],
    ["message:x|", null],
    ["trace_id:|", null],
    ["12:30|", null],
    ['m:~"a|', null],
    ["|", null],
  ])("%s", (marked, expected) => expect(at(marked)).toEqual(expected ?? null));

  it("is nothing yet, and asked for", () => {
    expect(at("service:api |", true)).toEqual([null, "", ""]);
  });
});

describe("what is offered", () => {
  const word = { from: 0, to: 0, field: null, text: "st", list: false };
  const entry = (name: string, count: number) => ({
    name,
    count,
    types: ["string"],
    distinct: 1,
    example: null,
    builtin: false,
  });

  it("begins with the names that begin so", () => {
    const offers = namesFor(word, [entry("host", 9), entry("status", 5), entry("odd st", 3)]);
    expect(offers.map((offer) => offer.put)).toEqual(["status:", "host:", '"odd st":']);
  });

  it("is the built-in names while the others do not come", () => {
    expect(namesFor({ ...word, text: "s" }, undefined).map((offer) => offer.text)).toEqual([
      "severity",
      "service",
      "span_id",
      "source",
      "host",
      "message",
    ]);
  });

  it("is quoted where it must be, with a space behind it but in a list", () => {
    const values = [{ value: "a b", count: 2, selected: true }];
    expect(valuesFor({ ...word, field: "x" }, values)[0]?.put).toBe('"a b" ');
    expect(valuesFor({ ...word, field: "x", list: true }, values)[0]?.put).toBe('"a b"');
  });
});
