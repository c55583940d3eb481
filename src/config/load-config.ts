/**
 * Flags, environment and file → one frozen Config, and for each setting where its value came from.
 *
 * Flag > environment > file > default; options of createServer() are above all. Promises: pure (files come
 * through `readFile`, the memory's size is passed in), and either a configuration in which every rule holds,
 * or a ConfigError with all problems of the first stage that found any: names, then values, then rules across
 * settings.
 */
import { assert } from "../base/assert.ts";
import { checkTogether } from "./check-together.ts";
import { configSchema } from "./config.ts";
import type { Config } from "./config.ts";
import { throwIfAny } from "./config-error.ts";
import type { Problem } from "./config-error.ts";
import { placeOf, rankOf, textOf } from "./origin.ts";
import type { Given, Reading } from "./origin.ts";
import { readConfigFile } from "./read-file.ts";
import { readEnvironment } from "./read-environment.ts";
import type { Environment } from "./read-environment.ts";
import { readFlags } from "./read-flags.ts";
import { readOptions } from "./read-options.ts";
import type { ConfigOptions } from "./read-options.ts";
import { reasonOf, resolve } from "./resolve.ts";
import type { ReadTextFile, SettingOrigin } from "./resolve.ts";
import type { Command } from "./setting.ts";

export interface ConfigInput {
  /** What follows the command, without flags of the command itself. */
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly readFile: ReadTextFile;
  readonly memoryBytes: number;
  readonly command: Command;
  readonly options?: ConfigOptions;
}

export interface LoadedConfig {
  readonly config: Config;
  /** By name, in the schema's order, every setting. Holds secrets: show it through `showSettings` only. */
  readonly origins: ReadonlyMap<string, SettingOrigin>;
  /** One line each: nothing is wrong, but the user would want to know. */
  readonly warnings: readonly string[];
}

export function loadConfig(input: ConfigInput): LoadedConfig {
  const { command, memoryBytes } = input;
  const given = readAll(input);
  const { origins, problems } = resolve(given, input.readFile, { command, memoryBytes });
  const parsed = configSchema.safeParse(toTree(origins));
  const issues = parsed.error?.issues ?? [];
  throwIfAny([...problems, ...issues.map((issue) => toProblem(issue, origins))]);
  assert(parsed.success, "a failed parse has issues");
  const config: Config = deepFreeze(parsed.data);
  throwIfAny(checkTogether({ config, origins, command }));
  return { config, origins, warnings: warningsOf(origins) };
}

/** The file is named by the other sources, so they are read first. */
function readAll(input: ConfigInput): readonly Given[] {
  const readings = [readOptions(input.options ?? {}), readFlags(input.argv), readEnvironment(input.env)];
  const fileGiven = readings
    .flatMap((reading) => reading.given)
    .filter(({ setting }) => setting.name === "config")
    .toSorted((a, b) => rankOf(b.origin) - rankOf(a.origin))[0];
  if (fileGiven !== undefined) readings.push(readNamedFile(fileGiven, input.readFile));
  throwIfAny(readings.flatMap((reading) => reading.problems));
  return readings.flatMap((reading) => reading.given);
}

function readNamedFile(named: Given, readFile: ReadTextFile): Reading {
  const path = textOf(named.value);
  try {
    return readConfigFile(path, readFile(path));
  } catch (error) {
    const where = placeOf(named.origin, named.setting);
    const message = `cannot read ${path} (${reasonOf(error)}); mend the path or its permissions`;
    return { given: [], problems: [{ code: "unreadableFile", where, message }] };
  }
}

/** `{ "s3.addr": x }` → `{ s3: { addr: x } }`; groups are there even when nothing in them is set. */
function toTree(origins: ReadonlyMap<string, SettingOrigin>): Record<string, unknown> {
  const top: Record<string, unknown> = {};
  const groups: Record<string, Record<string, unknown>> = {};
  for (const [name, { value }] of origins) {
    const [first = "", field] = name.split(".");
    if (field === undefined) top[first] = value;
    else (groups[first] ??= {})[field] = value;
  }
  return { ...top, ...groups };
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The setting is the longest beginning of the issue's path; what follows points into its value. */
function toProblem(issue: Issue, origins: ReadonlyMap<string, SettingOrigin>): Problem {
  const path = issue.path.map(String);
  const length = origins.has(path[0] ?? "") ? 1 : 2;
  const found = origins.get(path.slice(0, length).join("."));
  const inside = path.slice(length).map((step) => (/^\d+$/.test(step) ? `entry ${Number(step) + 1}` : step));
  return {
    code: "wrongValue",
    where: found === undefined ? path.join(".") : placeOf(found.origin, found.setting),
    message: [...inside, issue.message].join(" "),
  };
}

function warningsOf(origins: ReadonlyMap<string, SettingOrigin>): readonly string[] {
  return [...origins.values()].flatMap(({ setting, origin, viaFile }) => {
    const place = placeOf(origin, setting);
    const warnings: string[] = [];
    if (origin.kind !== "default" && setting.status === "not used yet") {
      warnings.push(`${place}: accepted, but not used yet`);
    }
    if (origin.kind === "flag" && setting.secret === true && viaFile === undefined) {
      warnings.push(`${place}: other users of this machine can see flags; use ${setting.flag}-file`);
    }
    return warnings;
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
