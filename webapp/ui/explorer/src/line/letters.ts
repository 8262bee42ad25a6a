/** The letter of each severity: colour alone says nothing to many, and to nobody on paper. */
export const LETTERS: { [severity: string]: string } = {
  trace: "T",
  debug: "D",
  info: "I",
  warn: "W",
  error: "E",
  fatal: "F",
};
