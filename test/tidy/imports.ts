/**
 * What a file imports and re-exports, and whether it does anything else.
 */
import { matchBrackets } from "./scan.ts";
import type { Token } from "./scan.ts";

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `import type` or `export type ... from`: gone at run time. */
  readonly typeOnly: boolean;
  readonly kind: "import" | "dynamic" | "re-export" | "re-export all";
}

export interface Imports {
  readonly list: readonly Import[];
  /** There are exports, and nothing but imports and exports of what others made. */
  readonly isBarrel: boolean;
}

/** A statement and where the next one begins. */
interface Found {
  readonly import: Import | undefined;
  readonly next: number;
}

export function findImports(code: readonly Token[]): Imports {
  const partners = matchBrackets(code);
  const list: Import[] = [];
  let exportsOthers = false;
  let hasOwnCode = false;
  for (let at = 0; at < code.length;) {
    const found = importAt(code, at) ?? exportAt(code, at, partners);
    if (found?.import !== undefined) list.push(found.import);
    if (code[at]?.text === "export" && found !== undefined) exportsOthers = true;
    if (found === undefined || found.import?.kind === "dynamic") hasOwnCode ||= code[at]?.text !== ";";
    at = found?.next ?? at + 1;
  }
  return { list, isBarrel: exportsOthers && !hasOwnCode };
}

function importAt(code: readonly Token[], at: number): Found | undefined {
  if (!isWord(code[at], "import") || code[at - 1]?.text === "." || code[at + 1]?.text === ".")
    return undefined;
  if (code[at + 1]?.text === "(") {
    const argument = code[at + 2];
    if (argument?.kind !== "string") return undefined;
    return { import: toImport(argument, { kind: "dynamic", typeOnly: false }), next: at + 3 };
  }
  const typeOnly = isWord(code[at + 1], "type") && !isWord(code[at + 2], "from");
  return fromClause(code, at + 1, { kind: "import", typeOnly });
}

function exportAt(
  code: readonly Token[],
  at: number,
  partners: ReadonlyMap<number, number>,
): Found | undefined {
  if (!isWord(code[at], "export")) return undefined;
  const typeOnly = isWord(code[at + 1], "type");
  const what = at + (typeOnly ? 2 : 1);
  if (code[what]?.text === "*") return fromClause(code, what, { kind: "re-export all", typeOnly });
  if (code[what]?.text !== "{") return undefined;
  const close = partners.get(what) ?? what;
  if (isWord(code[close + 1], "from")) return fromClause(code, close + 1, { kind: "re-export", typeOnly });
  return { import: undefined, next: close + 1 };
}

function fromClause(
  code: readonly Token[],
  start: number,
  what: Pick<Import, "kind" | "typeOnly">,
): Found | undefined {
  const at = code.findIndex((token, i) => i >= start && token.kind === "string");
  const specifier = code[at];
  const isClause = at === start || isWord(code[at - 1], "from");
  return specifier === undefined || !isClause
    ? undefined
    : { import: toImport(specifier, what), next: at + 1 };
}

function toImport(specifier: Token, what: Pick<Import, "kind" | "typeOnly">): Import {
  return { ...what, specifier: specifier.text.slice(1, -1), line: specifier.line };
}

function isWord(token: Token | undefined, text: string): boolean {
  return token?.kind === "word" && token.text === text;
}
