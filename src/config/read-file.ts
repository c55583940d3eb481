/**
 * Settings from the YAML file that `config` names.
 *
 * Read with YAML's failsafe schema: every scalar stays the text that was written, so `0123`, `1e3`, `yes` and
 * `12345678901234567890` (a fine secret) mean the same as on the command line. Promises: each setting knows
 * its line, and a file that is not YAML, or not a map, is one problem that names the line. Paths in the file
 * are relative to the working directory, as everywhere.
 */
import { LineCounter, isAlias, isMap, isScalar, parseDocument } from "yaml";
import type { Document, Node } from "yaml";
import type { Problem } from "./config-error.ts";
import type { Reading } from "./origin.ts";
import { readTree } from "./read-tree.ts";
import type { Branch } from "./read-tree.ts";

export function readConfigFile(path: string, content: string): Reading {
  const lines = new LineCounter();
  const document = parseDocument(content, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    return malformed(path, lines.linePos(error.pos[0]).line, `${error.message}; mend the YAML`);
  }
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === "")) return { given: [], problems: [] };
  if (!isMap(root)) return malformed(path, 1, "the file is not a map of settings; write key: value");
  return readTree(toBranches(root, document, lines), (key, line) => ({ kind: "file", path, line, key }));
}

function malformed(path: string, line: number, message: string): Reading {
  const problem: Problem = { code: "malformedFile", where: `${path}:${line}`, message };
  return { given: [], problems: [problem] };
}

function toBranches(node: Node, document: Document, lines: LineCounter): readonly Branch[] {
  if (!isMap<Node, Node | null>(node)) return [];
  return node.items.map(({ key, value }) => {
    const target = isAlias(value) ? value.resolve(document) : value;
    const offset = key.range?.[0] ?? 0;
    return {
      key: isScalar(key) ? String(key.value) : "?",
      line: lines.linePos(offset).line,
      below: isMap(target) ? toBranches(target, document, lines) : undefined,
      value: target?.toJS(document) ?? "",
    };
  });
}
