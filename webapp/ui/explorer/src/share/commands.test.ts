import { describe, expect, it, vi } from "vitest";

vi.mock("../boot", () => ({ boot: { preferences: {} } }));
const { DEFAULTS, read } = await import("../state/address");
const { asCommand, asCurl, linkOf, shell } = await import("./commands");

describe("words of a shell", () => {
  it.each([
    ["plain", "plain"],
    ["two words", "'two words'"],
    ["it's", "'it'\\''s'"],
    ["$(rm -rf /)", "'$(rm -rf /)'"],
    ['say "hi"', "'say \"hi\"'"],
    ["", "''"],
  ])("%j is written %s", (word, expected) => expect(shell(word)).toBe(expected));
});

describe("a search elsewhere", () => {
  const address = { ...DEFAULTS, q: "service:api it's", start: "now-1h" };

  it("is a curl", () => {
    expect(asCurl("http://logs.example.org", address)).toContain("--data-urlencode 'q=service:api it'\\''s'");
    expect(asCurl("http://logs.example.org", address)).not.toContain("as_of");
  });

  it("is a command", () => {
    expect(asCommand(address)).toBe("./logboom search --start now-1h -- 'service:api it'\\''s'");
  });

  it("is a link that says what its reader would have otherwise", () => {
    const link = new URL(linkOf("http://logs.example.org", address));
    expect(read(link.search, { ...DEFAULTS, columns: ["other"], tz: "UTC", wrap: true })).toEqual(address);
  });

  it("is a frozen link", () => {
    const frozen = { start: "2026-11-24T10:00:00Z", end: "2026-11-24T11:00:00Z", as_of: "x" };
    expect(read(new URL(linkOf("http://logs.example.org", address, frozen)).search)).toMatchObject(frozen);
  });
});
