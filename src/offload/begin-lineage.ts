/**
 * The first start after a restore, before anybody is served (RULES.md R20, R22): tells the bucket that a new
 * lineage goes on, looks whether everything is still there that the restore counted on, tells the state who
 * it is now and where its segments lie, ends the segment that it shares with its parent, and has its own
 * manifest written. Each step is harmless when it is repeated; the file that asks for them goes last.
 */
import { RefusedError } from "../base/errors.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import type { ColdCopy, LineageRow } from "../state/rows.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import type { LocalSegments } from "../store/local-segments.ts";
import { removeRestored } from "../store/restored-file.ts";
import type { Restored } from "../store/restored-file.ts";
import { coldPrefix } from "./cold-names.ts";
import type { ColdPlace } from "./cold-names.ts";
import { noteHeir } from "./heir-notes.ts";

/** Rows that one entry writes (RULES.md R5). */
const COPIES_AT_ONCE = 200;
const NAMED_AT_MOST = 3;

export type BeginLineageOptions = {
  readonly restored: Restored;
  readonly directory: string;
  readonly disk: Disk;
  readonly store: ColdStore;
  /** Of this node: cluster, and the new lineage. */
  readonly place: ColdPlace;
  readonly replica: Pick<ReplicatedLog<Command, Chunk, CommandResult>, "propose" | "proposeTogether">;
  readonly segments: SegmentTable;
  /** What the state says now. */
  readonly lineageRow: () => Promise<LineageRow | undefined>;
  readonly local: Pick<LocalSegments, "seal">;
  /** Resolves when a manifest of the own lineage is in the bucket, and everything that it names. */
  readonly writeManifest: () => Promise<unknown>;
  readonly logger: Logger;
};

export async function beginLineage(options: BeginLineageOptions): Promise<void> {
  const { restored, place, store, replica, logger, disk, directory } = options;
  const { lineage, parent, cutIndex } = restored;
  await noteHeir(store, { cluster: place.cluster, lineage: parent }, { lineage, cutIndex });
  await requireCopies(options);
  if ((await options.lineageRow())?.lineage !== lineage) {
    await replica.propose({ kind: "beginLineage", lineage, parent, cutIndex });
  }
  await tellCopies(options);
  await options.local.seal();
  await options.writeManifest();
  await removeRestored(disk, directory);
  logger.info("the restored store goes on in a lineage of its own", { lineage, parent, cutIndex });
}

/** From now on the parent deletes nothing; what it deleted before is gone. */
async function requireCopies({ restored, store, place }: BeginLineageOptions): Promise<void> {
  const lost = new Set(restored.lost);
  const wanted = new Map<string, number>();
  for (const { copy } of restored.copies) if (!lost.has(copy.key)) wanted.set(copy.key, copy.bytes);
  if (wanted.size === 0) return;
  for await (const { key, bytes } of store.list(coldPrefix({ cluster: place.cluster }))) {
    if (wanted.get(key) === bytes) wanted.delete(key);
  }
  if (wanted.size === 0) return;
  const named = [...wanted.keys()].slice(0, NAMED_AT_MOST).join(", ");
  throw new RefusedError(
    `${wanted.size} objects that this store was restored with have gone from ${store.place} since then ` +
      `(${named}${wanted.size > NAMED_AT_MOST ? ", ..." : ""}): restore again into an empty directory`,
  );
}

/** Rows say where a replay of the log left them; the manifest knew what will stay. */
async function tellCopies({ restored, segments, replica, logger }: BeginLineageOptions): Promise<void> {
  const commands: Command[] = [];
  for (const { first, last, copy } of restored.copies) {
    const segment = segments.find(first);
    const entries = last - first + 1;
    // It was dropped since, with all that was in it.
    if (segment === undefined) continue;
    if (segment.firstIndex !== first || segment.entries !== entries || !segment.cut) {
      logger.warn("a segment of the restore is another one in the state", { first, last, key: copy.key });
      continue;
    }
    if (isSame(segment.cold, copy)) continue;
    commands.push({ kind: "segmentOffloaded", segmentId: segment.id, firstIndex: first, entries, copy });
  }
  for (let at = 0; at < commands.length; at += COPIES_AT_ONCE) {
    await replica.proposeTogether(commands.slice(at, at + COPIES_AT_ONCE));
  }
}

function isSame(one: ColdCopy | undefined, other: ColdCopy): boolean {
  return one?.key === other.key && one.sha256 === other.sha256 && one.kind === other.kind;
}
