/**
 * What README.md says of the planted bugs: each stands in its table and fits the source, and each promise and
 * each rule of order in src/README.md that names tests has a bug which one of these tests must notice.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mutants } from "./mutants.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("the table lists the bugs that there are, each as noticed", () => {
  const rows = [...read("test/mutants/README.md").matchAll(/^\| ([a-z0-9-]*[a-z0-9]) +\|.*\| (\w+) +\|$/gm)];
  expect(new Set(rows.map(([, name]) => name))).toEqual(new Set(mutants.map(({ name }) => name)));
  expect(rows).toHaveLength(mutants.length);
  expect(new Set(rows.map(([, , noticed]) => noticed))).toEqual(new Set(["yes"]));
});

test("each bug fits the source at exactly one place", () => {
  const others = mutants.filter(({ file, find }) => read(file).split(find).length !== 2);
  expect(others.map(({ name }) => name)).toEqual([]);
});

test("each promise and each rule of order has a bug that its tests must notice", () => {
  const rows = [...read("src/README.md").matchAll(/^\| ([PR]\d+) \|.*$/gm)];
  expect(rows.length).toBeGreaterThan(25);
  const without = rows.filter(([row]) => {
    const tests = [...row.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map(([, path = ""]) => path);
    return tests.length > 0 && !mutants.some(({ killedBy }) => killedBy.some((path) => tests.includes(path)));
  });
  expect(without.map(([, name]) => name)).toEqual([]);
});
