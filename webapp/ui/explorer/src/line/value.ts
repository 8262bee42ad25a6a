/** A field of a line, by the name a query calls it, as the text that a query compares. */
import type { Json, Line } from "../api/types";
import { BUILTIN } from "../query/parts";

export function fieldOf(line: Line, field: string): string | null {
  if (BUILTIN.includes(field)) return (line[field as keyof Line] as string | null) ?? null;
  const name = field.replace(/^(@|attributes\.)/, "");
  return Object.hasOwn(line.attributes, name) ? textOf(line.attributes[name] as Json) : null;
}

export function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
