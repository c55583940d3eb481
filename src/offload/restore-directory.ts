/**
 * The directory of a restore: taken when it is empty or its own unfinished one, and made a data directory at
 * the end. What says where the log begins, what was acknowledged and who votes is written when everything
 * else is stable; node.json is last.
 */
import { RefusedError } from "../base/errors.ts";
import { logIndex, term as makeTerm } from "../base/units.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import { AckedFile } from "../store/acked-file.ts";
import { FLOOR_NAME, NO_FLOOR, writeFloor } from "../store/floor-file.ts";
import type { Floor } from "../store/floor-file.ts";
import { RESTORED_NAME, RESTORING_NAME, writeRestored } from "../store/restored-file.ts";
import type { Restored } from "../store/restored-file.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { SNAPSHOTS_NAME, snapshotPath } from "../store/snapshot-files.ts";
import { VoteFile } from "../store/vote-file.ts";
import type { FetchedLog } from "./restore-log.ts";
import { readProgress, removeProgress } from "./restore-progress.ts";

export type RestoredNode = {
  readonly clusterId: string;
  readonly lineage: string;
  readonly nodeId: string;
  /** The first start has the one behind it. */
  readonly incarnation: number;
  readonly segmentBytes: number;
};

export type RestoreTarget = {
  readonly store: ColdStore;
  readonly disk: Disk;
  readonly directory: string;
  /** Names that are there for another reason. */
  readonly spared?: readonly string[];
  /** Writes node.json, which makes it a data directory; stable when it returns. */
  readonly commit: (node: RestoredNode) => Promise<void>;
};

export type TakenDirectory =
  | { readonly kind: "taken"; readonly release: () => Promise<void> }
  /** By a call that died before it could say so. */
  | { readonly kind: "finished" };

/** A mount point, and what a restore leaves that died over its first file. */
const HARMLESS: readonly string[] = ["lock", "lost+found", `${RESTORING_NAME}.new`];
/** Room beyond what is fetched: the index that the first start makes of it. */
const SPARE_BYTES = 64 * 1024 * 1024;

export async function takeDirectory(target: RestoreTarget): Promise<TakenDirectory> {
  const { disk, directory, store, spared = [] } = target;
  await disk.makeDirectory(directory);
  const names = await disk.list(directory);
  const isOurs = names.includes(RESTORING_NAME);
  const strange = names.find((name) => !HARMLESS.includes(name) && !spared.includes(name));
  if (!isOurs && strange !== undefined) {
    throw new RefusedError(
      `${directory} is not empty (it holds ${strange}): a restore needs a directory of its own. ` +
        "Give an empty or new one with --data-dir",
    );
  }
  const lock = await disk.lock(`${directory}/lock`);
  if (lock === undefined) throw new RefusedError(`another process uses ${directory}`);
  try {
    const begun = await readProgress(disk, directory);
    if (begun !== undefined && begun.from !== store.place) {
      throw new RefusedError(
        `${directory} holds an unfinished restore from ${begun.from}, not from ${store.place}. ` +
          "Finish that one, or give another directory with --data-dir",
      );
    }
    if (!names.includes("node.json")) return { kind: "taken", release: () => lock.release() };
    await removeProgress(disk, directory);
  } catch (error) {
    await lock.release();
    throw error;
  }
  await lock.release();
  return { kind: "finished" };
}

export async function requireRoom({ disk, directory }: RestoreTarget, bytes: number): Promise<void> {
  const { freeBytes } = await disk.space(directory);
  const thereBytes = await bytesIn(disk, [`${directory}/log`, `${directory}/${SNAPSHOTS_NAME}`]);
  const needed = bytes + SPARE_BYTES - thereBytes;
  if (freeBytes >= needed) return;
  throw new RefusedError(`${directory} has ${freeBytes} bytes left, and the restore needs ${needed}`);
}

async function bytesIn(disk: Disk, directories: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const directory of directories) {
    for (const name of await disk.list(directory)) {
      const file = await disk.open(`${directory}/${name}`, "read");
      bytes += await file.size();
      await file.close();
    }
  }
  return bytes;
}

export type Leavings = {
  readonly files: SegmentFiles;
  readonly floor: Floor;
  readonly log: FetchedLog;
  readonly snapshotIndex: number | undefined;
  readonly restored: Restored;
  /** Above that of every entry of the log. */
  readonly term: number;
  readonly node: RestoredNode;
};

/** All of it is written anew: a call that died here may have left anything. */
export async function leaveForStart(target: RestoreTarget, left: Leavings): Promise<void> {
  const { disk, directory } = target;
  const { files, log, floor, snapshotIndex } = left;
  const snapshots = `${directory}/${SNAPSHOTS_NAME}`;
  await keepOnly(
    disk,
    files.directory,
    log.ids.map((id) => files.path(id)),
  );
  await keepOnly(
    disk,
    snapshots,
    snapshotIndex === undefined ? [] : [snapshotPath(snapshots, snapshotIndex)],
  );
  for (const name of [FLOOR_NAME, "vote", "acked", RESTORED_NAME]) await disk.remove(`${directory}/${name}`);
  if (floor.segmentId !== NO_FLOOR.segmentId) await writeFloor(disk, directory, floor);
  const vote = await VoteFile.open(disk, `${directory}/vote`);
  try {
    await vote.write({ term: makeTerm(left.term), votedFor: undefined });
  } finally {
    await vote.close();
  }
  const acked = await AckedFile.open(disk, `${directory}/acked`);
  try {
    // All of it was acknowledged once: a record that goes bad here is damage, and no torn tail.
    await acked.begin(logIndex(log.lastIndex));
  } finally {
    await acked.close();
  }
  await writeRestored(disk, directory, left.restored);
  await target.commit(left.node);
  await removeProgress(disk, directory);
}

/** What an attempt with another plan wrote is no part of this log. */
async function keepOnly(disk: Disk, directory: string, paths: readonly string[]): Promise<void> {
  const kept = new Set(paths);
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`;
    if (!kept.has(path)) await disk.remove(path);
  }
  await disk.makeDirectory(directory);
  await disk.syncDirectory(directory);
}
