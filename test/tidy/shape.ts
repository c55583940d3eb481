/**
 * The shape of files: lengths, head comments, names, and what must not be left lying about.
 */
import { findFunctions } from "./functions.ts";
import type { Token } from "./scan.ts";
import { isSource, perFile } from "./tree.ts";
import type { Rule, SourceFile, Violation } from "./tree.ts";

export const limits = { fileLines: 500, functionLines: 70, lineLength: 110, headLines: 12 } as const;

const topLevelNames = new Set(
  "package.json package-lock.json tsconfig.json src test docker minio README.md LICENSE".split(" "),
);

const notEmpty: Rule = {
  name: "not empty",
  check: (tree) => {
    const sources = tree.files.filter(isSource);
    return sources.length > 0 ? [] : [{ path: "src", line: 1, message: "there is nothing to check" }];
  },
};

const topLevel: Rule = {
  name: "top level",
  check: (tree) =>
    tree.topLevel
      .filter((name) => !name.startsWith(".") && !topLevelNames.has(name))
      .map((path) => ({ path, line: 1, message: "does not belong to the top of the repository" })),
};

const fileLength: Rule = perFile("file length", ({ path, lines }) => {
  if (lines.length <= limits.fileLines) return [];
  return [
    { path, line: limits.fileLines + 1, message: `${lines.length} lines; at most ${limits.fileLines}` },
  ];
});

const functionLength: Rule = perFile("function length", ({ path, code }) =>
  findFunctions(code).flatMap(({ firstLine, lastLine, isDescribe }) => {
    const length = lastLine - firstLine + 1;
    if (isDescribe || length <= limits.functionLines) return [];
    return [
      { path, line: firstLine, message: `a function of ${length} lines; at most ${limits.functionLines}` },
    ];
  }),
);

const lineLength: Rule = perFile("line length", ({ path, lines }) =>
  lines.flatMap((text, i) => {
    // Only a line that is longer in UTF-16 can be longer in characters, and that is cheap to ask.
    const length = text.length > limits.lineLength ? Array.from(text).length : 0;
    if (length <= limits.lineLength) return [];
    return [{ path, line: i + 1, message: `${length} characters; at most ${limits.lineLength}` }];
  }),
);

/** Tools read these; what they are is known. */
function isToolConfig(file: SourceFile): boolean {
  return file.path.endsWith(".config.ts");
}

const headComment: Rule = perFile("head comment", (file) => {
  if (isToolConfig(file)) return [];
  const lines = headLines(file);
  const { path } = file;
  if (lines === 0) return [{ path, line: 1, message: "does not begin by saying what it is" }];
  if (lines <= limits.headLines) return [];
  return [{ path, line: 1, message: `a head of ${lines} lines; at most ${limits.headLines}` }];
});

/** Lines with text in the comment before any code. */
function headLines(file: SourceFile): number {
  const firstCode = file.code[0]?.line ?? Infinity;
  const [head] = file.comments;
  const start = file.lines[0]?.startsWith("#!") === true ? 2 : 1;
  if (head === undefined || head.line !== start || head.line >= firstCode) return 0;
  const block = head.text.startsWith("/*") ? head.text.split("\n") : lineComments(file, start);
  return block.filter((line) => /[\p{L}\p{N}]/u.test(line)).length;
}

function lineComments(file: SourceFile, start: number): readonly string[] {
  const rest = file.lines.slice(start - 1);
  const end = rest.findIndex((line) => !line.startsWith("//"));
  return end === -1 ? rest : rest.slice(0, end);
}

const fileName: Rule = perFile("file name", ({ path }) => {
  const name = path.split("/").at(-1) ?? "";
  if (/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|d))?\.tsx?$/.test(name)) return [];
  return [{ path, line: 1, message: "file names are kebab-case" }];
});

const leftovers: Rule = perFile("leftovers", (file) => [...inComments(file), ...inCode(file)]);

function inComments({ path, comments }: SourceFile): readonly Violation[] {
  return comments.flatMap((comment) =>
    comment.text.split("\n").flatMap((text, i) => {
      const message = leftoverIn(text);
      return message === undefined ? [] : [{ path, line: comment.line + i, message }];
    }),
  );
}

function leftoverIn(comment: string): string | undefined {
  if (/\bFIXME\b/.test(comment)) return "FIXME does not merge";
  if (/\bTODO\b/.test(comment) && !/\bTODO ?\(?#\d+/.test(comment))
    return "TODO needs an issue number: TODO(#12)";
  return /@ts-(ignore|nocheck)\b/.test(comment) ? "mend the type instead of hiding it" : undefined;
}

/** `export default` is what tools demand of their configuration, and nobody else wants it. */
function inCode(file: SourceFile): readonly Violation[] {
  return file.code.flatMap((token, at) => {
    const message = token.kind === "word" ? leftoverAt(file, at) : undefined;
    return message === undefined ? [] : [{ path: file.path, line: token.line, message }];
  });
}

function leftoverAt(file: SourceFile, at: number): string | undefined {
  const { code } = file;
  const [before, word, next, after] = [code[at - 1], code[at], code[at + 1], code[at + 2]].map(textOf);
  const isMember = before === "." || before === "?.";
  switch (word) {
    case "any":
      return ["as", ":", "<", "|", "&", ","].includes(before ?? "") && next !== ":"
        ? "any hides mistakes"
        : undefined;
    case "default":
      return before === "export" && !isToolConfig(file) ? "exports have names" : undefined;
    case "enum":
    case "namespace":
      return !isMember && after === "{" ? `no ${word}: types must be erasable` : undefined;
    case "only":
    case "skip":
      return isMember && isTestCall(code, at) ? `.${word} leaves tests out` : undefined;
    default:
      return undefined;
  }
}

function isTestCall(code: readonly Token[], at: number): boolean {
  const owner = textOf(code[at - 2]);
  return ["test", "it", "describe", "suite", "bench", "each", "concurrent"].includes(owner) || owner === ")";
}

/** "" for strings and templates: what is quoted is not meant. */
function textOf(token: Token | undefined): string {
  return token?.kind === "word" || token?.kind === "punctuation" ? token.text : "";
}

export const shapeRules: readonly Rule[] = [
  notEmpty,
  topLevel,
  fileLength,
  functionLength,
  lineLength,
  headComment,
  fileName,
  leftovers,
];
