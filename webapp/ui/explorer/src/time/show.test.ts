import { describe, expect, it } from "vitest";
import {
  formatClock,
  formatDate,
  formatFull,
  formatMillis,
  formatPrecise,
  formatTime,
  spansDays,
} from "./show";

const TIME = "2026-11-24T23:42:07.120000451Z";

describe("a time as it is shown", () => {
  it.each([
    ["UTC", "2026-11-24 23:42:07.120000451"],
    ["Europe/Berlin", "2026-11-25 00:42:07.120000451"],
    ["Asia/Kolkata", "2026-11-25 05:12:07.120000451"],
    ["America/New_York", "2026-11-24 18:42:07.120000451"],
  ])("in %s keeps every nanosecond", (tz, expected) => expect(formatFull(TIME, tz)).toBe(expected));

  it("has no more digits than say something, and three at least", () => {
    expect(formatPrecise("2026-11-24T10:00:00.120000000Z", "UTC")).toBe("10:00:00.120");
    expect(formatPrecise("2026-11-24T10:00:00.120450000Z", "UTC")).toBe("10:00:00.120450");
    expect(formatPrecise("2026-11-24T10:00:00Z", "UTC")).toBe("10:00:00.000");
    expect(formatMillis(TIME, "UTC")).toBe("23:42:07.120");
  });

  it("shows midnight as 00, and the hour that comes twice as the clock does", () => {
    expect(formatClock("2026-11-24T23:00:00Z", "Europe/Berlin")).toBe("00:00:00");
    expect(formatClock("2026-10-25T00:30:00Z", "Europe/Berlin")).toBe("02:30:00");
    expect(formatClock("2026-10-25T01:30:00Z", "Europe/Berlin")).toBe("02:30:00");
  });

  it("has a date only if it is not today's", () => {
    const now = Date.parse("2026-11-24T23:50:00Z");
    expect(formatTime(TIME, "UTC", now)).toBe("23:42:07.120000451");
    expect(formatTime("2026-11-23T10:00:00Z", "UTC", now)).toBe("2026-11-23 10:00:00.000");
  });

  it("is that of UTC where the zone is none", () => {
    expect(formatClock("2026-11-24T23:00:00Z", "Middle/Earth")).toBe("23:00:00");
  });

  it("knows days by the zone", () => {
    expect(formatDate(TIME, "Europe/Berlin")).toBe("2026-11-25");
    expect(spansDays("2026-11-24T22:00:00Z", "2026-11-24T23:30:00Z", "UTC")).toBe(false);
    expect(spansDays("2026-11-24T22:00:00Z", "2026-11-24T23:30:00Z", "Europe/Berlin")).toBe(true);
  });
});
