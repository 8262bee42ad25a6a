/** Server-sent events, as they come in pieces. */

export interface Event {
  kind: string;
  id: string; // "" where it has none
  data: string;
}

/** Takes pieces of the text and gives the events that they complete. What is not complete when it ends is dropped. */
export function reader(): (piece: string) => Event[] {
  let held = "";
  return (piece) => {
    const blocks = (held + piece).split("\n\n");
    held = blocks.pop() ?? "";
    return blocks.map(event).filter(({ data }) => data !== "");
  };
}

function event(block: string): Event {
  const found = { kind: "message", id: "", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value = ""] = /^(event|id|data): ?(.*)$/s.exec(line) ?? [];
    if (name === "event") found.kind = value;
    else if (name === "id") found.id = value;
    else if (name === "data") found.data += found.data ? `\n${value}` : value;
  }
  return found;
}
