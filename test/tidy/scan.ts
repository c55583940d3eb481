/**
 * TypeScript as tokens, by hand: just enough to tell code from comments, strings, templates and regular
 * expressions.
 *
 * No parser, since the compiler offers no API for one and none is worth a dependency for counting lines. What
 * it cannot know is whether `/` divides or opens a regular expression; it decides by the token before, which
 * is right for everything but a regular expression that begins a statement after `)` or `}`.
 */

type TokenKind = "comment" | "string" | "template" | "regex" | "word" | "number" | "punctuation";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

const plain: readonly (readonly [TokenKind | "space", RegExp])[] = [
  ["space", /\s+|^#![^\n]*/y],
  ["comment", /\/\/[^\n]*|\/\*[\s\S]*?\*\//y],
  ["string", /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y],
  ["number", /0[xob][\da-f_]+n?|\d[\d_]*(?:\.\d[\d_]*)?(?:e[+-]?\d+)?n?/iy],
  ["word", /[#@]?[\p{ID_Start}$_][\p{ID_Continue}$]*/uy],
];
const regex = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const templateChunk = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|$)/y;
const punctuation = /=>|\?\.(?!\d)|\.\.\.|[\s\S]/y;

/** Words after which an operand follows, so that `/` opens a regular expression. */
const beforeOperand = new Set(
  "return typeof case in of delete void throw new instanceof else do await yield".split(" "),
);

export function scan(source: string): readonly Token[] {
  const tokens: Token[] = [];
  /** Open braces; true for `${`, whose closing brace goes back into the template. */
  const braces: boolean[] = [];
  let at = 0;
  let line = 1;
  const add = (kind: TokenKind | "space", text: string): void => {
    if (kind !== "space") tokens.push({ kind, text, line });
    at += text.length;
    for (let i = text.indexOf("\n"); i !== -1; i = text.indexOf("\n", i + 1)) line++;
  };
  const addTemplateChunk = (): void => {
    const chunk = matchAt(templateChunk, source, at) ?? "";
    if (!chunk.endsWith("${")) return add("template", chunk);
    add("template", chunk.slice(0, -2));
    add("punctuation", "${");
    braces.push(true);
  };
  while (at < source.length) {
    const [kind, text] = nextPlain(source, at) ?? nextOther(source, at, tokens);
    add(kind, text);
    if (kind !== "punctuation") continue;
    if (text === "{") braces.push(false);
    if (text === "`" || (text === "}" && braces.pop() === true)) addTemplateChunk();
  }
  return tokens;
}

function nextPlain(source: string, at: number): readonly [TokenKind | "space", string] | undefined {
  for (const [kind, pattern] of plain) {
    const text = matchAt(pattern, source, at);
    if (text !== undefined) return [kind, text];
  }
  return undefined;
}

function nextOther(source: string, at: number, before: readonly Token[]): readonly [TokenKind, string] {
  const text = opensRegex(before) ? matchAt(regex, source, at) : undefined;
  return text === undefined ? ["punctuation", matchAt(punctuation, source, at) ?? ""] : ["regex", text];
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

function opensRegex(before: readonly Token[]): boolean {
  const last = before.findLast((token) => token.kind !== "comment");
  if (last === undefined) return true;
  if (last.kind === "word") return beforeOperand.has(last.text);
  return last.kind === "punctuation" && ![")", "]", "}", "`"].includes(last.text);
}

/** The place of the partner of every bracket. Tokens without comments, please. */
export function matchBrackets(code: readonly Token[]): ReadonlyMap<number, number> {
  const partners = new Map<number, number>();
  const open: number[] = [];
  code.forEach((token, i) => {
    if (token.kind !== "punctuation") return;
    if (["(", "[", "{", "${"].includes(token.text)) open.push(i);
    if (![")", "]", "}"].includes(token.text)) return;
    const partner = open.pop();
    if (partner === undefined) return;
    partners.set(partner, i);
    partners.set(i, partner);
  });
  return partners;
}
