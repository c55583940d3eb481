/**
 * The project as the rules see it: the names at its top, and every TypeScript file under src/ and test/.
 *
 * A tree is made from the disk or from texts: rules are tried on planted trees that never touch the disk.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findImports } from "./imports.ts";
import type { Import } from "./imports.ts";
import { scan } from "./scan.ts";
import type { Token } from "./scan.ts";

export interface SourceFile {
  /** From the root, with slashes: `src/base/units.ts`. */
  readonly path: string;
  readonly lines: readonly string[];
  readonly comments: readonly Token[];
  /** Tokens without comments. */
  readonly code: readonly Token[];
  readonly imports: readonly Import[];
  readonly isBarrel: boolean;
}

export interface Tree {
  readonly topLevel: readonly string[];
  readonly files: readonly SourceFile[];
  /** src/README.md, where exceptions are explained; absent while there are none. */
  readonly readme: string;
}

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  readonly check: (tree: Tree) => readonly Violation[];
}

/** Made by tools, not by people. */
const generated = new Set(["node_modules", "dist", "coverage"]);

export function readTree(root: string): Tree {
  const texts = new Map<string, string>();
  for (const folder of ["src", "test"]) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      const path = `${folder}/${name.replaceAll("\\", "/")}`;
      if (/\.[cm]?tsx?$/.test(path)) texts.set(path, readFileSync(join(root, path), "utf8"));
      if (path === "src/README.md") texts.set(path, readFileSync(join(root, path), "utf8"));
    }
  }
  return makeTree(
    texts,
    readdirSync(root).filter((name) => !generated.has(name)),
  );
}

export function makeTree(texts: ReadonlyMap<string, string>, topLevel: readonly string[] = ["src"]): Tree {
  const files = [...texts]
    .filter(([path]) => !path.endsWith(".md"))
    .map(([path, text]) => toSourceFile(path, text));
  return { topLevel, files, readme: texts.get("src/README.md") ?? "" };
}

function toSourceFile(path: string, text: string): SourceFile {
  const tokens = scan(text);
  const code = tokens.filter((token) => token.kind !== "comment");
  const { list, isBarrel } = findImports(code);
  return {
    path,
    lines: text.replace(/\n$/, "").split("\n"),
    comments: tokens.filter((token) => token.kind === "comment"),
    code,
    imports: list,
    isBarrel,
  };
}

/** `base` for src/base/units.ts, `main.ts` for src/main.ts, `test` for everything under test/. */
export function roomOf(path: string): string {
  const [top = "", second = ""] = path.split("/");
  return top === "src" ? second : top;
}

export function isSource(file: SourceFile): boolean {
  return file.path.startsWith("src/");
}

/** A rule that looks at one file at a time. */
export function perFile(name: string, check: (file: SourceFile) => readonly Violation[]): Rule {
  return { name, check: (tree) => tree.files.flatMap(check) };
}
