import { describe, expect, it, vi } from "vitest";

vi.mock("../boot", () => ({ boot: { preferences: {} } }));
const { DEFAULTS, read, written } = await import("./address");

describe("the address", () => {
  it("says nothing of what stands at its default", () => {
    expect(written(DEFAULTS)).toBe("");
    expect(read("")).toEqual(DEFAULTS);
  });

  it("gives back what was written into it", () => {
    const address = {
      ...DEFAULTS,
      q: 'service:"a b" & c=d',
      start: "now-3d",
      columns: ["http.status", "odd,name"],
      wrap: true,
      order: "asc" as const,
    };
    expect(read(written(address))).toEqual(address);
  });

  it("tells no columns from the usual ones", () => {
    expect(read(written({ ...DEFAULTS, columns: [] })).columns).toEqual([]);
  });

  it("takes what it does not know for the default", () => {
    expect(read("?order=sideways&scope=planet")).toEqual(DEFAULTS);
  });
});
