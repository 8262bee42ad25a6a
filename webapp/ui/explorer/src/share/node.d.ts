/** The one thing of Node that a test uses; nothing that reaches a browser may. */
declare module "node:child_process" {
  export function execFileSync(
    file: string,
    words: readonly string[],
    options: { encoding: "utf8"; env?: { [name: string]: string } },
  ): string;
}
