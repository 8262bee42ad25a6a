import { describe, expect, it } from "vitest";
import type { Histogram, Series } from "../api/types";
import { barAt, bars, stacked, timeAt } from "./chart";
import { ticks, tickTexts } from "./ticks";

const series = (value: string, counts: number[], kind: Series["kind"] = "value"): Series => ({
  value,
  kind,
  counts,
  total: counts.reduce((a, b) => a + b, 0),
});

const counted = (series: Series[], more: Partial<Histogram> = {}): Histogram => ({
  start: "2026-11-24T10:00:30.000000000Z",
  end: "2026-11-24T10:03:00.000000000Z",
  step: "1m",
  total: 0,
  times: [
    "2026-11-24T10:00:30.000000000Z",
    "2026-11-24T10:01:00.000000000Z",
    "2026-11-24T10:02:00.000000000Z",
  ],
  series,
  as_of: "",
  partial: false,
  covered: null,
  warnings: [],
  took_ms: 0,
  ...more,
});

const hours = (day: string, count: number) =>
  Array.from({ length: count }, (_, hour) => new Date(Date.parse(day) + hour * 3_600_000).toISOString());

describe("the bars", () => {
  const drawn = bars(counted([series("info", [2, 8, 0]), series("fatal", [0, 2, 0])]), "severity", 150, 100);

  it("stand where their time is, and the edge that the range cuts is narrower", () => {
    expect(drawn.map((bar) => [bar.x, bar.width])).toEqual([
      [0, 30],
      [30, 60],
      [90, 60],
    ]);
    expect(drawn.map((bar) => bar.clipped)).toEqual([true, false, false]);
  });

  it("are as high as their share of the fullest", () => {
    expect(drawn.map((bar) => bar.total)).toEqual([2, 10, 0]);
    expect(drawn[0]?.parts).toEqual([{ name: "fill-info", y: 80, height: 20 }]);
  });

  it("have what is fatal at the baseline", () => {
    expect(drawn[1]?.parts.map((part) => part.name)).toEqual(["fill-fatal", "fill-info"]);
    expect(drawn[1]?.parts[0]).toEqual({ name: "fill-fatal", y: 80, height: 20 });
  });

  it("never hide a single line among millions", () => {
    const many = [series("info", [1_000_000, 0, 0]), series("fatal", [1, 0, 0])];
    expect(bars(counted(many), "severity", 150, 100)[0]?.parts[0]).toEqual({
      name: "fill-fatal",
      y: 99,
      height: 1,
    });
  });

  it("put other and missing on top", () => {
    const mixed = [series("", [1], "missing"), series("info", [1]), series("error", [1])];
    expect(stacked(mixed, "severity").map((one) => one.value)).toEqual(["error", "info", ""]);
  });

  it("are three pixels wide at least, and stay inside", () => {
    const times = hours("2026-11-24T00:00:00Z", 24);
    const many = { times, start: times[0] ?? "", end: "2026-11-25T00:00:00Z", step: "1h" };
    const narrow = bars(counted([series("info", Array(24).fill(1))], many), "severity", 60, 100);
    expect(narrow.every((bar) => bar.width >= 4 && bar.x + bar.width <= 60)).toBe(true);
  });

  it("tell what was not counted before the time ran out", () => {
    const covered = { start: "2026-11-24T10:01:30.000000000Z", end: null };
    const cut = bars(counted([series("info", [0, 1, 5])], { partial: true, covered }), "severity", 150, 100);
    expect(cut.map((bar) => bar.uncounted)).toEqual([true, true, false]);
  });
});

describe("a day when clocks change", () => {
  it("is whole though it is an hour short", () => {
    const times = ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"];
    const days = counted([series("info", [1, 1, 1])], {
      times,
      start: times[0] ?? "",
      end: "2026-03-30T22:00:00Z",
      step: "1d",
    });
    expect(bars(days, "severity", 300, 100).map((bar) => bar.clipped)).toEqual([false, false, false]);
  });
});

describe("a place in the bars", () => {
  const drawn = bars(counted([series("info", [2, 8, 0])]), "severity", 150, 100);

  it("is a bucket", () => {
    expect(barAt(drawn, 45)?.from).toBe("2026-11-24T10:01:00.000000000Z");
    expect(barAt(drawn, 151)).toBeUndefined();
  });

  it("is a time, whichever way it is dragged and however far", () => {
    const expected = ["2026-11-24T10:01:00.000Z", "2026-11-24T10:03:00.000Z"];
    expect(timeAt(counted([]), 150, 30, 400)).toEqual(expected);
    expect(timeAt(counted([]), 150, 400, 30)).toEqual(expected);
  });
});

describe("the times below", () => {
  it("have a date where it changes", () => {
    const times = hours("2026-03-01T18:00:00Z", 12);
    const one = counted([series("info", Array(12).fill(1))], {
      times,
      start: times[0] ?? "",
      end: "2026-03-02T06:00:00Z",
      step: "1h",
    });
    const found = tickTexts(ticks(bars(one, "severity", 700, 100), 700), "UTC");
    expect(found.map(({ text }) => text)).toEqual([
      "03-01 18:00",
      "20:00",
      "22:00",
      "2026-03-02",
      "02:00",
      "04:00",
    ]);
  });
});
