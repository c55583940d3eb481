/**
 * For every rule the smallest trees that break it, with the line that must be reported, and code that looks
 * like a violation and is none. Texts are planted in memory; `head` is what makes them a proper file
 * otherwise.
 */
import { limits } from "./shape.ts";
import { makeTree } from "./tree.ts";
import type { Tree } from "./tree.ts";

export interface Plant {
  readonly rule: string;
  readonly title: string;
  readonly files: Readonly<Record<string, string>>;
  readonly topLevel?: readonly string[];
  readonly expected: readonly string[];
}

const head = "/** What it is. */\n";
const body = (lines: number): string => "  x();\n".repeat(lines);

export function treeOf({ files, topLevel }: Pick<Plant, "files" | "topLevel">): Tree {
  return makeTree(new Map(Object.entries(files)), topLevel);
}

/** One file with one violation on its second line, the first being the head. */
function plant(rule: string, path: string, line: string, message: string): Plant {
  return {
    rule,
    title: line,
    files: { [path]: `${head}${line}\n` },
    expected: [`${path}:2 ${rule}: ${message}`],
  };
}

const shapePlants: readonly Plant[] = [
  {
    rule: "not empty",
    title: "no files",
    files: {},
    expected: ["src:1 not empty: there is nothing to check"],
  },
  {
    rule: "not empty",
    title: "tests only",
    files: { "test/a.test.ts": head },
    expected: ["src:1 not empty: there is nothing to check"],
  },
  {
    rule: "top level",
    title: "a stray file",
    files: { "src/base/a.ts": head },
    topLevel: ["src", "notes.txt", ".gitignore", "README.md"],
    expected: ["notes.txt:1 top level: does not belong to the top of the repository"],
  },
  {
    rule: "file length",
    title: "one line too many",
    files: { "src/base/a.ts": head + "x();\n".repeat(limits.fileLines) },
    expected: ["src/base/a.ts:501 file length: 501 lines; at most 500"],
  },
  {
    rule: "file length",
    title: "a test is a file too",
    files: { "src/base/a.ts": head, "test/a.test.ts": head + "x();\n".repeat(600) },
    expected: ["test/a.test.ts:501 file length: 601 lines; at most 500"],
  },
  ...[
    "function f() {",
    "function f(a: { b: string }): Promise<Map<string, number>> {",
    "function f(a: string): asserts a is 'x' | `y${string}` {",
    "const f = (a) => {",
    "const f = async (a: number): Promise<void> => {",
    "const f = a => {",
    "g({ ['m'](a: string): { b: string }[] {",
    "class A { get m() {",
    "class A { constructor(readonly a: string) {",
    "class A { catch(a: B | { c: d }): E<{ f: g }> {",
    "test('a', () => {",
  ].map((opening) => ({
    rule: "function length",
    title: opening,
    files: { "src/base/a.ts": `${head}${opening}\n${body(limits.functionLines - 1)}${closing(opening)}\n` },
    expected: [`src/base/a.ts:2 function length: a function of 71 lines; at most 70`],
  })),
  plant("line length", "src/base/a.ts", `// ${"é".repeat(108)}`, "111 characters; at most 110"),
  ...["x();\n/** late */\n", "", "x(); // beside\n", "#!/usr/bin/env node\nx();\n"].map((text) => ({
    rule: "head comment",
    title: JSON.stringify(text),
    files: { "src/base/a.ts": text },
    expected: ["src/base/a.ts:1 head comment: does not begin by saying what it is"],
  })),
  {
    rule: "head comment",
    title: "too long",
    files: { "src/base/a.ts": `/**\n${" * word\n".repeat(13)} */\n` },
    expected: ["src/base/a.ts:1 head comment: a head of 13 lines; at most 12"],
  },
  {
    rule: "file name",
    title: "camel case",
    files: { "src/base/myFile.ts": head },
    expected: ["src/base/myFile.ts:1 file name: file names are kebab-case"],
  },
  plant("leftovers", "src/base/a.ts", "// TODO: later", "TODO needs an issue number: TODO(#12)"),
  plant("leftovers", "src/base/a.ts", "/* FIXME */", "FIXME does not merge"),
  plant("leftovers", "src/base/a.ts", "// @ts-ignore", "mend the type instead of hiding it"),
  plant("leftovers", "src/base/a.ts", "const a = b as any;", "any hides mistakes"),
  plant("leftovers", "src/base/a.ts", "const a: any = b;", "any hides mistakes"),
  plant("leftovers", "src/base/a.ts", "const a = new Map<string, any>();", "any hides mistakes"),
  plant("leftovers", "src/base/a.ts", "export default a;", "exports have names"),
  plant("leftovers", "src/base/a.ts", "export enum A {}", "no enum: types must be erasable"),
  plant("leftovers", "src/base/a.ts", "namespace A {}", "no namespace: types must be erasable"),
  ...["test.only('a', f)", "it.skip('a', f)", "describe.only('a', f)", "test.each([1]).skip('a', f)"].map(
    (line) => ({
      ...plant(
        "leftovers",
        "test/a.test.ts",
        line,
        `.${line.includes("only") ? "only" : "skip"} leaves tests out`,
      ),
      files: { "src/base/a.ts": head, "test/a.test.ts": `${head}${line}\n` },
    }),
  ),
];

/** As many closing brackets as the opening line leaves open. */
function closing(opening: string): string {
  if (opening.startsWith("g(")) return "} });";
  if (opening.startsWith("class")) return "} }";
  return opening.startsWith("test(") ? "});" : "}";
}

const floorPlants: readonly Plant[] = [
  ...[
    ["base", "ports"],
    ["ports", "segment"],
    ["state", "segment"],
    ["raft", "store"],
    ["store", "replica"],
    ["replica", "offload"],
    ["service", "http"],
    ["http", "adapters"],
    ["adapters", "http"],
    ["http", "config"],
    ["store", "config"],
    ["config", "ports"],
    ["cli", "adapters"],
  ].map(([from = "", to = ""]) =>
    plant(
      "floors",
      `src/${from}/a.ts`,
      `import { b } from "../${to}/b.ts";`,
      `${from} must not import ${to}`,
    ),
  ),
  plant("floors", "src/base/a.ts", 'import type { B } from "../ports/b.ts";', "base must not import ports"),
  plant("floors", "src/base/a.ts", 'export { b } from "../ports/b.ts"; x();', "base must not import ports"),
  plant("floors", "src/base/a.ts", 'await import("../ports/b.ts");', "base must not import ports"),
  plant("floors", "src/service/a.ts", 'import { m } from "../main.ts";', "service must not import main.ts"),
  plant("floors", "src/main.ts", 'import { c } from "./cli/c.ts";', "main.ts must not import cli"),
  plant("floors", "src/http/a.ts", 'import { t } from "../../test/t.ts";', "http must not import test"),
  {
    rule: "known rooms",
    title: "a new folder",
    files: { "src/util/a.ts": head },
    expected: ["src/util/a.ts:1 known rooms: util is on no floor"],
  },
  plant(
    "packages",
    "src/service/a.ts",
    'import { LRUCache } from "lru-cache";',
    "lru-cache belongs to store",
  ),
  plant("packages", "src/adapters/a.ts", 'import x from "left-pad/sub";', "left-pad has no room"),
  {
    rule: "barrels",
    title: "only re-exports",
    files: { "src/base/a.ts": `${head}export { b } from "./b.ts";\nexport type { C } from "./c.ts";\n` },
    expected: ["src/base/a.ts:1 barrels: only exports what others made"],
  },
  {
    rule: "barrels",
    title: "imports, then exports",
    files: { "src/base/a.ts": `${head}import { b } from "./b.ts";\nexport { b };\n` },
    expected: ["src/base/a.ts:1 barrels: only exports what others made"],
  },
  plant("barrels", "src/index.ts", 'export * from "./main.ts";', "export * hides what is exported"),
  {
    rule: "cycles",
    title: "two files",
    files: {
      "src/base/a.ts": `${head}import { b } from "./b.ts";\nx(b);\n`,
      "src/base/b.ts": `${head}import { a } from "./a.ts";\nx(a);\n`,
    },
    expected: ["src/base/b.ts:2 cycles: src/base/a.ts → src/base/b.ts → src/base/a.ts"],
  },
  {
    rule: "cycles",
    title: "through types, over three files",
    files: {
      "src/base/a.ts": `${head}import type { B } from "./b.ts";\n`,
      "src/base/b.ts": `${head}import type { C } from "./c.ts";\n`,
      "src/base/c.ts": `${head}import type { A } from "./a.ts";\n`,
    },
    expected: ["src/base/c.ts:2 cycles: src/base/a.ts → src/base/b.ts → src/base/c.ts → src/base/a.ts"],
  },
];

const clock = "time comes from the Clock";
const waiting = "waiting is the Clock's";
const random = "randomness comes from Random";

const bannedPlants: readonly Plant[] = [
  plant("banned names", "src/state/a.ts", "const t = Date.now();", `Date: ${clock}`),
  plant("banned names", "src/state/a.ts", "const t = `${new Date(0)}`;", `Date: ${clock}`),
  plant("banned names", "src/http/a.ts", "const t = performance.now();", `performance: ${clock}`),
  plant("banned names", "src/store/a.ts", "setTimeout(f, 5);", `setTimeout: ${waiting}`),
  plant("banned names", "src/store/a.ts", "globalThis.setInterval(f, 5);", `setInterval: ${waiting}`),
  plant("banned names", "src/replica/a.ts", "setImmediate(f);", `setImmediate: ${waiting}`),
  plant("banned names", "src/service/a.ts", "const r = Math.random();", `random: ${random}`),
  plant("banned names", "src/service/a.ts", "const r = crypto.randomUUID();", `randomUUID: ${random}`),
  plant(
    "banned names",
    "src/config/a.ts",
    "const e = process.env;",
    "process: the process belongs to the composition root",
  ),
  plant("banned names", "src/http/a.ts", "console.log(1);", "console: lines go to the Logger"),
  ...["node:fs", "node:fs/promises", "node:net", "node:http", "node:timers/promises", "node:os"].map((name) =>
    plant("node modules", "src/store/a.ts", `import { x } from "${name}";`, `${name} is for the outer rooms`),
  ),
  plant(
    "node modules",
    "src/http/a.ts",
    'import { get } from "node:http";',
    "node:http is for the outer rooms",
  ),
  plant(
    "node modules",
    "src/service/a.ts",
    'import { pipeline } from "node:stream";',
    "node:stream is for the outer rooms",
  ),
  plant("pure raft", "src/raft/a.ts", "const a = async () => 1;", "async: raft is synchronous"),
  plant("pure raft", "src/raft/a.ts", "let p: Promise<void>;", "Promise: raft is synchronous"),
  plant(
    "pure raft",
    "src/raft/a.ts",
    'import { a } from "node:util";',
    "raft imports nothing, least of all node:util",
  ),
];

export const plants: readonly Plant[] = [...shapePlants, ...floorPlants, ...bannedPlants];

/** None of this breaks a rule, however much it looks like it. */
export const innocent: Readonly<Record<string, string>> = {
  "src/state/quoted.ts":
    `${head}// Date.now() and process.env are for the outer rooms; see TODO(#12) and TODO #13\n` +
    'const a = \'Date\' + "process" + `setTimeout ${b} Date` + /Date|"{/.source;\n' +
    "const c = { process: 1, any: 2 };\nc.process + reader.skip(4) + Promise.any([]) + x.Date;\n" +
    "type Any = { any: string };\n",
  "src/state/division.ts": `${head}const a = (b + c) / d / e / f[0] / g;\nconst s = "/*"; // ' " \`\n`,
  "src/state/long-class.ts": `${head}export class A {\n${"  readonly a = 1;\n".repeat(90)}}\n`,
  "src/state/long-object.ts":
    `${head}const a = f(x ? g(y) : z, {\n${"  a: 1,\n".repeat(90)}});\n` +
    `switch (a) {\n${"  case 1:\n".repeat(90)}}\n` +
    `function f(): void {\n}\nclass B extends mixin(A) {\n${"  a = 1;\n".repeat(90)}}\n` +
    `if (f(x)) {\n${body(90)}} else {\n${body(40)}}\nfor await (const a of b) {\n${body(80)}}\n`,
  "src/http/node-types.ts":
    `${head}import type { IncomingMessage } from "node:http";\n` +
    'import { Readable } from "node:stream";\nx(Readable);\n',
  "src/state/words.ts": [
    head.trim(),
    "const a = { import: 1, export: 2 };",
    'a.import("../http/x.ts");',
    'f("../http/y.ts");',
  ].join("\n"),
  "src/index.ts": `${head}export { createServer } from "./main.ts";\n`,
  "src/main.ts":
    `${head}import { c } from "./config/c.ts";\nimport { h } from "./http/h.ts";\n` +
    'process.on("x", () => c(h, Date.now()));\n',
  "src/cli/run.ts": `${head}const load = () => import("../main.ts");\nsetTimeout(load, process.pid);\n`,
  "src/raft/core.ts": `${head}import { assert } from "../base/assert.ts";\nassert(true, "async Promise");\n`,
  "src/base/assert.ts":
    `${head}import { crc32 } from "@node-rs/crc32";\n` +
    'export function assert(): number {\n  return crc32("");\n}\n',
  "test/long.test.ts":
    `${head}describe("a", () => {\n${body(200)}});\ndescribe.each([1])("b", (n) => {\n` + body(200) + "});\n",
  "test/some.config.ts": "export default {};\n",
};
