import { describe, expect, it } from "vitest";
import { fold } from "./fold";

const java = [
  "boom",
  ...Array.from({ length: 9 }, (_, n) => `\tat a.b.C.m${n}(C.java:${n})`),
  "Caused by: other",
];

describe("a stack trace", () => {
  it("keeps what was thrown, the first frame and the cause", () => {
    expect(fold(java.join("\n"))).toEqual([
      { text: "boom\n\tat a.b.C.m0(C.java:0)", frames: 0 },
      { text: "", frames: 8 },
      { text: "Caused by: other", frames: 0 },
    ]);
  });

  it("is left as it is when it is short", () => {
    const short = java.slice(0, 4).join("\n");
    expect(fold(short)).toEqual([{ text: short, frames: 0 }]);
  });

  it("is not seen in a text of plain lines", () => {
    const text = "one\ntwo\nthree\nfour\nfive\nsix";
    expect(fold(text)).toEqual([{ text, frames: 0 }]);
  });
});
