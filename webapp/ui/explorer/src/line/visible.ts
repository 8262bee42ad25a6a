/**
 * Text of strangers, made fit to be looked at: what would move the cursor, turn the writing round or hide itself
 * is shown as a sign of its own. React escapes the rest; nothing here is ever markup.
 */

// C0 and C1 controls but tab and line feed, bidirectional controls, zero-width and invisible characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

export function visible(text: string): string {
  return text.replace(HIDDEN, sign);
}

function sign(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code); // ␛ and its kin
  if (code === 0x7f) return "␡";
  return `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
}
