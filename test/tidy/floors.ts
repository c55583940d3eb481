/**
 * Floors: a file imports its own room and lower floors only; no cycles, no barrels.
 *
 * The tables say the floor of each room, who composes, the edges that are exceptions (each must be explained
 * in src/README.md), and which room a package belongs to, so that a library is met in one place only.
 */
import { posix } from "node:path";
import { isSource, perFile, roomOf } from "./tree.ts";
import type { Rule, SourceFile, Tree, Violation } from "./tree.ts";

const floors: ReadonlyMap<string, number> = new Map([
  ["base", 0],
  ["ports", 1],
  ["raft", 2],
  ["segment", 2],
  ["s3", 2],
  ["state", 2],
  ["store", 3],
  ["replica", 4],
  ["offload", 4],
  ["service", 5],
  ["http", 6],
  ["adapters", 6],
  ["console", 6],
]);

/** Stand outside the floors: what each may import beside its own room. */
const composers: ReadonlyMap<string, readonly string[]> = new Map([
  ["config", ["base"]],
  ["start-cold-tier.ts", ["config", ...[...floors.keys()].filter((room) => room !== "console")]],
  [
    "start-server.ts",
    ["config", "start-cold-tier.ts", ...[...floors.keys()].filter((room) => room !== "console")],
  ],
  ["restore-store.ts", ["config", ...[...floors.keys()].filter((room) => room !== "console")]],
  [
    "main.ts",
    [
      "config",
      "start-server.ts",
      "restore-store.ts",
      ...[...floors.keys()].filter((room) => room !== "console"),
    ],
  ],
  ["index.ts", ["config", "start-server.ts", "main.ts", ...floors.keys()]],
  ["cli", ["config", "main.ts", ...[...floors].filter(([, floor]) => floor < 6).map(([room]) => room)]],
]);

/** Exceptions, `from → to`. Each stands with its reason in src/README.md in this very spelling. */
const exceptions: readonly string[] = [];

const packageRooms: ReadonlyMap<string, readonly string[]> = new Map([
  ["@node-rs/crc32", ["base", "s3"]],
  ["hash-wasm", ["base", "s3"]],
  ["saxes", ["s3"]],
  ["msgpackr", ["state"]],
  ["lru-cache", ["store"]],
  ["hono", ["http"]],
  ["@hono/node-server", ["http"]],
  ["prom-client", ["http", "adapters"]],
  ["classic-level", ["adapters"]],
  ["@aws-sdk/client-s3", ["adapters"]],
  ["@aws-sdk/lib-storage", ["adapters"]],
  ["zod", ["config"]],
  ["yaml", ["config"]],
]);

function mayImport(from: string, to: string): boolean {
  if (from === to || exceptions.includes(`${from} → ${to}`)) return true;
  const composed = composers.get(from);
  if (composed !== undefined) return composed.includes(to);
  const fromFloor = floors.get(from);
  const toFloor = floors.get(to);
  return fromFloor !== undefined && toFloor !== undefined && toFloor < fromFloor;
}

const knownRooms: Rule = perFile("known rooms", (file) => {
  const room = roomOf(file.path);
  if (!isSource(file) || floors.has(room) || composers.has(room)) return [];
  return [{ path: file.path, line: 1, message: `${room} is on no floor` }];
});

const floorRule: Rule = perFile("floors", (file) => {
  if (!isSource(file)) return [];
  const from = roomOf(file.path);
  return relativeImports(file).flatMap(({ target, line }) => {
    const to = roomOf(target);
    return mayImport(from, to) ? [] : [{ path: file.path, line, message: `${from} must not import ${to}` }];
  });
});

const packages: Rule = perFile("packages", (file) => {
  if (!isSource(file)) return [];
  const room = roomOf(file.path);
  return file.imports.flatMap(({ specifier, line }) => {
    if (/^(\.|node:)/.test(specifier)) return [];
    const name = specifier
      .split("/")
      .slice(0, specifier.startsWith("@") ? 2 : 1)
      .join("/");
    const rooms = packageRooms.get(name);
    if (room === "main.ts" || rooms?.includes(room) === true) return [];
    const where = rooms === undefined ? "has no room" : `belongs to ${rooms.join(" and ")}`;
    return [{ path: file.path, line, message: `${name} ${where}` }];
  });
});

const explained: Rule = {
  name: "exceptions are explained",
  check: (tree) => unexplained(exceptions, tree),
};

export function unexplained(edges: readonly string[], tree: Tree): readonly Violation[] {
  return edges
    .filter((edge) => !tree.readme.includes(edge))
    .map((edge) => ({ path: "src/README.md", line: 1, message: `does not explain the exception ${edge}` }));
}

const barrels: Rule = perFile("barrels", (file) => {
  const star = file.imports.find(({ kind }) => kind === "re-export all");
  if (star !== undefined)
    return [{ path: file.path, line: star.line, message: "export * hides what is exported" }];
  const isFace = file.path === "src/index.ts";
  return file.isBarrel && !isFace
    ? [{ path: file.path, line: 1, message: "only exports what others made" }]
    : [];
});

const cycles: Rule = { name: "cycles", check: (tree) => findCycles(tree) };

/** Depth first; a file that is met again while it is still open closes a cycle. Each is told once. */
function findCycles(tree: Tree): readonly Violation[] {
  const byPath = new Map(tree.files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const open: string[] = [];
  const violations: Violation[] = [];
  const visit = (file: SourceFile): void => {
    open.push(file.path);
    for (const { target, line, dynamic } of relativeImports(file)) {
      const next = byPath.get(target);
      if (next === undefined || dynamic || done.has(target)) continue;
      const start = open.indexOf(target);
      if (start === -1) visit(next);
      else violations.push({ path: file.path, line, message: [...open.slice(start), target].join(" → ") });
    }
    open.pop();
    done.add(file.path);
  };
  for (const file of tree.files) if (!done.has(file.path)) visit(file);
  return violations;
}

interface RelativeImport {
  readonly target: string;
  readonly line: number;
  readonly dynamic: boolean;
}

function relativeImports(file: SourceFile): readonly RelativeImport[] {
  return file.imports
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier, line, kind }) => ({
      target: posix.join(posix.dirname(file.path), specifier),
      line,
      dynamic: kind === "dynamic",
    }));
}

export const floorRules: readonly Rule[] = [knownRooms, floorRule, packages, explained, barrels, cycles];
