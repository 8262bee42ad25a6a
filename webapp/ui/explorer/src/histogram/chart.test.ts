import { describe, expect, it } from "vitest";
import type { Histogram, Series } from "../api/types";
import { bars, stacked } from "./chart";

const series = (value: string, counts: number[], kind: Series["kind"] = "value"): Series => ({
  value,
  kind,
  counts,
  total: counts.reduce((a, b) => a + b, 0),
});

const counted = (series: Series[]): Histogram => ({
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
});

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
    const [bar] = bars(
      counted([series("info", [1_000_000, 0, 0]), series("fatal", [1, 0, 0])]),
      "severity",
      150,
      100,
    );
    expect(bar?.parts[0]).toEqual({ name: "fill-fatal", y: 99, height: 1 });
  });

  it("put other and missing on top", () => {
    const order = stacked(
      [series("", [1], "missing"), series("info", [1]), series("error", [1])],
      "severity",
    );
    expect(order.map((one) => one.value)).toEqual(["error", "info", ""]);
  });
});
