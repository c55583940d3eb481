/**
 * Brings the snapshot that a restore begins with, and reads all of it before it gets its name: every row
 * against its check, the whole against its digest, and its segment table against the place in the log from
 * which it is to go on.
 */
import { DamageError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import { sameChain } from "../segment/record.ts";
import type { Floor } from "../store/floor-file.ts";
import { openRow } from "../store/row-seal.ts";
import { scanSnapshot } from "../store/snapshot-file.ts";
import type { SnapshotInfo } from "../store/snapshot-file.ts";
import { SNAPSHOTS_NAME, UNFINISHED, listSnapshots, snapshotPath } from "../store/snapshot-files.ts";
import { TIME_ROWS } from "./date-limit.ts";
import { DamagedObjectError, fetchInto } from "./fetch-object.ts";
import type { FetchParts } from "./fetch-object.ts";
import type { RestorePlan } from "./restore-plan.ts";

/** `info` is absent, and there are no rows, where the log is there from its first entry on. */
export type FetchedSnapshot = {
  readonly info: SnapshotInfo | undefined;
  /** Those about time, by key. */
  readonly timeRows: ReadonlyMap<string, Uint8Array>;
};

export async function fetchSnapshot(
  parts: FetchParts & { readonly clock: Clock },
  from: { readonly directory: string; readonly plan: RestorePlan; readonly floor: Floor },
): Promise<FetchedSnapshot> {
  const { disk, clock } = parts;
  const { plan, floor } = from;
  const { snapshot } = plan.manifest;
  const [firstPart] = plan.snapshot;
  const timeRows = new Map<string, Uint8Array>();
  if (snapshot === undefined || firstPart === undefined) return { info: undefined, timeRows };
  const directory = `${from.directory}/${SNAPSHOTS_NAME}`;
  await disk.makeDirectory(directory);
  const path = snapshotPath(directory, snapshot.index);
  const unfinished = path + UNFINISHED;
  const there = await listSnapshots(disk, directory);
  if (there.some((other) => other.path === path)) await disk.rename(path, unfinished);
  await fetchInto(parts, unfinished, plan.snapshot);
  const visit = async (block: Iterable<readonly [string, Buffer]>): Promise<void> => {
    for (const [key, stored] of block) {
      if (TIME_ROWS.includes(key)) timeRows.set(key, Buffer.from(openRow(key, stored)));
    }
    await clock.yieldToOthers();
  };
  const spend = (): Promise<void> => Promise.resolve();
  let info: SnapshotInfo;
  try {
    info = await scanSnapshot(disk, unfinished, { visit, spend });
    const wrong = whatIsWrong(info, snapshot.index, floor);
    if (wrong !== undefined) throw new DamageError(wrong);
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    throw new DamagedObjectError(firstPart.key, error.message, { cause: error });
  }
  await disk.rename(unfinished, path);
  await disk.syncDirectory(directory);
  return { info: { ...info, path }, timeRows };
}

function whatIsWrong(
  { index, segments }: SnapshotInfo,
  due: number,
  { segmentId, lastIndex, chain }: Floor,
): string | undefined {
  if (index !== due) return `it is a snapshot of entry ${index}, not of ${due}`;
  const below = segments.find(({ id }) => id === segmentId);
  if (below !== undefined && (!below.cut || !sameChain(below.chain, chain))) {
    return `its segment ${segmentId} is not the one behind which the log goes on`;
  }
  const above = segments.filter(({ id }) => id > segmentId);
  const [next] = above;
  const isNext = next === undefined || (next.id === segmentId + 1 && next.firstIndex === lastIndex + 1);
  return isNext ? undefined : `its segment ${next.id} does not go on behind segment ${segmentId}`;
}
