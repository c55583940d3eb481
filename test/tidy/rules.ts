/**
 * All rules, and the one way to ask whether a tree keeps them.
 */
import { bannedNameRules } from "./banned-names.ts";
import { floorRules } from "./floors.ts";
import { shapeRules } from "./shape.ts";
import type { Rule, Tree } from "./tree.ts";

export const rules: readonly Rule[] = [...shapeRules, ...floorRules, ...bannedNameRules];

/** One line per violation: `src/raft/x.ts:3 floors: raft must not import http`. */
export function check(tree: Tree): readonly string[] {
  return rules.flatMap((rule) =>
    rule.check(tree).map(({ path, line, message }) => `${path}:${line} ${rule.name}: ${message}`),
  );
}
