/** The table of key prefixes in src/README.md is complete. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyPrefixes, missingFromTable } from "./key-table.ts";

const readmePath = new URL("../../src/README.md", import.meta.url);

test("every kind of key has a prefix of its own", () => {
  expect(keyPrefixes.every((prefix) => /^[a-z]+\/$/.test(prefix))).toBe(true);
  expect(keyPrefixes).toHaveLength(21);
});

test("a prefix that the table lacks is noticed", () => {
  const table = keyPrefixes.map((prefix) => `| \`${prefix}<id>\` | what | who | how |`);
  expect(missingFromTable(table.join("\n"))).toEqual([]);
  expect(missingFromTable(table.slice(1).join("\n"))).toEqual([keyPrefixes[0]]);
  expect(missingFromTable(`mentioned in text only: \`${keyPrefixes[0]}\``)).toEqual(keyPrefixes);
});

test.runIf(existsSync(readmePath))("src/README.md names every prefix in its table", () => {
  expect(missingFromTable(readFileSync(readmePath, "utf8"))).toEqual([]);
});
