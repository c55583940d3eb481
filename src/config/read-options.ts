/**
 * Settings from code: what an embedding program hands to createServer().
 *
 * The same tree of names as in the file, as a plain object; values are the same text (`"64MiB"`, `"10s"`),
 * and a number may stand where text of digits would. No second set of rules: everything goes through the one
 * schema.
 */
import type { Reading } from "./origin.ts";
import { readTree } from "./read-tree.ts";
import type { Branch } from "./read-tree.ts";

export interface ConfigOptions {
  readonly [key: string]: string | number | undefined | readonly ConfigOptions[] | ConfigOptions;
}

export function readOptions(options: ConfigOptions): Reading {
  return readTree(toBranches(options), (key) => ({ kind: "option", name: key }));
}

function toBranches(options: ConfigOptions): readonly Branch[] {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({
      key,
      line: 0,
      below: isNested(value) ? toBranches(value) : undefined,
      value: typeof value === "number" ? String(value) : value,
    }));
}

function isNested(value: ConfigOptions[string]): value is ConfigOptions {
  return typeof value === "object" && !Array.isArray(value);
}
