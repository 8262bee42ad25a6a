import { describe, expect, it } from "vitest";
import { called, instant, parse } from "./range";

const NOW = Date.parse("2026-11-24T10:42:07Z");
const range = (start: string, end: string) => ({ start, end });

describe("what is typed as a range", () => {
  it.each([
    ["15m", range("now-15m", "now")],
    ["3d", range("now-3d", "now")],
    ["last 2 hours", range("now-2h", "now")],
    ["90 min", range("now-90m", "now")],
    ["2M", range("now-2M", "now")],
    ["now-2h/h", range("now-2h/h", "now")],
    ["today", range("now/d", "now")],
    ["Yesterday", range("now-1d/d", "now/d")],
    ["all", range("", "")],
    ["10:00-10:30", range("2026-11-24T10:00:00.000Z", "2026-11-24T10:30:00.000Z")],
    ["23:50 - 00:10", range("2026-11-23T23:50:00.000Z", "2026-11-24T00:10:00.000Z")],
    ["2026-11-20", range("2026-11-20T00:00:00.000Z", "2026-11-21T00:00:00.000Z")],
    ["2026-11-20T10:00Z to 2026-11-20T11:00Z", range("2026-11-20T10:00:00.000Z", "2026-11-20T11:00:00.000Z")],
    ["now-3h to now-1h", range("now-3h", "now-1h")],
    ["1700000000", range("2023-11-14T22:10:50.000Z", "2023-11-14T22:15:50.000Z")],
    ["1700000000123456789", range("2023-11-14T22:10:50.123Z", "2023-11-14T22:15:50.123Z")],
    [
      "2026-11-24 10:42:07,123 ERROR x.y: it broke",
      range("2026-11-24T10:39:37.123Z", "2026-11-24T10:44:37.123Z"),
    ],
    [
      '1.2.3.4 - - [24/Nov/2026:11:42:07 +0100] "GET /"',
      range("2026-11-24T10:39:37.000Z", "2026-11-24T10:44:37.000Z"),
    ],
  ])("%j", (typed, expected) => expect(parse(typed, "UTC", NOW)).toEqual(expected));

  it.each(["", "soon", "25:00-26:00", "15 parsecs"])("%j is not understood", (typed) =>
    expect(parse(typed, "UTC", NOW)).toBeNull());
});

describe("a clock on the wall", () => {
  it.each([
    ["2026-07-01T12:00:00", "Europe/Berlin", "2026-07-01T10:00:00.000Z"],
    ["2026-01-01T12:00:00", "Europe/Berlin", "2026-01-01T11:00:00.000Z"],
    ["2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00.000Z"], // comes twice: the first
    ["2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29T01:30:00.000Z"], // never comes
    ["2026-11-24T00:00:00", "Asia/Kolkata", "2026-11-23T18:30:00.000Z"],
  ])("%s in %s is %s", (local, tz, expected) => expect(instant(local, tz)).toBe(expected));
});

describe("how a range is called", () => {
  it.each([
    [range("now-15m", "now"), "Last 15 minutes"],
    [range("now-90m", "now"), "Last 90 minutes"],
    [range("", ""), "All stored time"],
    [range("2026-11-24T10:00:00Z", "now"), "<2026-11-24T10:00:00Z> – now"],
  ])("%j: %s", (one, expected) => expect(called(one, (time) => `<${time}>`)).toBe(expected));
});
