import { describe, expect, it } from "vitest";
import type { Line, Page } from "../api/types";
import { begun, inSight, learned, MOST, placeOf, startsOf } from "./known";

const page = (lines: number, next: string | null, partial = false) =>
  ({
    logs: Array.from({ length: lines }, () => ({}) as Line),
    next,
    partial,
    covered: partial ? { start: "a", end: "b" } : null,
  }) as Page;

describe("what is known of the pages of a list", () => {
  it("grows by the page that follows, and by no other", () => {
    const known = learned(begun(page(100, "c1")), 1, page(1000, "c2"));
    expect([known.counts, known.cursors]).toEqual([
      [100, 1000],
      ["c1", "c2"],
    ]);
    expect(learned(known, 1, page(5, null))).toBe(known);
    expect(learned(known, 3, page(5, null))).toBe(known);
  });

  it("finds the page of a line", () => {
    const starts = startsOf([100, 1000, 0, 7]);
    expect([0, 99, 100, 1099, 1100, 1106].map((index) => placeOf(starts, index))).toEqual([0, 0, 1, 1, 3, 3]);
  });

  it("asks for the next page before its beginning is in sight", () => {
    const known = begun(page(100, "c1"));
    expect(inSight(known, [0, 40], false)).toEqual([0, 1]);
    const longer = learned(known, 1, page(5000, "c2"));
    expect(inSight(longer, [0, 40], false)).toEqual([0]);
    expect(inSight(longer, [90, 120], false)).toEqual([0, 1]);
    expect(inSight(longer, [4000, 4040], false)).toEqual([1, 2]);
  });

  it("asks for nothing behind the last page", () => {
    expect(inSight(begun(page(100, null)), [0, 99], false)).toEqual([0]);
  });

  it("stops where the time ran out, until it is told to go on", () => {
    const known = begun(page(3, "c1", true));
    expect(inSight(known, [0, 2], false)).toEqual([0]);
    expect(inSight(known, [0, 2], true)).toEqual([0, 1]);
    expect(known.covered).toEqual({ start: "a", end: "b" });
  });

  it("has a bound", () => {
    const full = begun(page(MOST, "c1"));
    expect(full.full).toBe(true);
    expect(inSight(full, [MOST - 10, MOST], false)).toEqual([0]);
  });
});
