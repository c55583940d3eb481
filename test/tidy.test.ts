/**
 * Holds the style: floors, banned names, lengths, heads, leftovers. Plants its own violations, to be sure
 * that it would notice. The rules and their tables are in test/tidy/.
 */
import { describe, expect, test } from "vitest";
import { unexplained } from "./tidy/floors.ts";
import { findFunctions } from "./tidy/functions.ts";
import { innocent, plants, treeOf } from "./tidy/plants.ts";
import { check, rules } from "./tidy/rules.ts";
import { scan } from "./tidy/scan.ts";
import { readTree } from "./tidy/tree.ts";

const root = new URL("..", import.meta.url).pathname;

test("the tree keeps every rule", () => {
  expect(check(readTree(root))).toEqual([]);
});

test("the tree that is checked is the real one", () => {
  const paths = readTree(root).files.map(({ path }) => path);
  expect(paths).toContain("src/base/assert.ts");
  expect(paths).toContain("test/tidy.test.ts");
});

test("an empty tree fails", () => {
  expect(check(treeOf({ files: {} }))).not.toEqual([]);
});

describe("a planted violation is noticed, and it alone", () => {
  test.each(plants)("$rule: $title", (plant) => {
    expect(check(treeOf(plant))).toEqual(plant.expected);
  });

  test("an exception that src/README.md does not explain", () => {
    const files = { "src/base/a.ts": "", "src/README.md": "state → segment: because" };
    expect(unexplained(["state → segment", "http → config"], treeOf({ files }))).toEqual([
      { path: "src/README.md", line: 1, message: "does not explain the exception http → config" },
    ]);
  });

  test("every rule has one", () => {
    const planted = new Set([...plants.map(({ rule }) => rule), "exceptions are explained"]);
    expect(rules.map(({ name }) => name).filter((name) => !planted.has(name))).toEqual([]);
  });
});

test("what only looks like a violation is left alone", () => {
  expect(check(treeOf({ files: innocent }))).toEqual([]);
});

const kinds = (source: string) => scan(source).map(({ kind, text }) => `${kind} ${text}`);

describe("the scanner", () => {
  test("nested templates", () => {
    expect(kinds("`a${ {b: `c${d}}`} }e`")).toEqual([
      "punctuation `",
      "template a",
      "punctuation ${",
      "punctuation {",
      "word b",
      "punctuation :",
      "punctuation `",
      "template c",
      "punctuation ${",
      "word d",
      "punctuation }",
      "template }`",
      "punctuation }",
      "punctuation }",
      "template e`",
    ]);
  });

  test("regular expressions and divisions", () => {
    expect(kinds("a / b / c")).not.toContain("regex / b /");
    expect(kinds("return /[/'\"]\\//g")).toContain("regex /[/'\"]\\//g");
    expect(kinds("x(/`/)")).toContain("regex /`/");
  });

  test("strings and comments do not open each other", () => {
    expect(kinds("'/*' // \"\n\"//\" /* ' */ a")).toEqual([
      "string '/*'",
      'comment // "',
      'string "//"',
      "comment /* ' */",
      "word a",
    ]);
  });

  test("lines are counted through all of them", () => {
    const source = "#!/bin/x\n/*\n*/ `\n${\na}\n` '\\\n'\nb";
    expect(scan(source).find(({ text }) => text === "b")?.line).toBe(8);
  });

  test("every function is found once", () => {
    const source =
      "function a() { if (b) { return () => { c(); }; } }\nclass D { e(): f { g.map((h) => { i(); }); } }";
    expect(findFunctions(scan(source))).toHaveLength(4);
  });
});
