/**
 * Settings from a tree of keys: a YAML file, or the options of createServer().
 *
 * Walks down until the words of the path name a setting; what lies below is that setting's value. Promises: a
 * key that leads nowhere is a problem with a suggestion, and an empty value counts as not given. Text stays
 * as it was written: what a number or a switch means is for the setting's type to say.
 */
import type { Problem } from "./config-error.ts";
import { didYouMean } from "./nearest-name.ts";
import type { Given, Origin, Reading } from "./origin.ts";
import { wordsOfKey } from "./setting-name.ts";
import { findSetting, isGroup, namesFor } from "./settings.ts";

/** A key with what is below it: more keys, or a value. */
export interface Branch {
  readonly key: string;
  readonly line: number;
  readonly below: readonly Branch[] | undefined;
  readonly value: unknown;
}

/** How the source points at a key: a line of a file, or an option's name. */
export type OriginOf = (key: string, line: number) => Exclude<Origin, { readonly kind: "default" }>;

export function readTree(branches: readonly Branch[], originOf: OriginOf): Reading {
  const given: Given[] = [];
  const problems: Problem[] = [];
  const walk = (list: readonly Branch[], above: string): void => {
    for (const branch of list) {
      const key = above === "" ? branch.key : `${above}.${branch.key}`;
      const read = readBranch(key, branch, originOf(key, branch.line));
      if (read === "descend") walk(branch.below ?? [], key);
      else if (read !== undefined && "setting" in read) given.push(read);
      else if (read !== undefined) problems.push(read);
    }
  };
  walk(branches, "");
  return { given, problems };
}

function readBranch(key: string, branch: Branch, origin: Origin): Given | Problem | "descend" | undefined {
  const wellFormed = /^[a-z0-9][a-zA-Z0-9]*(\.[a-z0-9][a-zA-Z0-9]*)*$/.test(key);
  const found = wellFormed ? findSetting(wordsOfKey(key)) : undefined;
  const where = origin.kind === "file" ? `${origin.path}:${origin.line} (${key})` : key;
  if (found?.setting.sources.includes("file") === true) {
    const { setting, viaFile } = found;
    const empty = branch.below === undefined && (branch.value === "" || branch.value === undefined);
    return empty ? undefined : { setting, value: valueOf(branch), origin, viaFile };
  }
  if (found !== undefined) {
    const { flag, variable } = found.setting;
    return { code: "wrongSource", where, message: `cannot be set here; give ${flag} or ${variable}` };
  }
  if (branch.below !== undefined && branch.below.length > 0) return "descend";
  if (wellFormed && isGroup(wordsOfKey(key)) && (branch.value === "" || branch.below !== undefined))
    return undefined;
  return {
    code: "unknownName",
    where,
    message: `unknown key${didYouMean(key, namesFor("file")) || "; remove it"}`,
  };
}

/** A list of plain words is the same as those words with commas between them: `peers: [n1=a:1, n2=b:1]`. */
function valueOf(branch: Branch): unknown {
  const { value } = branch;
  const plainList =
    Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
  return plainList ? value.join(",") : value;
}
