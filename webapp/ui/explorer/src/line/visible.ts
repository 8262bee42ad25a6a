/**
 * Text of strangers, made fit to be looked at: what would move the cursor, turn the writing round or hide itself
 * is shown as a sign of its own. React escapes the rest; nothing here is ever markup.
 */

// C0 and C1 controls but tab and line feed, bidirectional controls, zero-width and invisible characters, fillers,
// and the tags that can hide a whole text behind a flag.
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]|\u034f/gu;

const NAMES: { [code: number]: string } = { 0: "NUL", 7: "BEL", 8: "BS", 13: "CR", 27: "ESC", 127: "DEL" };

/** Names and numbers rather than pictures: few fonts have ␛. A CR before its LF is a line end like any other. */
export function visible(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(HIDDEN, sign);
}

function sign(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `‹${NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`}›`;
}
