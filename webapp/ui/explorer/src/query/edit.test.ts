import { describe, expect, it } from "vitest";
import { clause, edited, findable, missing, present, toggled } from "./edit";
import { parts } from "./parts";

describe("a query taken apart", () => {
  it.each([
    ['service:"a b" -host:(x OR "y z") timeout', ['service:"a b"', '-host:(x OR "y z")', "timeout"]],
    ['a OR (b "c)" d) AND NOT e', ["a", "OR", '(b "c)" d)', "AND", "NOT", "e"]],
    ['http.status:>=500 d:[1 TO 5] m:~"a (b"', ["http.status:>=500", "d:[1 TO 5]", 'm:~"a (b"']],
    ["ERROR: disk https://x/y std::string 12:30", ["ERROR:", "disk", "https://x/y", "std::string", "12:30"]],
    ['"odd name":x @service:y *:z', ['"odd name":x', "@service:y", "*:z"]],
    ['"never closed', ['"never closed']],
  ])("%j", (q, expected) => expect(parts(q).map((part) => part.text)).toEqual(expected));
});

describe("a clause", () => {
  it.each([
    ["service", "api", "service:api"],
    ["service", "a b", 'service:"a b"'],
    ["http.status_code", "500", "http.status_code:500"],
    ["x", "-5", "x:-5"],
    ["odd name", 'say "hi" \\', '"odd name":"say \\"hi\\" \\\\"'],
    ["path", "/a*?", 'path:"/a*?"'],
    ["op", "OR", 'op:"OR"'],
    ["@service", "x", "@service:x"],
    ["k8s/app", "x", '"k8s/app":x'],
  ])("%s = %j is %s", (field, value, expected) => expect(clause(field, value)).toBe(expected));

  it("is not made of what the language cannot find", () => {
    expect([findable("tags", '["a"]'), findable("time", "x"), findable("message", "[x]")]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe("filtering and excluding", () => {
  it.each([
    ["", "filter", "service:api"],
    ["*", "filter", "service:api"],
    ["timeout", "filter", "timeout service:api"],
    ["service:api", "filter", "service:api"],
    ["-service:api x", "filter", "x service:api"],
    ["service:api x", "exclude", "x -service:api"],
    ["a OR b", "filter", "(a OR b) service:api"],
    ["NOT a b", "exclude", "NOT a b -service:api"],
    ["service:(api OR web)", "exclude", "service:web -service:api"],
    ["service:(api OR web)", "filter", "service:api"],
    ["anything at all", "only", "service:api"],
  ] as const)("%j, %s: %j", (q, mode, expected) => expect(edited(q, "service", "api", mode)).toBe(expected));
});

describe("picking values", () => {
  it("adds to what was picked, and takes it out again", () => {
    const one = toggled("timeout", "service", "api");
    const two = toggled(one, "service", "web app");
    expect([one, two]).toEqual(["timeout service:api", 'timeout service:(api OR "web app")']);
    expect(toggled(two, "service", "api")).toBe('timeout service:"web app"');
    expect(toggled(one, "service", "api")).toBe("timeout");
  });

  it("takes back an exclusion", () => {
    expect(toggled("-service:api", "service", "api")).toBe("service:api");
  });

  it("leaves comparisons of the field alone", () => {
    expect(toggled("d:>5", "d", "7")).toBe("d:>5 d:7");
  });
});

describe("fields that are there or not", () => {
  it("are turned round rather than contradicted", () => {
    expect(missing("x", "user.id")).toBe("x -user.id:*");
    expect(present("x -user.id:*", "user.id")).toBe("x user.id:*");
  });
});
