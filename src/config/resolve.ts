/**
 * From everything that was given to one text per setting: the highest source wins, defaults fill the rest.
 *
 * Promises: the same setting given twice in one source (by name and by its `*File` variant, or in two
 * spellings) is a problem, never a matter of order; files named by `*File` variants are read for winners
 * only. Defaults that depend on other settings see those settings resolved.
 */
import { isLoopback, parseAddress } from "./address.ts";
import type { Problem } from "./config-error.ts";
import { placeOf, rankOf, textOf } from "./origin.ts";
import type { Given, Origin } from "./origin.ts";
import type { DefaultContext } from "./setting.ts";
import { settings } from "./settings.ts";
import type { Setting } from "./settings.ts";

/** A setting with its value as text and the place it came from. */
export interface SettingOrigin {
  readonly setting: Setting;
  readonly origin: Origin;
  /** For a `*File` variant: the file that held the value. */
  readonly viaFile?: string;
  /** Text as written; undefined when nothing is set. Structured for `accounts` only. */
  readonly value: unknown;
}

export interface Resolved {
  readonly origins: ReadonlyMap<string, SettingOrigin>;
  readonly problems: readonly Problem[];
}

export type ReadTextFile = (path: string) => string;

/** What a default may know before any setting is resolved. */
export type Surroundings = Pick<DefaultContext, "command" | "memoryBytes">;

export function resolve(given: readonly Given[], readFile: ReadTextFile, around: Surroundings): Resolved {
  const problems: Problem[] = [];
  const winners = pickWinners(given, problems);
  const read = new Map<string, SettingOrigin>();
  for (const [name, winner] of winners) {
    const { setting, origin } = winner;
    const value = winner.viaFile
      ? readSecretFile(winner, readFile, problems)
      : accountsWithSecrets(winner, readFile, problems);
    read.set(name, { setting, origin, value, ...(winner.viaFile && { viaFile: textOf(winner.value) }) });
  }
  const context = defaultContext(read, around);
  const origins = new Map<string, SettingOrigin>();
  for (const setting of settings) {
    const byDefault = { setting, origin: { kind: "default" }, value: defaultOf(setting, context) } as const;
    origins.set(setting.name, read.get(setting.name) ?? byDefault);
  }
  return { origins, problems };
}

function pickWinners(given: readonly Given[], problems: Problem[]): ReadonlyMap<string, Given> {
  const winners = new Map<string, Given>();
  for (const candidate of given) {
    const { setting, origin } = candidate;
    const winner = winners.get(setting.name);
    const rank = winner === undefined ? -1 : rankOf(winner.origin);
    if (rankOf(origin) > rank) winners.set(setting.name, candidate);
    if (winner === undefined || rankOf(origin) !== rank) continue;
    const first = placeOf(winner.origin, setting);
    const message = `sets ${setting.name}, which ${first} sets too; keep one`;
    problems.push({ code: "givenTwice", where: placeOf(origin, setting), message });
  }
  return winners;
}

function readSecretFile(winner: Given, readFile: ReadTextFile, problems: Problem[]): string | undefined {
  return readSecret(winner, textOf(winner.value), readFile, problems);
}

/** The accounts of a list may name files for their secrets; every other value is what it is. */
function accountsWithSecrets(winner: Given, readFile: ReadTextFile, problems: Problem[]): unknown {
  const { setting, value } = winner;
  if (setting.name !== "accounts" || !Array.isArray(value)) return value;
  return value.map((account: unknown): unknown => {
    if (!isRecord(account) || typeof account["secretKeyFile"] !== "string") return account;
    const { secretKeyFile, ...rest } = account;
    // With both, the schema refuses the one that it does not know.
    if (rest["secretKey"] !== undefined) return account;
    return { ...rest, secretKey: readSecret(winner, textOf(secretKeyFile), readFile, problems) };
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Editors and `echo` end a file with a line break that is no part of the secret. */
function readSecret(
  winner: Given,
  path: string,
  readFile: ReadTextFile,
  problems: Problem[],
): string | undefined {
  const where = placeOf(winner.origin, winner.setting);
  try {
    const secret = readFile(path).replace(/(\r?\n)+$/, "");
    if (secret !== "") return secret;
    problems.push({
      code: "wrongValue",
      where,
      message: `the file ${path} is empty; write the value into it`,
    });
  } catch (error) {
    const message = `cannot read ${path} (${reasonOf(error)}); mend the path or its permissions`;
    problems.push({ code: "unreadableFile", where, message });
  }
  return undefined;
}

/** `ENOENT` says more than a stack, and fits the line. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error)
    return "code" in error && typeof error.code === "string" ? error.code : error.message;
  return String(error);
}

function defaultContext(read: ReadonlyMap<string, SettingOrigin>, around: Surroundings): DefaultContext {
  const resolved = (name: string): string => {
    const setting = settings.find((candidate) => candidate.name === name);
    return textOf(read.get(name)?.value ?? setting?.default ?? "");
  };
  const addresses = ["s3.addr", "admin.addr", "peer.addr"].map((name) => parseAddress(resolved(name)));
  return {
    ...around,
    dataDir: resolved("dataDir"),
    loopbackOnly: addresses.every((address) => address !== undefined && isLoopback(address)),
  };
}

function defaultOf(setting: Setting, context: DefaultContext): string | undefined {
  return typeof setting.default === "function" ? setting.default(context) : setting.default;
}
