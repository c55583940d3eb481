/**
 * The best state that can be had from a damaged directory without changing it: a shadow of the index and the
 * log behind it; or, if the index cannot be believed, the newest sound snapshot of it and the log behind
 * that; without one the log alone, from its first entry to the first that cannot be read. Behind a damage
 * nothing is applied: what an entry means depends on all before it.
 */
import { InvariantError } from "../base/assert.ts";
import { DamageError } from "../base/errors.ts";
import { FormatError } from "../base/bytes.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import type { Scratch } from "../ports/scratch.ts";
import { tryOpen } from "../store/open-index.ts";
import type { OpenedIndex } from "../store/open-index.ts";
import { chooseSnapshot, loadSnapshot } from "../store/restore-index.ts";
import { SNAPSHOTS_NAME } from "../store/snapshot-files.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { openState } from "./open-state.ts";
import type { OpenState, StateOptions } from "./open-state.ts";
import { replayWhole } from "./replay-whole.ts";
import type { ReplayEnd } from "./replay-whole.ts";

export type SalvageStateOptions = StateOptions & {
  readonly directory: string;
  readonly disk: Disk;
  readonly openIndexStore: (path: string) => Promise<IndexStore>;
  readonly onFatal: (error: unknown) => void;
};

export type SalvagedState = {
  readonly opened: OpenState;
  readonly source: "index" | "log";
  /** Why the index was not believed, or not alone. */
  readonly notes: readonly string[];
  readonly end: ReplayEnd;
  close(): Promise<void>;
};

type Parts = {
  readonly scratch: Scratch;
  readonly files: SegmentFiles;
  readonly segmentBytesMax: number;
  /** The log holds everything behind this entry. */
  readonly floorIndex: number;
};

const EVERYTHING = Number.MAX_SAFE_INTEGER;

export async function salvageState(options: SalvageStateOptions, parts: Parts): Promise<SalvagedState> {
  const fromIndex = await fromShadow(options, parts);
  if (typeof fromIndex === "string") return await fromLog(options, parts, fromIndex);
  const { end } = fromIndex;
  if (end.kind !== "notApplied") return fromIndex;
  const reason = `entry ${end.index} could not be applied: ${end.reason}`;
  // An entry that does not fit what the index says: the log alone knows better, if it is whole that far.
  const alone = await fromLog(options, parts, reason).catch(async (error: unknown) => {
    await fromIndex.close();
    throw error;
  });
  const worse = alone.opened.index.appliedIndex > fromIndex.opened.index.appliedIndex ? fromIndex : alone;
  await worse.close();
  return worse === alone ? { ...fromIndex, notes: [reason] } : alone;
}

async function fromLog(options: SalvageStateOptions, parts: Parts, reason: string): Promise<SalvagedState> {
  const state = await settled(options, parts, () => freshIndex(options, parts));
  return { ...state, notes: [`the index cannot be believed: ${reason}`] };
}

/** The state from the index and what follows it, or why the index is of no use. */
async function fromShadow(options: SalvageStateOptions, parts: Parts): Promise<SalvagedState | string> {
  try {
    const state = await settled(options, parts, () => shadowedIndex(options, parts));
    return { ...state, notes: [] };
  } catch (error) {
    if (!isOfIndex(error)) throw error;
    return error.message;
  }
}

const BAD_INDEX = new Set(["EIO", "LEVEL_CORRUPTION", "LEVEL_IO_ERROR"]);

/** A row that the state itself needs, one that contradicts another, or a file that cannot be read. */
function isOfIndex(error: unknown): error is Error {
  if (error instanceof DamageError || error instanceof FormatError || error instanceof InvariantError) {
    return true;
  }
  return error instanceof Error && BAD_INDEX.has(systemErrorCode(error) ?? "");
}

type Attempt = Omit<SalvagedState, "notes">;

/** Half of an entry that could not be applied may be in the state: then it is made once more, without it. */
async function settled(
  options: SalvageStateOptions,
  parts: Parts,
  open: () => Promise<OpenedIndex & { readonly path: string }>,
): Promise<Attempt> {
  const first = await replayed(options, parts, { index: await open(), through: EVERYTHING });
  if (first.end.kind !== "notApplied") return first;
  await first.close();
  const second = await replayed(options, parts, { index: await open(), through: first.end.index - 1 });
  return { ...second, end: first.end };
}

async function shadowedIndex(
  options: SalvageStateOptions,
  { scratch, floorIndex }: Parts,
): Promise<OpenedIndex & { readonly path: string }> {
  const { disk, logger, openIndexStore: open } = options;
  const path = await scratch.shadowIndex(`${options.directory}/index`);
  const attempt = await tryOpen({ disk, directory: path, open, logger });
  if (attempt.kind === "broken") throw new DamageError(attempt.reason);
  const { appliedIndex, store } = attempt.index;
  if (appliedIndex < floorIndex) {
    await store.close();
    throw new DamageError(`it ends at entry ${appliedIndex}, the log begins behind ${floorIndex}`);
  }
  return { ...attempt.index, path };
}

async function freshIndex(
  options: SalvageStateOptions,
  { scratch }: Parts,
): Promise<OpenedIndex & { readonly path: string }> {
  const path = await scratch.emptyDirectory();
  const { disk, directory, logger, clock } = options;
  const spend = (): Promise<void> => clock.yieldToOthers();
  const restore = { disk, directory: `${directory}/${SNAPSHOTS_NAME}`, floorIndex: 0, spend, logger };
  const snapshot = await chooseSnapshot(restore);
  const store = await options.openIndexStore(path);
  const made = { store, rebuilt: "it is made again", path };
  if (snapshot === undefined) return { ...made, appliedIndex: 0, flushNumber: 0 };
  try {
    await loadSnapshot(restore, snapshot, store);
  } catch (error) {
    await store.close();
    throw error;
  }
  return { ...made, appliedIndex: snapshot.index, flushNumber: 1 };
}

async function replayed(
  options: SalvageStateOptions,
  parts: Parts,
  from: { readonly index: OpenedIndex & { readonly path: string }; readonly through: number },
): Promise<Attempt> {
  const { files, segmentBytesMax } = parts;
  const { store, path } = from.index;
  const reopen = async (old: IndexStore): Promise<IndexStore> => {
    await old.close();
    return await options.openIndexStore(path);
  };
  const opened = await openState(options, { opened: from.index, files, reopen }).catch(
    async (error: unknown) => {
      await store.close();
      throw error;
    },
  );
  const stop = new AbortController();
  const flushing = opened.index.run(stop.signal).catch(options.onFatal);
  const close = async (): Promise<void> => {
    stop.abort();
    await flushing;
    await opened.index.close();
  };
  try {
    const { clock } = options;
    refuseContradiction(opened);
    opened.cache.filling = false;
    const end = await replayWhole({ opened, files, segmentBytesMax, clock, through: from.through });
    await opened.index.flushedThrough(opened.index.appliedIndex);
    opened.cache.filling = true;
    const { appliedIndex, rebuilt } = from.index;
    return { opened, end, close, source: appliedIndex === 0 || rebuilt !== undefined ? "log" : "index" };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The place to go on from is the segment table's; it must be the one that the flush marks name. */
function refuseContradiction({ index, state }: OpenState): void {
  const last = state.segments.all.at(-1);
  const reached = last === undefined ? 0 : last.firstIndex + last.entries - 1;
  if (reached === index.appliedIndex) return;
  throw new DamageError(`its segments end at entry ${reached}, its flush marks at ${index.appliedIndex}`);
}
