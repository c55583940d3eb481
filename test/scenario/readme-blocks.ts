/** The fenced blocks of README.md that are run: found by the comment before them, so that prose may move. */
import { readFileSync } from "node:fs";

export type Exchange = { readonly command: string; readonly output: string };

export function readReadme(): string {
  return readFileSync(new URL("../../README.md", import.meta.url), "utf8");
}

/** Content of the first fenced block behind `marker`. */
export function blockAfter(readme: string, marker: string): string {
  const at = readme.indexOf(marker);
  const found = at === -1 ? undefined : /^```\w*\n(.*?)\n```$/ms.exec(readme.slice(at));
  if (found === undefined || found === null) throw new Error(`README.md has no block behind ${marker}`);
  return found[1] ?? "";
}

/** Lines with a prompt are commands; those that follow are what they print. */
export function sessionOf(block: string): readonly Exchange[] {
  const session: { command: string; output: string }[] = [];
  for (const line of block.split("\n")) {
    const last = session.at(-1);
    if (line.startsWith("$ ")) session.push({ command: line.slice(2), output: "" });
    else if (last !== undefined) last.output += `${line}\n`;
  }
  return session;
}
