import { describe, expect, it } from "vitest";
import { lasting, skew } from "./skew";

const received = "2026-11-24T10:00:00.000000Z";
const of = (time: string) => skew({ time, received });

describe("the clock of a sender", () => {
  it("agrees within a minute", () => {
    expect(of("2026-11-24T10:00:59.999999999Z")).toBeNull();
    expect(of("2026-11-24T09:59:01.000000000Z")).toBeNull();
  });

  it("is ahead when a line comes before its time", () => {
    expect(of("2026-11-24T12:00:00.000000000Z")).toMatchObject({
      way: "ahead",
      badge: "sent with a clock 2 hours ahead",
    });
  });

  it("may be behind when a line comes long after its time, or the line is late", () => {
    expect(of("2026-11-24T09:58:00.000000000Z")).toMatchObject({
      way: "behind",
      badge: "sent 2 minutes late, or with a clock behind",
    });
  });

  it("is not known of a line whose receipt is not", () => {
    expect(skew({ time: received, received: null })).toBeNull();
  });
});

describe("how long something lasted", () => {
  it.each([
    [340, "340 ms"],
    [1000, "1 second"],
    [5_400_000, "1.5 hours"],
    [172_800_000, "2 days"],
  ])("%d ms is %s", (ms, text) => expect(lasting(ms)).toBe(text));
});
