/**
 * Opens LevelDB and decides whether it can be believed: table blocks against their checksums, the ring of
 * flush marks against gaps. If not, or if the log begins behind its end, the index is put aside and made
 * again from the newest sound snapshot, else from the log, which then has everything (RULES.md R1, and the
 * table of damage). Whoever opened it takes away what was put aside, once the new one is stable.
 */
import { DamageError } from "../base/errors.ts";
import { isOutOfSpace, systemErrorCode } from "../ports/disk.ts";
import type { Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import type { Logger } from "../ports/logger.ts";
import { readRing } from "./flush-ring.ts";
import { checkTables } from "./check-tables.ts";
import { chooseSnapshot, loadSnapshot } from "./restore-index.ts";
import type { RestoreOptions } from "./restore-index.ts";

export type OpenedIndex = {
  readonly store: IndexStore;
  readonly appliedIndex: number;
  readonly flushNumber: number;
  /** Why it was made anew, if it was. */
  readonly rebuilt: string | undefined;
};

export type OpenIndexOptions = {
  readonly disk: Disk;
  readonly directory: string;
  readonly open: (path: string) => Promise<IndexStore>;
  readonly logger: Logger;
  /** What it is made from when it has to be made again; from the log alone, if nothing is said. */
  readonly snapshots?: Omit<RestoreOptions, "disk" | "logger">;
};

/** Where one that could not be believed is put. */
export function asideOf(directory: string): string {
  return `${directory}.damaged`;
}

export async function openIndex(options: OpenIndexOptions): Promise<OpenedIndex> {
  const attempt = await openBehindFloor(options);
  if (attempt.kind === "opened") return attempt.index;
  const { disk, directory, logger } = options;
  const { reason } = attempt;
  const restore = options.snapshots && { ...options.snapshots, disk, logger };
  // Before anything is put aside: it may be refused.
  const snapshot = restore && (await chooseSnapshot(restore));
  const from = snapshot === undefined ? "the log" : `${snapshot.path} and the log`;
  logger.warn("the index cannot be believed and is rebuilt", { reason, from });
  const aside = asideOf(directory);
  await disk.removeDirectory(aside);
  await disk.rename(directory, aside);
  const store = await options.open(directory);
  if (restore === undefined || snapshot === undefined) {
    return { store, appliedIndex: 0, flushNumber: 0, rebuilt: reason };
  }
  try {
    await loadSnapshot(restore, snapshot, store);
  } catch (error) {
    await store.close();
    throw error;
  }
  return { store, appliedIndex: snapshot.index, flushNumber: 1, rebuilt: reason };
}

/** An index that ends below the floor cannot be continued: the entries behind its end are gone. */
async function openBehindFloor(options: OpenIndexOptions): Promise<Attempt> {
  const attempt = await tryOpen(options);
  const floorIndex = options.snapshots?.floorIndex ?? 0;
  if (attempt.kind === "broken" || attempt.index.appliedIndex >= floorIndex) return attempt;
  const { store, appliedIndex } = attempt.index;
  await store.close();
  return { kind: "broken", reason: `it ends at entry ${appliedIndex}, the log begins behind ${floorIndex}` };
}

/** The machine cannot, which says nothing about the files. */
const NOT_DAMAGE = new Set(["EMFILE", "EACCES", "ENOMEM"]);

export type Attempt =
  | { readonly kind: "opened"; readonly index: OpenedIndex }
  | { readonly kind: "broken"; readonly reason: string };

/** Opens it only if everything that can be checked is sound, and changes nothing otherwise. */
export async function tryOpen(options: OpenIndexOptions): Promise<Attempt> {
  const damagedTable = await checkTables(options.disk, options.directory);
  if (damagedTable !== undefined) return { kind: "broken", reason: damagedTable };
  let store: IndexStore;
  try {
    store = await options.open(options.directory);
  } catch (error) {
    const code = systemErrorCode(error);
    if (isOutOfSpace(error) || (code !== undefined && NOT_DAMAGE.has(code))) throw error;
    return { kind: "broken", reason: `it does not open: ${describe(error)}` };
  }
  const reason = await examine(store);
  if (typeof reason !== "string") return { kind: "opened", index: { store, ...reason, rebuilt: undefined } };
  await store.close();
  return { kind: "broken", reason };
}

async function examine(
  store: IndexStore,
): Promise<string | { readonly appliedIndex: number; readonly flushNumber: number }> {
  try {
    const ring = await readRing(store);
    if (ring.kind === "broken") return ring.reason;
    if (ring.kind === "empty") return { appliedIndex: 0, flushNumber: 0 };
    return { appliedIndex: ring.newest.after, flushNumber: ring.newest.number };
  } catch (error) {
    if (error instanceof DamageError) return error.message;
    return describe(error);
  }
}

function describe(error: unknown): string {
  const { message, cause } = error as { readonly message?: unknown; readonly cause?: unknown };
  const inner = cause instanceof Error ? `: ${cause.message}` : "";
  return `${String(message ?? error)}${inner}`;
}
