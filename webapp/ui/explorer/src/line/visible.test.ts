import { describe, expect, it } from "vitest";
import { visible } from "./visible";

describe("text of strangers", () => {
  it.each([
    ["plain text, with\ttabs\nand lines", "plain text, with\ttabs\nand lines"],
    ["\x1b[31mred\x1b[0m", "‹ESC›[31mred‹ESC›[0m"],
    ["a\0b\rc", "a‹NUL›b‹CR›c"],
    ["abc\u202edcba", "abc‹U+202E›dcba"],
    ["zero\u200bwidth\ufeff", "zero‹U+200B›width‹U+FEFF›"],
    ["\x9b2J", "‹U+009B›2J"],
    ["flag\u{e0041}\u3164", "flag‹U+E0041›‹U+3164›"],
    ["a\r\nb\x01", "a\nb‹U+0001›"],
    ["<script>alert(1)</script> 🙂", "<script>alert(1)</script> 🙂"],
  ])("%j is shown as %j", (text, shown) => expect(visible(text)).toBe(shown));
});
