/**
 * Names that only the outer rooms may say: time, randomness, the process, disk and network come in through
 * ports.
 *
 * That is what lets a simulator run the real code. A name after a dot or as the key of an object is somebody
 * else's and not meant; code that wants to cheat can, but not by accident.
 */
import type { Token } from "./scan.ts";
import { isSource, perFile, roomOf } from "./tree.ts";
import type { Rule, SourceFile, Violation } from "./tree.ts";

/** Where the machine is touched. The console runs in a browser. */
const outerRooms = new Set(["adapters", "start-server.ts", "main.ts", "index.ts", "cli", "console"]);

const machineNames: ReadonlyMap<string, string> = new Map([
  ["Date", "time comes from the Clock"],
  ["performance", "time comes from the Clock"],
  ["setTimeout", "waiting is the Clock's"],
  ["setInterval", "waiting is the Clock's"],
  ["setImmediate", "waiting is the Clock's"],
  ["process", "the process belongs to the composition root"],
  ["console", "lines go to the Logger"],
  ["randomBytes", "randomness comes from Random"],
  ["randomFillSync", "randomness comes from Random"],
  ["randomInt", "randomness comes from Random"],
  ["randomUUID", "randomness comes from Random"],
  ["getRandomValues", "randomness comes from Random"],
]);

/** After `Math.` or `crypto.` and the like these are meant all the same. */
const evenAfterDot = new Set(["randomBytes", "randomFillSync", "randomInt", "randomUUID", "getRandomValues"]);

/** Computation only: the same answer on every machine and every day. */
const pureModules = new Set(["node:buffer", "node:crypto", "node:util", "node:zlib", "node:path"]);

const bannedNames: Rule = perFile("banned names", (file) => {
  if (!isSource(file) || outerRooms.has(roomOf(file.path))) return [];
  return oncePerLine(
    file.code.flatMap((token, at) => {
      const reason = reasonAgainst(file.code, at);
      return reason === undefined
        ? []
        : [{ path: file.path, line: token.line, message: `${token.text}: ${reason}` }];
    }),
  );
});

function reasonAgainst(code: readonly Token[], at: number): string | undefined {
  const token = code[at];
  if (token?.kind !== "word") return undefined;
  const before = code[at - 1]?.text ?? "";
  const owner = code[at - 2]?.text ?? "";
  const afterDot = before === "." || before === "?.";
  if (token.text === "random" && afterDot && owner === "Math") return "randomness comes from Random";
  const isKey = code[at + 1]?.text === ":" && (before === "{" || before === ",");
  if (isKey || (afterDot && owner !== "globalThis" && !evenAfterDot.has(token.text))) return undefined;
  return machineNames.get(token.text);
}

function oncePerLine(violations: readonly Violation[]): readonly Violation[] {
  const seen = new Set<string>();
  return violations.filter(({ line, message }) => {
    const key = `${line} ${message}`;
    return !seen.has(key) && seen.add(key);
  });
}

const nodeModules: Rule = perFile("node modules", (file) => {
  const room = roomOf(file.path);
  if (!isSource(file) || outerRooms.has(room)) return [];
  return file.imports.flatMap(({ specifier, line, typeOnly }) => {
    if (!specifier.startsWith("node:") || pureModules.has(specifier)) return [];
    // The edge is handed node's own request and response; it may name them, and pipe them.
    if (room === "http" && (specifier.startsWith("node:stream") || (specifier === "node:http" && typeOnly)))
      return [];
    return [{ path: file.path, line, message: `${specifier} is for the outer rooms` }];
  });
});

/** raft/ is arithmetic: what goes in decides what comes out, at once. */
const pureRaft: Rule = perFile("pure raft", (file) => {
  if (roomOf(file.path) !== "raft") return [];
  return [...raftImports(file), ...raftWords(file)];
});

function raftImports(file: SourceFile): readonly Violation[] {
  return file.imports
    .filter(({ specifier }) => !specifier.startsWith("."))
    .map(({ specifier, line }) => ({
      path: file.path,
      line,
      message: `raft imports nothing, least of all ${specifier}`,
    }));
}

function raftWords(file: SourceFile): readonly Violation[] {
  return file.code
    .filter(({ kind, text }) => kind === "word" && ["Promise", "async", "await"].includes(text))
    .map(({ line, text }) => ({ path: file.path, line, message: `${text}: raft is synchronous` }));
}

export const bannedNameRules: readonly Rule[] = [bannedNames, nodeModules, pureRaft];
