import { describe, expect, it } from "vitest";
// Both tables are held against the language's own parser by tests/unit/test_explorer_query.py.
import clauses from "./clauses.json";
import {
  among,
  attributeField,
  clause,
  edited,
  findable,
  missing,
  others,
  present,
  saysOnly,
  toggled,
  without,
} from "./edit";
import edits from "./edits.json";
import { parts } from "./parts";

describe("a query taken apart", () => {
  it.each([
    ['service:"a b" -host:(x OR "y z") timeout', ['service:"a b"', '-host:(x OR "y z")', "timeout"]],
    ['a OR (b "c)" d) AND NOT e', ["a", "OR", '(b "c)" d)', "AND", "NOT e"]],
    ['http.status:>=500 d:[1 TO 5] m:~"a (b"', ["http.status:>=500", "d:[1 TO 5]", 'm:~"a (b"']],
    ["ERROR: disk https://x/y std::string 12:30", ["ERROR:", "disk", "https://x/y", "std::string", "12:30"]],
    ['"odd name":x @service:y *:z', ['"odd name":x', "@service:y", "*:z"]],
    ['"never closed', ['"never closed']],
    ["NOT", ["NOT"]],
    ["(a (b) c", ["(a (b) c"]],
  ])("%j", (q, expected) => expect(parts(q).map((part) => part.text)).toEqual(expected));
});

describe("a clause", () => {
  it.each(clauses)("$field = $value is $clause", (row) =>
    expect(clause(row.field, row.value)).toBe(row.clause));

  it("is read back as what it was made of", () => {
    for (const row of clauses) expect(parts(row.clause)[0]?.items[0]?.value).toBe(row.value);
  });

  it.each([
    ["tags", '["a"]', false],
    ["user", '{"id":7}', false],
    ["thread", "[main]", true],
    ["time", "x", false],
    ["message", "[1]", true],
    ["x", "a".repeat(1001), false],
  ])("of %s = %s: %s", (field, value, expected) => expect(findable(field, value)).toBe(expected));

  it("names an attribute so that it is not taken for something else", () => {
    expect(["x", "level", "@timestamp", "attributes.y"].map(attributeField)).toEqual([
      "x",
      "@level",
      "@@timestamp",
      "@attributes.y",
    ]);
  });
});

describe("a query edited", () => {
  it.each(edits)("$q with $field = $value", (row) => {
    const { q, field, value } = row;
    expect(edited(q, field, value, "filter")).toBe(row.filter);
    expect(edited(q, field, value, "exclude")).toBe(row.exclude);
    expect(edited(q, field, value, "only")).toBe(row.only);
    expect(toggled(q, field, value)).toBe(row.toggled);
  });

  it.each(edits)("a second time stays as it is: $q with $field = $value", ({ q, field, value }) => {
    for (const mode of ["filter", "exclude", "only"] as const) {
      const once = edited(q, field, value, mode);
      expect(edited(once, field, value, mode)).toBe(once);
    }
  });

  it("unticks what passes by a comparison, and what passes because others do not", () => {
    expect(toggled("severity:>=warn", "severity", "error", true)).toBe("severity:>=warn -severity:error");
    expect(toggled("-service:api", "service", "web", true)).toBe("-service:api -service:web");
  });
});

describe("fields that are there or not", () => {
  it("are turned round rather than contradicted", () => {
    expect(missing("x", "user.id")).toBe("x -user.id:*");
    expect(missing("user.id:7 x", "user.id")).toBe("-user.id:* x");
    expect(present("x -user.id:*", "user.id")).toBe("x user.id:*");
    expect(present("user.id:7", "user.id")).toBe("user.id:7");
  });

  it("are let go of", () => {
    expect(without("a level:error -severity:info b", "severity")).toBe("a b");
    expect(without("a OR service:b", "service")).toBe("(a OR service:b)");
  });
});

describe("what is beyond the listed values", () => {
  it("is kept, or left out, by name", () => {
    expect(others("x", "app", ["a", "b c"])).toBe('x app:* -app:(a OR "b c")');
    expect(among("x", "app", ["a"], false)).toBe("x app:a");
    expect(among("x", "app", ["a", "b"], true)).toBe("x (app:(a OR b) OR -app:*)");
  });

  it("knows when a value is all that is said", () => {
    expect(saysOnly("x service:api", "service", "service:api")).toBe(true);
    expect(saysOnly("x service:api -service:web", "service", "service:api")).toBe(false);
  });
});
