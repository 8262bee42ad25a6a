import { afterEach, describe, expect, it, vi } from "vitest";
import type { State } from "./stream";

vi.mock("../boot", () => ({ boot: { preferences: {} } }));
vi.stubGlobal("window", globalThis);
const { reader } = await import("./events");
const { follow, pause } = await import("./stream");

describe("events", () => {
  it("are whole however they come in pieces", () => {
    const text = 'event: line\nid: c1\ndata: {"id":"a"}\n\nevent: status\nid: c2\ndata: {"rate":1}\n\n';
    for (const size of [1, 2, 7, 1000]) {
      const read = reader();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...read(text.slice(at, at + size)));
      expect(found).toEqual([
        { kind: "line", id: "c1", data: '{"id":"a"}' },
        { kind: "status", id: "c2", data: '{"rate":1}' },
      ]);
    }
  });

  it("that are cut off are none", () => expect(reader()("event: line\nid: c1\ndata: {")).toEqual([]));
});

/** Follows a server that gives these answers in turn, and then nothing more. */
async function followed(answers: (() => Response)[]) {
  vi.useFakeTimers();
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (address: string, { signal }: RequestInit) => {
    asked.push(new URL(address, "http://x").searchParams.get("cursor") ?? "");
    const answer = answers[asked.length - 1];
    if (answer) return answer();
    return new Promise<Response>((_, refuse) =>
      signal?.addEventListener("abort", () => refuse(signal.reason)),
    );
  });
  const lines: string[] = [];
  const states: State[] = [];
  const close = follow(
    { cursor: "c0" },
    {
      line: (line) => lines.push(line.id),
      status: () => undefined,
      gap: () => undefined,
      state: (state) => states.push(state),
    },
  );
  await vi.advanceTimersByTimeAsync(5000);
  close();
  return { asked, lines, kinds: states.map((state) => state.kind), states };
}

const line = (id: string, cursor: string) => `event: line\nid: ${cursor}\ndata: {"id":"${id}"}\n\n`;

describe("a tail", () => {
  afterEach(() => vi.useRealTimers());

  it("is taken up behind its last event, when it ends in its time", async () => {
    const found = await followed([() => new Response(line("a", "c1")), () => new Response(line("b", "c2"))]);
    expect(found.asked).toEqual(["c0", "c1", "c2"]);
    expect(found.lines).toEqual(["a", "b"]);
    expect(found.states[1]).toEqual({ kind: "again", seconds: 0, reason: "" });
  });

  it("waits, and says why, when the server cannot", async () => {
    const away = () => Response.json({ detail: "The database is away." }, { status: 503 });
    const found = await followed([away, () => new Response(line("a", "c1"))]);
    expect(found.states[0]).toEqual({ kind: "again", seconds: 1, reason: "The database is away." });
    expect(found.lines).toEqual(["a"]);
  });

  it("goes on after the server broke it off with a reason", async () => {
    const broken = `${line("a", "c1")}event: error\nid: c1\ndata: {"detail":"Too slow."}\n\n`;
    const found = await followed([() => new Response(broken), () => new Response(line("b", "c2"))]);
    expect(found.states[1]).toMatchObject({ kind: "again", reason: "Too slow." });
    expect(found.asked.slice(0, 2)).toEqual(["c0", "c1"]);
  });

  it("ends at a refusal that waiting would not change", async () => {
    const gone = () =>
      Response.json({ detail: "This cursor is too old.", code: "cursor_expired" }, { status: 410 });
    const found = await followed([gone]);
    expect(found.kinds).toEqual(["ended"]);
    expect(found.asked).toEqual(["c0"]);
  });

  it("waits longer each time, and never long", () => {
    expect([1, 2, 3, 9].map((failures) => pause(failures, 1))).toEqual([1000, 2000, 4000, 30_000]);
    expect(pause(1, 0)).toBe(500);
  });
});
