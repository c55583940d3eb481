/**
 * Settings from the command line: `--s3-addr 127.0.0.1:9000` or `--s3-addr=127.0.0.1:9000`.
 *
 * Every flag takes a value. A value that begins with a hyphen needs the form with `=`, so that a forgotten
 * value is noticed instead of swallowing the next flag. Flags of a command itself (`-o`, `--help`) are taken
 * out before.
 */
import type { Problem } from "./config-error.ts";
import { didYouMean } from "./nearest-name.ts";
import type { Given, Reading } from "./origin.ts";
import { wordsOfFlag } from "./setting-name.ts";
import { findSetting, namesFor } from "./settings.ts";

export function readFlags(argv: readonly string[]): Reading {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    if (!argument.startsWith("--") || argument === "--") {
      problems.push(unexpected(argument));
      continue;
    }
    const equals = argument.indexOf("=");
    const flag = equals === -1 ? argument : argument.slice(0, equals);
    const next = argv[i + 1];
    const nextIsValue = next !== undefined && !next.startsWith("-");
    const value = equals === -1 ? (nextIsValue ? next : undefined) : argument.slice(equals + 1);
    if (equals === -1 && nextIsValue) i++;
    const read = readFlag(flag, value);
    if ("setting" in read) given.push(read);
    else problems.push(read);
  }
  return { given, problems };
}

function readFlag(flag: string, value: string | undefined): Given | Problem {
  const found = /^--[a-z0-9-]+$/.test(flag) ? findSetting(wordsOfFlag(flag)) : undefined;
  if (found === undefined) {
    const message = `unknown flag${didYouMean(flag, namesFor("flag")) || "; see thermocline help"}`;
    return { code: "unknownName", where: flag, message };
  }
  if (!found.setting.sources.includes("flag")) {
    return {
      code: "wrongSource",
      where: flag,
      message: "is no flag; write it into the file that --config names",
    };
  }
  if (value === undefined || value === "") {
    return { code: "wrongValue", where: flag, message: `needs a value; write ${flag}=...` };
  }
  return { setting: found.setting, value, origin: { kind: "flag", name: flag }, viaFile: found.viaFile };
}

function unexpected(argument: string): Problem {
  const message = /^-[^-]/.test(argument)
    ? "unknown flag; flags of settings begin with two hyphens"
    : "unexpected argument; settings are written --name=value";
  return { code: "unexpectedArgument", where: argument, message };
}
