/**
 * An index made from a snapshot: the newest that matches its checksums, else the one before it. The log above
 * it brings the rest. Without any, the whole log is needed, so a log that has a floor is refused then.
 */
import { DamageError, RefusedError } from "../base/errors.ts";
import type { Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import type { Logger } from "../ports/logger.ts";
import { encodeMark, markKey } from "./flush-ring.ts";
import { sealRow } from "./row-seal.ts";
import { scanSnapshot } from "./snapshot-file.ts";
import type { SnapshotInfo, Spend } from "./snapshot-file.ts";
import { listSnapshots } from "./snapshot-files.ts";

export type RestoreOptions = {
  readonly disk: Disk;
  /** Of the snapshots. */
  readonly directory: string;
  /** The log holds everything behind this entry. */
  readonly floorIndex: number;
  readonly spend: Spend;
  readonly logger: Logger;
};

const BATCH_BYTES = 4 * 1024 * 1024;

/** Reads it as a whole, so that loading it cannot fail in the middle. `undefined`: the log has everything. */
export async function chooseSnapshot(options: RestoreOptions): Promise<SnapshotInfo | undefined> {
  const { disk, directory, floorIndex, spend, logger } = options;
  const reasons: string[] = [];
  for (const { path, index } of await listSnapshots(disk, directory)) {
    if (index < floorIndex) continue;
    try {
      return await scanSnapshot(disk, path, { spend });
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      logger.error("a snapshot cannot be used", { path, reason: error.message });
      reasons.push(error.message);
    }
  }
  if (floorIndex === 0) return undefined;
  throw new RefusedError(
    `the index has to be made again, the log begins behind entry ${floorIndex}, and there is no sound ` +
      `snapshot in ${directory} to begin with (${reasons.join("; ") || "none reaches that entry"}). ` +
      "Restore the index or a snapshot from a copy",
  );
}

/** Into an empty index. Its mark comes last: an index without one is not believed. */
export async function loadSnapshot(
  options: RestoreOptions,
  { index, path }: SnapshotInfo,
  store: IndexStore,
): Promise<void> {
  let batch = store.batch();
  let bytes = 0;
  const visit = async (rows: Iterable<readonly [string, Buffer]>): Promise<void> => {
    for (const [key, stored] of rows) {
      batch.put(key, stored);
      bytes += key.length + stored.length;
    }
    if (bytes < BATCH_BYTES) return;
    await batch.write();
    batch = store.batch();
    bytes = 0;
  };
  await scanSnapshot(options.disk, path, { visit, spend: options.spend });
  await batch.write();
  const last = store.batch();
  const key = markKey(1);
  last.put(key, sealRow(key, encodeMark({ number: 1, before: 0, after: index })));
  await last.write();
}
