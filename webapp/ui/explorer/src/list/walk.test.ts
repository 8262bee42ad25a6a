import { describe, expect, it, vi } from "vitest";
import type { Line } from "../api/types";
import { placeOf, startsOf } from "../data/known";

vi.mock("../boot", () => ({ boot: { preferences: {} } }));
vi.stubGlobal("window", {});
const { findError } = await import("./walk");

const I = 9;
const E = 17;

/** Pages of lines with these severities; `known` of them were fetched before. */
function pagesOf(all: number[][], known = all.length) {
  const asked: number[] = [];
  let counts = all.slice(0, known).map((page) => page.length);
  return {
    asked,
    placeOf: (index: number) => placeOf(startsOf(counts), index),
    startOf: (place: number) => startsOf(counts)[place] ?? 0,
    page: async (place: number) => {
      const page = all[place];
      if (!page) return null;
      asked.push(place);
      if (place >= counts.length) counts = [...counts, page.length];
      return page.map((severity_number) => ({ severity_number }) as Line);
    },
  };
}

describe("the next error", () => {
  it("is found on the same page", async () => {
    expect(await findError(pagesOf([[I, E, I, E]]), 1, 1)).toBe(3);
    expect(await findError(pagesOf([[I, E, I, E]]), 3, -1)).toBe(1);
  });

  it("is found from no line at all", async () => {
    expect(await findError(pagesOf([[E, I]]), -1, 1)).toBe(0);
  });

  it("is found on pages that were not fetched yet, also behind an empty one", async () => {
    const pages = pagesOf([[I, I], [I], [], [I, 21]], 1);
    expect(await findError(pages, 0, 1)).toBe(4);
    expect(pages.asked).toEqual([0, 1, 2, 3]);
  });

  it("is found on earlier pages, whether they are still held or not", async () => {
    expect(await findError(pagesOf([[I, E], [I, I], [I]]), 4, -1)).toBe(1);
  });

  it("is told to be missing", async () => {
    expect(await findError(pagesOf([[E, I], [I]]), 0, 1)).toBe("No error behind this line");
    expect(await findError(pagesOf([[E, I]]), 0, -1)).toBe("No error before this line");
    const long = pagesOf(Array.from({ length: 30 }, () => [I, I]));
    expect(await findError(long, -1, 1)).toBe("No error in 40 lines: search severity:>=error");
  });
});
