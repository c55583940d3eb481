/**
 * README.md is held to the code: its tables are those of the schema and of operations.json, its links lead
 * somewhere, and the commands that CI runs are the ones on its first screen.
 */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { blockAfter, readReadme, sessionOf } from "./readme-blocks.ts";
import { markersOf, tables } from "./readme-tables.ts";

const root = new URL("../../", import.meta.url);
const readme = readReadme();

test.each(tables)("the table of $marker is what the code says", (table) => {
  const { start, end } = markersOf(table);
  const between = readme.slice(readme.indexOf(start) + start.length, readme.indexOf(end));
  const lines = between.split("\n").filter((line) => line !== "");
  expect(lines, "write it anew: node test/scenario/readme-tables.ts").toEqual(table.lines);
});

test("the first screen: two commands, a PUT and a GET with their output", () => {
  const firstScreen = readme.split("\n").slice(0, 40).join("\n");
  expect(blockAfter(firstScreen, "<!-- start -->")).toBe("npm ci && npm start");
  const session = sessionOf(blockAfter(firstScreen, "<!-- session -->"));
  expect(session.map(({ command }) => command).join("\n")).toMatch(/cp .* s3:.*\n.*cp s3:.* -$/s);
  expect(session.at(-1)?.output).toMatch(/\S/);
});

test("no badges", () => {
  expect(readme).not.toMatch(/!\[/);
});

test.each(["README.md", "src/README.md"])("every link and every file that %s names is there", (path) => {
  const text = readFileSync(new URL(path, root), "utf8");
  const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(
    ([, link = ""]) => new URL(link, new URL(path, root)),
  );
  const named = [...text.matchAll(/`((?:src|test|\.ci)\/[\w./-]*\w)`/g)].map(
    ([, file = ""]) => new URL(file, root),
  );
  const gone = [...links, ...named].filter((url) => !existsSync(url)).map(({ pathname }) => pathname);
  expect(gone).toEqual([]);
});

test("a session is read as commands with what they print", () => {
  expect(sessionOf("$ a\n$ b c\nd\ne\n$ f\ng")).toEqual([
    { command: "a", output: "" },
    { command: "b c", output: "d\ne\n" },
    { command: "f", output: "g\n" },
  ]);
});
