import { describe, expect, it } from "vitest";
import type { Line } from "../api/types";
import { arrived, MOST, NOTHING, resumed } from "./buffer";

const lines = (from: number, count: number): Line[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${from + index}` }) as Line);

describe("a tail", () => {
  it("shows what arrives, in order", () => {
    const tailed = arrived(arrived(NOTHING, lines(0, 2), false), lines(2, 1), false);
    expect(tailed.lines.map((line) => line.id)).toEqual(["0", "1", "2"]);
  });

  it("holds back what arrives while it is paused, and loses none of it", () => {
    const paused = arrived(arrived(NOTHING, lines(0, 2), false), lines(2, 3), true);
    expect([paused.lines.length, paused.held.length]).toEqual([2, 3]);
    expect(resumed(paused).lines.map((line) => line.id)).toEqual(["0", "1", "2", "3", "4"]);
  });

  it("lets go of the oldest beyond its bound, and counts them", () => {
    const full = arrived(NOTHING, lines(0, MOST + 7), false);
    expect(full.lines.length).toBe(MOST);
    expect(full.lines[0]?.id).toBe("7");
    expect(full.let_go).toBe(7);
  });
});
