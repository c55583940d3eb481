/**
 * Where functions with a body begin and end, found by their braces.
 *
 * A brace opens a body after `=>`, or after a parameter list with or without a return type, unless the
 * parentheses belong to `if`, `for`, `while`, `switch`, `catch`. Promises: a class, an object or a control
 * block is never taken for a function. A nested function's lines count for the outer one too: that is what a
 * reader scrolls through.
 */
import { matchBrackets } from "./scan.ts";
import type { Token } from "./scan.ts";

export interface FunctionSpan {
  readonly firstLine: number;
  readonly lastLine: number;
  /** Handed to `describe(...)`: a chapter of tests, not a function to understand. */
  readonly isDescribe: boolean;
}

const control: ReadonlySet<string> = new Set(["if", "for", "while", "switch"]);

/** After these a brace is part of a return type. */
const insideType: ReadonlySet<string> = new Set(["<", "&", "|", ",", "?", "readonly"]);

/** Words that stand before a brace or between functions, but never in a return type. */
const notInTypes: ReadonlySet<string> = new Set(
  (
    "class interface type enum export import const let var function return if else try finally do switch " +
    "static async declare abstract namespace module extends implements get set case default throw new " +
    "yield await"
  ).split(" "),
);

interface Code {
  readonly tokens: readonly Token[];
  readonly partners: ReadonlyMap<number, number>;
}

export function findFunctions(tokens: readonly Token[]): readonly FunctionSpan[] {
  const code: Code = { tokens, partners: matchBrackets(tokens) };
  const spans: FunctionSpan[] = [];
  tokens.forEach((token, open) => {
    if (token.kind !== "punctuation" || token.text !== "{") return;
    const close = tokens[code.partners.get(open) ?? -1];
    const first = startOfFunction(code, open);
    if (close === undefined || first === undefined) return;
    const firstLine = tokens[first]?.line ?? token.line;
    spans.push({ firstLine, lastLine: close.line, isDescribe: isInsideDescribe(code, first) });
  });
  return spans;
}

/** Place of the parameter list's opening parenthesis, or of a lone parameter. */
function startOfFunction(code: Code, brace: number): number | undefined {
  const isArrow = textAt(code, brace - 1) === "=>";
  const last = isArrow ? brace - 2 : brace - 1;
  if (insideType.has(textAt(code, brace - 1))) return undefined;
  const close = textAt(code, last) === ")" ? last : parametersBeforeType(code, last);
  const open = close === undefined ? undefined : code.partners.get(close);
  if (isArrow) return open ?? last;
  if (open === undefined) return undefined;
  const before = textAt(code, open - 1);
  const beforeThat = textAt(code, open - 2);
  // `catch` may also be the name of a method; the clause follows a block.
  const isCatch = before === "catch" && beforeThat === "}";
  const isControl = control.has(before) || isCatch || (before === "await" && beforeThat === "for");
  return isControl || beforeThat === "extends" ? undefined : open;
}

/** Walks back over `: Type`; the place of the `)` in front of it. */
function parametersBeforeType(code: Code, last: number): number | undefined {
  let angles = 0;
  let at = last;
  while (at >= 0) {
    const { kind, text } = code.tokens[at] ?? { kind: "punctuation", text: ";" };
    if (kind === "punctuation") {
      if (text === ":") return at < last && textAt(code, at - 1) === ")" ? at - 1 : undefined;
      if (text === ">") angles++;
      else if (text === "<") angles--;
      else if (text === ",") {
        if (angles <= 0) return undefined;
      } else if ([")", "]", "}"].includes(text)) at = code.partners.get(at) ?? 0;
      else if (![".", "|", "&", "?", "=>", "`"].includes(text)) return undefined;
    } else if (kind === "word" && notInTypes.has(text)) return undefined;
    at--;
  }
  return undefined;
}

/** The call in whose arguments the function stands: `describe(...)` or `describe.each(...)(...)`. */
function isInsideDescribe(code: Code, first: number): boolean {
  let at = first - 1;
  while (at >= 0 && textAt(code, at) !== "(") {
    const isClose = [")", "]", "}"].includes(textAt(code, at));
    if (["{", "[", ";", "${"].includes(textAt(code, at))) return false;
    at = (isClose ? (code.partners.get(at) ?? 0) : at) - 1;
  }
  at--;
  while (at >= 0) {
    if (textAt(code, at) === ")") at = (code.partners.get(at) ?? 0) - 1;
    else if (textAt(code, at - 1) === ".") at -= 2;
    else return textAt(code, at) === "describe";
  }
  return false;
}

/**
 * Text of a punctuation mark or word; "" for anything else, so that the string ")" is not taken for a
 * bracket.
 */
function textAt(code: Code, at: number): string {
  const token = code.tokens[at];
  return token?.kind === "punctuation" || token?.kind === "word" ? token.text : "";
}
