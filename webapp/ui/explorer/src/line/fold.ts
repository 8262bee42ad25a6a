/** Finds the frames of a stack trace, so that what was thrown and where stand beside each other. */

// "    at x.y(Z.java:1)" · '  File "x.py", line 1' and the code below it · "\t/go/src/x.go:12 +0x1f" · "... 23 more"
const FRAME = /^\s+(at\s|File "|.*\.go:\d+|\.\.\. \d+ (more|common))|^\s{4,}\S/;
const FEW = 4; // so many in a row are not worth folding
const KEPT = 1; // the first of them says where it happened

export interface Part {
  text: string;
  frames: number; // 0: a text that is shown
}

export function fold(text: string): Part[] {
  const parts: Part[] = [];
  let plain: string[] = [];
  let frames: string[] = [];
  const settle = () => {
    if (frames.length <= FEW) plain.push(...frames);
    else {
      plain.push(...frames.slice(0, KEPT));
      parts.push({ text: plain.join("\n"), frames: 0 }, { text: "", frames: frames.length - KEPT });
      plain = [];
    }
    frames = [];
  };
  for (const line of text.split("\n")) {
    if (FRAME.test(line)) frames.push(line);
    else {
      settle();
      plain.push(line);
    }
  }
  settle();
  if (plain.length) parts.push({ text: plain.join("\n"), frames: 0 });
  return parts;
}
