import { execFileSync } from "node:child_process";
import { describe, expect, it, vi } from "vitest";
import type { Line } from "../api/types";

vi.mock("../boot", () => ({ boot: { preferences: {} } }));
const { DEFAULTS, read } = await import("../state/address");
const { asCommand, asCurl, isRelative, linkOf, needsZone, permalink, shell } = await import("./commands");

const HOSTILE = [
  "plain",
  "two words",
  "it's",
  "$(rm -rf /) `id` $HOME",
  'say "hi" \\ back\\slash',
  "",
  "line\nbreak",
  "-rf --x",
  "* ? [a] {b,c} ~ ! # & | ; < >",
  "ünïcødé 🙂",
];

describe("words of a shell", () => {
  it.each(HOSTILE)("%j comes through a shell as it was", (word) => {
    const printed = execFileSync("sh", ["-c", `printf %s ${shell(word)}`], { encoding: "utf8" });
    expect(printed).toBe(word);
  });

  it("are quoted only where they must be", () => expect(shell("now-1h/d")).toBe("now-1h/d"));
});

describe("a search elsewhere", () => {
  const address = { ...DEFAULTS, q: "service:api it's", start: "now-1h" };

  it("is a curl whose arguments are the parameters", () => {
    const curl = asCurl("http://logs.example.org", address).replace(/^curl/, "printf '<%s>'");
    const printed = execFileSync("sh", ["-c", curl], {
      encoding: "utf8",
      env: { LOGBOOM_TOKEN: "lb_read_x" },
    });
    expect(printed).toBe(
      "<-G><http://logs.example.org/api/v1/logs/search><-H><Authorization: Bearer lb_read_x>" +
        "<--data-urlencode><q=service:api it's><--data-urlencode><start=now-1h>" +
        "<--data-urlencode><end=now><--data-urlencode><order=desc>",
    );
  });

  it("names the zone where the times depend on it", () => {
    expect(asCurl("", { ...address, start: "now/d", tz: "Asia/Tokyo" })).toContain("tz=Asia/Tokyo");
    expect(asCurl("", { ...address, tz: "Asia/Tokyo" })).not.toContain("tz=");
    expect(needsZone("2026-11-24")).toBe(true);
    expect(needsZone("2026-11-24 10:00", "now")).toBe(true);
    expect(needsZone("2026-11-24T10:00:00Z", "now-1d")).toBe(false);
  });

  it("is a command", () => {
    expect(asCommand(address)).toBe("./logboom search --start now-1h -- 'service:api it'\\''s'");
    expect(asCommand({ ...address, q: "", order: "asc", as_of: "a1" })).toBe(
      "./logboom search --start now-1h --order asc --as-of a1",
    );
    expect(asCommand({ ...address, live: true, q: "-debug" })).toBe("./logboom tail -- -debug");
  });

  it("is a command with the moments that a day of the zone came to", () => {
    const range = { start: "2026-11-23T15:00:00Z", end: "2026-11-24T10:00:00Z" };
    expect(asCommand({ ...address, q: "", start: "now/d", tz: "Asia/Tokyo" }, range)).toBe(
      "./logboom search --start 2026-11-23T15:00:00Z --end 2026-11-24T10:00:00Z",
    );
  });

  it("is a link that says what its reader would have otherwise", () => {
    const link = new URL(linkOf("http://logs.example.org", address));
    expect(read(link.search, { ...DEFAULTS, columns: ["other"], tz: "UTC", wrap: true })).toEqual(address);
    expect(isRelative(address)).toBe(true);
  });

  it("is a frozen link", () => {
    const frozen = { start: "2026-11-24T10:00:00Z", end: "2026-11-24T11:00:00Z", as_of: "x" };
    const kept = read(new URL(linkOf("http://logs.example.org", address, frozen)).search);
    expect(kept).toMatchObject(frozen);
    expect(isRelative(kept)).toBe(false);
  });

  it("is a link to one line, which stands open among its neighbours", () => {
    const line = { id: "AAZ", time: "2026-11-24T10:00:00.123456789Z" } as Line;
    const link = permalink("http://logs.example.org", line, { ...address, live: true, as_of: "x" });
    expect(read(new URL(link).search)).toMatchObject({
      line: "AAZ",
      q: address.q,
      live: false,
      as_of: "",
      start: "2026-11-24T09:57:30.123Z",
      end: "2026-11-24T10:02:30.123Z",
    });
  });
});
