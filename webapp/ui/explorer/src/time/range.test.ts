import { describe, expect, it } from "vitest";
import { comesTwice, instant, resolved, rfc3339 } from "./instants";
import { called, lengthOf, parse } from "./range";

const NOW = Date.parse("2026-11-24T10:42:07Z");
const range = (start: string, end: string) => ({ start, end });
const read = (typed: string, tz = "UTC", now = NOW) => {
  const found = parse(typed, tz, now);
  return found && range(found.start, found.end);
};

describe("what is typed as a range", () => {
  it.each([
    ["15m", range("now-15m", "now")],
    ["3d", range("now-3d", "now")],
    ["-90s", range("now-90s", "now")],
    ["last 2 hours", range("now-2h", "now")],
    ["90 min", range("now-90m", "now")],
    ["2 mo", range("now-2M", "now")],
    ["2M", range("now-2M", "now")],
    ["now-2h/h", range("now-2h/h", "now")],
    ["today", range("now/d", "now")],
    ["Yesterday", range("now-1d/d", "now/d")],
    ["last week", range("now-1w/w", "now/w")],
    ["all", range("", "")],
    ["10:00-10:30", range("2026-11-24T10:00:00Z", "2026-11-24T10:30:00Z")],
    ["10:00 – 10:30", range("2026-11-24T10:00:00Z", "2026-11-24T10:30:00Z")],
    ["9:00 to 9:30:15.5", range("2026-11-24T09:00:00Z", "2026-11-24T09:30:15.500Z")],
    ["11:00-12:00", range("2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z")], // not yet today
    ["23:50 - 00:10", range("2026-11-23T23:50:00Z", "2026-11-24T00:10:00Z")],
    ["yesterday 10:00-10:30", range("2026-11-23T10:00:00Z", "2026-11-23T10:30:00Z")],
    ["2026-11-01 23:00-01:00", range("2026-11-01T23:00:00Z", "2026-11-02T01:00:00Z")],
    ["since 09:30", range("2026-11-24T09:30:00Z", "now")],
    ["09:30-now", range("2026-11-24T09:30:00Z", "now")],
    ["since 11:00", range("2026-11-23T11:00:00Z", "now")],
    ["2026-11-20", range("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")],
    ["2026-02", range("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")],
    ["2026-11-20 to 2026-11-21", range("2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z")],
    ["2026-11-20T10:00Z to 2026-11-20T11:00Z", range("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z")],
    ["2026-11-20T10:00:00Z/2026-11-20T11:00:00Z", range("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z")],
    ["1700000000 - 1700000060", range("2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z")],
    ["now-3h to now-1h", range("now-3h", "now-1h")],
    ["1700000000", range("2023-11-14T22:10:50Z", "2023-11-14T22:15:50Z")],
    ["1700000000123", range("2023-11-14T22:10:50.123Z", "2023-11-14T22:15:50.123Z")],
    ["1700000000123456", range("2023-11-14T22:10:50.123456Z", "2023-11-14T22:15:50.123456Z")],
    ["1700000000123456789", range("2023-11-14T22:10:50.123456789Z", "2023-11-14T22:15:50.123456789Z")],
    ["10:30", range("2026-11-24T10:27:30Z", "2026-11-24T10:32:30Z")],
    [
      "2026-11-24T10:42:07.120000451Z",
      range("2026-11-24T10:39:37.120000451Z", "2026-11-24T10:44:37.120000451Z"),
    ],
  ])("%j", (typed, expected) => expect(read(typed)).toEqual(expected));

  it.each([
    "2026-11-24 10:42:07,000 ERROR x.y: it broke",
    '{"ts":"2026-11-24T11:42:07+01:00","msg":"at 09:00:00 it was well"}',
    '1.2.3.4 - - [24/Nov/2026:11:42:07 +0100] "GET / HTTP/1.1" 200 1234567',
    "Nov 24 10:42:07 web-1 sshd[4321]: no",
    "Tue, 24 Nov 2026 10:42:07 GMT something",
    "2026/11/24 10:42:07 [error] 31#31: *1 open() failed",
    "E1124 10:42:07.000000 1 main.go:12] failed",
    '{"level":"error","ts":1795516927.000,"caller":"x"}',
    "10:42:07.000 [main] WARN  o.s.b - slow",
  ])("five minutes around what was logged: %s", (line) =>
    expect(read(line)).toEqual(range("2026-11-24T10:39:37Z", "2026-11-24T10:44:37Z")));

  it("takes a line without a year for the last such day", () => {
    expect(read("Dec 31 23:59:59 web-1 x")?.start).toBe("2025-12-31T23:57:29Z");
  });

  it("reads a clock in the chosen zone", () => {
    expect(read("10:00-10:30", "Europe/Berlin")).toEqual(
      range("2026-11-24T09:00:00Z", "2026-11-24T09:30:00Z"),
    );
    expect(read("2026-11-24", "Asia/Kolkata")).toEqual(range("2026-11-23T18:30:00Z", "2026-11-24T18:30:00Z"));
  });

  it("takes a day as long as it is when clocks change", () => {
    const [spring, autumn] = [read("2026-03-29", "Europe/Berlin"), read("2026-10-25", "Europe/Berlin")];
    expect(spring).toEqual(range("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"));
    expect(autumn).toEqual(range("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
  });

  it("says which hour is meant where one comes twice", () => {
    const after = Date.parse("2026-10-25T12:00:00Z");
    const found = parse("02:10-02:40", "Europe/Berlin", after);
    expect(found?.start).toBe("2026-10-25T00:10:00Z");
    expect(found?.note).toContain("the first is meant");
  });

  it("says so where a range ends before it begins", () => {
    expect(parse("2026-11-20 to 2026-11-01", "UTC", NOW)?.note).toContain("ends before");
  });

  it.each([
    "",
    "soon",
    "25:00-26:00",
    "15 parsecs",
    "2026-13-01",
    "2026-02-30",
    "15",
    "now+",
    "10:61",
  ])("%j is not understood", (typed) => expect(parse(typed, "UTC", NOW)).toBeNull());
});

describe("a clock on the wall", () => {
  it.each([
    ["2026-07-01T12:00:00", "Europe/Berlin", "2026-07-01T10:00:00Z"],
    ["2026-01-01T12:00:00", "Europe/Berlin", "2026-01-01T11:00:00Z"],
    ["2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00Z"], // comes twice: the first
    ["2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29T01:30:00Z"], // never comes
    ["2026-11-24T00:00:00", "Asia/Kolkata", "2026-11-23T18:30:00Z"],
    ["2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30:00Z"],
    ["2026-06-15T00:00:00", "Pacific/Kiritimati", "2026-06-14T10:00:00Z"],
  ])("%s in %s is %s", (local, tz, expected) => expect(rfc3339(instant(local, tz))).toBe(expected));

  it("comes twice only where clocks are put back", () => {
    expect(comesTwice("2026-10-25T02:30:00", "Europe/Berlin")).toBe(true);
    expect(comesTwice("2026-10-25T03:30:00", "Europe/Berlin")).toBe(false);
    expect(comesTwice("2026-03-29T02:30:00", "Europe/Berlin")).toBe(false);
  });
});

describe("a relative time", () => {
  const now = BigInt(NOW) * 1_000_000n + 5n;
  it.each([
    ["now", "UTC", "2026-11-24T10:42:07.000000005Z"],
    ["now-15m", "UTC", "2026-11-24T10:27:07.000000005Z"],
    ["now/h", "Asia/Kolkata", "2026-11-24T10:30:00Z"],
    ["now-1d/d", "Europe/Berlin", "2026-11-22T23:00:00Z"],
    ["now/w", "UTC", "2026-11-23T00:00:00Z"],
    ["now-1M/M", "UTC", "2026-10-01T00:00:00Z"],
    ["now-9M", "UTC", "2026-02-24T10:42:07.000000005Z"],
    ["now/y", "America/New_York", "2026-01-01T05:00:00Z"],
    ["now-1h+30m", "UTC", "2026-11-24T10:12:07.000000005Z"],
  ])("%s in %s is %s", (text, tz, expected) => {
    expect(rfc3339(resolved(text, tz, now) as bigint)).toBe(expected);
  });

  it("ends a month that is shorter on its last day", () => {
    const march = BigInt(Date.parse("2026-03-31T12:00:00Z")) * 1_000_000n;
    expect(rfc3339(resolved("now-1M", "UTC", march) as bigint)).toBe("2026-02-28T12:00:00Z");
  });
});

describe("how a range is called", () => {
  it.each([
    [range("now-15m", "now"), "Last 15 minutes"],
    [range("now-90m", "now"), "Last 90 minutes"],
    [range("now-1d/d", "now/d"), "Yesterday"],
    [range("", ""), "All stored time"],
    [range("2026-11-24T10:00:00Z", "2026-11-24T10:30:00.000Z"), "10:00 – 10:30"],
    [range("2026-11-23T10:00:00Z", "2026-11-23T10:30:00Z"), "11-23 10:00 – 10:30"],
    [range("2026-11-23T23:50:00Z", "2026-11-24T00:10:00Z"), "11-23 23:50 – 11-24 00:10"],
    [range("2025-11-23T10:00:00Z", "2025-11-23T10:30:07.25Z"), "2025-11-23 10:00:00 – 10:30:07.250"],
    [range("2026-11-24T10:00:00Z", "now"), "10:00 – now"],
    [range("now-3h", "now-1h"), "now-3h – now-1h"],
    [range("", "2026-11-24T10:00:00Z"), "the beginning – 10:00"],
  ])("%j: %s", (one, expected) => expect(called(one, "UTC", NOW)).toBe(expected));

  it.each([
    [90n, "1 min 30 s"],
    [900n, "15 min"],
    [93_600n, "1 day 2 h"],
  ])("%d seconds", (seconds, expected) => {
    expect(lengthOf(seconds * 1_000_000_000n)).toBe(expected);
  });
});
