/**
 * Gives space back. Makes snapshots of the index, so that it can be made again without the whole log; moves
 * the floor behind them; deletes or rewrites what lies below it (RULES.md R16, R18). Each step is stable
 * before the next one relies on it: snapshot verified → floor written → files touched. All of it is local to
 * this node, slow on purpose, and may stop anywhere.
 */
import { BusyError, DamageError, UnavailableError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { Clock } from "../ports/clock.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { writeFloor } from "../store/floor-file.ts";
import { IoPace } from "../store/io-pace.ts";
import { LivePieces } from "../store/live-pieces.ts";
import type { FoundPieces } from "../store/live-pieces.ts";
import type { TierView } from "../store/local-segments.ts";
import type { Log } from "../store/log.ts";
import { packSegment } from "../store/pack-segment.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { readSnapshotInfo, scanSnapshot, writeSnapshot } from "../store/snapshot-file.ts";
import type { SnapshotInfo } from "../store/snapshot-file.ts";
import {
  SNAPSHOTS_NAME,
  UNFINISHED,
  listSnapshots,
  removeUnfinished,
  snapshotPath,
} from "../store/snapshot-files.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { Command } from "../state/command.ts";
import { segmentById } from "../state/segment-table.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import type { LocalValues } from "./local-values.ts";
import { floorBelow, isSparse, logBytesSince, wantsSnapshot } from "./space-policy.ts";
import type { Caution, SpaceSettings, SpaceStatus } from "./space-policy.ts";

const LOOK_EVERY_MS = 500;
/** After a failure that may pass by itself. */
const RETRY_MS = 10_000;
/** Segments whose live bytes are gathered with one snapshot. */
const REWRITTEN_AT_ONCE = 64;
/** In one entry, which writes two rows for each at most (RULES.md R5). */
const ROWS_DROPPED_AT_ONCE = 200;
const EVERYTHING = { from: "", to: "~" };

export type SpaceKeeperOptions = {
  readonly disk: Disk;
  readonly directory: string;
  readonly files: SegmentFiles;
  readonly log: Log;
  readonly index: StateIndex;
  readonly segments: SegmentTable;
  /** What lies below the floor, and where that is. */
  readonly values: LocalValues;
  readonly tier: TierView | undefined;
  readonly propose: (command: Command) => Promise<unknown>;
  readonly settings: SpaceSettings;
  readonly caution: Caution;
  readonly clock: Clock;
  readonly logger: Logger;
};

export class SpaceKeeper {
  readonly #options: SpaceKeeperOptions;
  readonly #pace: IoPace;
  readonly #directory: string;
  readonly #values: LocalValues;
  /** The newest first; all of them verified. */
  #snapshots: readonly SnapshotInfo[] = [];
  /** Paths of those that somebody reads, once for each. */
  readonly #lent: string[] = [];
  /** A round at a time: each relies on what the one before it left. */
  readonly #rounds = new Semaphore(1);
  #signal: AbortSignal = AbortSignal.abort();
  #snapshotAtMs: number;
  #notBeforeMs = 0;
  #reclaimedBytes = 0;
  #rewrites: FoundPieces[] = [];
  /** Segments that could not be rewritten, with their live bytes then: left alone until half of them die. */
  readonly #kept = new Map<number, number>();

  constructor(options: SpaceKeeperOptions) {
    this.#options = options;
    this.#pace = new IoPace(options.clock, options.settings);
    this.#directory = `${options.directory}/${SNAPSHOTS_NAME}`;
    this.#values = options.values;
    this.#snapshotAtMs = options.clock.monotonicMs();
  }

  get status(): SpaceStatus {
    const [newest] = this.#snapshots;
    return {
      floorIndex: this.#values.floor.lastIndex,
      snapshotIndex: newest?.index ?? 0,
      snapshotBytes: newest?.bytes ?? 0,
      fileBytes: this.#values.fileBytes,
      reclaimedBytes: this.#reclaimedBytes,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    try {
      await this.#takeStock(signal);
      // What can be deleted does not wait until something is rewritten.
      await Promise.all([
        this.#repeat(() => this.#look(signal), signal),
        this.#repeat(() => this.#rewriteNext(signal), signal),
      ]);
    } catch (error) {
      // The node is stopping, or has failed and said so.
      if (!signal.aborted && !(error instanceof UnavailableError)) throw error;
    } finally {
      // Another process may have the directory next.
      await this.#values.end();
      await this.#rounds.run(() => Promise.resolve());
    }
  }

  /** Lends the newest snapshot, which stays while `work` is not done; one of `minIndex` or later. */
  async withSnapshot<Result>(
    minIndex: number,
    work: (snapshot: SnapshotInfo) => Promise<Result>,
  ): Promise<Result> {
    await this.#values.stocked;
    const lent = this.#lendNewest(minIndex) ?? (await this.#rounds.run(() => this.#lendNew(minIndex)));
    try {
      return await work(lent);
    } finally {
      this.#lent.splice(this.#lent.indexOf(lent.path), 1);
    }
  }

  /**
   * As many snapshots as the floor stays behind, each of a later entry, since they have their names by that.
   * Entries that are kept for others to catch up are kept no longer.
   */
  async raiseFloor(segmentId: number): Promise<void> {
    const { caution, propose } = this.#options;
    await this.#values.stocked;
    for (let made = 0; made < caution.snapshotsKept; made++) {
      if (this.#values.floor.segmentId >= segmentId) return;
      await propose({ kind: "tick" });
      await this.#rounds.run(() => this.#roundNow({ entriesKept: 0 }));
    }
  }

  async #roundNow(changes: Partial<SpaceSettings> = {}): Promise<void> {
    try {
      await this.#round(this.#signal, changes);
    } catch (error) {
      if (this.#signal.aborted) throw new UnavailableError("this node is stopping", { cause: error });
      if (!isOutOfSpace(error)) throw error;
      throw new BusyError("there is no room for a snapshot of the index now", { cause: error });
    }
  }

  #lendNewest(minIndex: number): SnapshotInfo | undefined {
    const [newest] = this.#snapshots;
    if (newest === undefined || newest.index < minIndex) return undefined;
    this.#lent.push(newest.path);
    return newest;
  }

  async #lendNew(minIndex: number): Promise<SnapshotInfo> {
    // Somebody else's round may have made it meanwhile.
    let lent = this.#lendNewest(minIndex);
    if (lent !== undefined) return lent;
    await this.#roundNow();
    lent = this.#lendNewest(minIndex);
    if (lent === undefined) throw new BusyError(`entry ${minIndex} is not applied yet`);
    return lent;
  }

  async #repeat(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      if (clock.monotonicMs() >= this.#notBeforeMs) await this.#guarded(work);
      await clock.sleep(LOOK_EVERY_MS, { signal });
    }
  }

  /** What may pass by itself is tried again later; a disk that fails ends the node (promise P7). */
  async #guarded(work: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof BusyError || error instanceof DamageError || isOutOfSpace(error))) throw error;
      logger.warn("no space can be given back now; it will be tried again", { reason: String(error) });
      this.#notBeforeMs = clock.monotonicMs() + RETRY_MS;
    }
  }

  /** What earlier processes left: unfinished files, snapshots, segments below the floor. */
  async #takeStock(signal: AbortSignal): Promise<void> {
    const { disk, caution, logger } = this.#options;
    await removeUnfinished(disk, this.#directory);
    const found: SnapshotInfo[] = [];
    for (const { path } of await listSnapshots(disk, this.#directory)) {
      try {
        if (found.length < caution.snapshotsKept) found.push(await readSnapshotInfo(disk, path));
      } catch (error) {
        if (!(error instanceof DamageError)) throw error;
        logger.error("a snapshot of the index is damaged; there will be another one", {
          reason: error.message,
        });
      }
    }
    this.#snapshots = found;
    await this.#values.takeStock(() => this.#pace.spend(0, signal));
  }

  async #look(signal: AbortSignal): Promise<void> {
    // It waits for uploads too, which may come long after the last snapshot of a store that is idle since.
    if (this.#options.tier !== undefined)
      await this.#rounds.run(() => this.#moveFloor(this.#options.settings));
    await this.#deleteDead(signal);
    await this.#dropRows();
    if (this.#isSnapshotDue()) await this.#rounds.run(() => this.#round(signal));
  }

  async #round(signal: AbortSignal, changes: Partial<SpaceSettings> = {}): Promise<void> {
    const live = new LivePieces(this.#options.segments, this.#sparse());
    await this.#makeSnapshot(live, signal);
    await this.#moveFloor({ ...this.#options.settings, ...changes });
    await this.#dropSnapshots();
    await this.#deleteDead(signal);
    this.#planRewrites(live);
  }

  #isSnapshotDue(): boolean {
    const { clock, segments, index, settings, caution } = this.#options;
    const [snapshot] = this.#snapshots;
    const facts = {
      appliedIndex: index.appliedIndex,
      snapshot,
      sinceSnapshotMs: clock.monotonicMs() - this.#snapshotAtMs,
      logBytes: logBytesSince(snapshot, segments.all),
      deadBytes: this.#deadBytes(),
    };
    return wantsSnapshot(facts, settings, caution);
  }

  /** In segments that snapshots to come let go. */
  #deadBytes(): number {
    const { segments, settings, index, tier } = this.#options;
    const lastId = tier?.uploadedThroughSegment ?? Infinity;
    const highest = index.appliedIndex - settings.entriesKept;
    let dead = 0;
    for (const { id, cut, bytes, liveBytes, firstIndex, entries } of segments.all) {
      const valueBytes = this.#values.sizeOf(id);
      if (id <= this.#values.floor.segmentId) {
        if (valueBytes === undefined) continue;
      } else if (!cut || firstIndex + entries > highest || id > lastId) continue;
      if (liveBytes > (this.#kept.get(id) ?? Infinity) / 2) continue;
      const fileBytes = valueBytes ?? bytes;
      if (isSparse({ liveBytes, fileBytes }, settings)) dead += fileBytes - liveBytes;
    }
    return dead;
  }

  /** Below the floor, few live bytes but some; those with most to gain first. */
  #sparse(): readonly number[] {
    const { segments, settings } = this.#options;
    const [newest] = this.#snapshots;
    const sparse: { readonly id: number; readonly dead: number }[] = [];
    for (const { id, liveBytes } of segments.all) {
      const fileBytes = this.#values.sizeOf(id);
      if (fileBytes === undefined || liveBytes === 0) continue;
      if (liveBytes > (this.#kept.get(id) ?? Infinity) / 2) continue;
      // One that is dying will soon be empty.
      if (liveBytes < (segmentById(newest?.segments ?? [], id)?.liveBytes ?? 0) / 2) continue;
      if (isSparse({ liveBytes, fileBytes }, settings)) sparse.push({ id, dead: fileBytes - liveBytes });
    }
    return sparse
      .toSorted((a, b) => b.dead - a.dead)
      .slice(0, REWRITTEN_AT_ONCE)
      .map(({ id }) => id);
  }

  async #makeSnapshot(live: LivePieces, signal: AbortSignal): Promise<void> {
    const { disk, index, caution, clock, logger } = this.#options;
    const spend = (bytes: number): Promise<void> => this.#pace.spend(bytes, signal);
    this.#snapshotAtMs = clock.monotonicMs();
    await disk.makeDirectory(this.#directory);
    const view = await index.snapshot();
    const path = snapshotPath(this.#directory, view.index);
    const unfinished = path + UNFINISHED;
    try {
      const rows = view.iterate(EVERYTHING);
      try {
        const visit = live.visit.bind(live);
        await writeSnapshot(disk, unfinished, { source: { index: view.index, rows, visit }, spend });
      } finally {
        await rows.close();
        await view.close();
      }
      const info = await scanSnapshot(disk, unfinished, { spend });
      await disk.rename(unfinished, path);
      await disk.syncDirectory(this.#directory);
      this.#snapshots = [{ ...info, path }, ...this.#snapshots].slice(0, caution.snapshotsKept);
      logger.info("a snapshot of the index was made", { index: info.index, bytes: info.bytes });
    } catch (error) {
      await disk.remove(unfinished);
      throw error;
    }
  }

  /** Behind the oldest of the verified snapshots; stable before anything below it is touched. */
  async #moveFloor(settings: SpaceSettings): Promise<void> {
    const { disk, directory, log, caution, tier } = this.#options;
    const oldest = this.#snapshots[caution.snapshotsKept - 1];
    const { firstUnsealedId, stableIndex } = log;
    const uploadedThroughId = tier?.uploadedThroughSegment ?? Infinity;
    const bounds = { firstUnsealedId, stableIndex, uploadedThroughId };
    const floor = oldest && floorBelow(oldest, bounds, settings);
    if (floor === undefined || floor.segmentId <= this.#values.floor.segmentId) return;
    await writeFloor(disk, directory, floor);
    await this.#values.raise(floor);
  }

  /** All but the newest, damaged ones included; one that is lent goes in a later round. */
  async #dropSnapshots(): Promise<void> {
    const { disk, caution } = this.#options;
    if (this.#snapshots.length < caution.snapshotsKept) return;
    const all = await listSnapshots(disk, this.#directory);
    const isKept = (path: string): boolean =>
      this.#lent.includes(path) || this.#snapshots.some((kept) => kept.path === path);
    const dropped = all.filter(({ path }) => !isKept(path));
    if (dropped.length === 0) return;
    for (const { path } of dropped) await disk.remove(path);
    // Else a power cut could bring the names of many rounds back.
    await disk.syncDirectory(this.#directory);
  }

  /**
   * Deletes what is below the floor and held nothing live in the newest snapshot, or had no row there any
   * more: a power cut may have brought the name of a deleted file back.
   */
  async #deleteDead(signal: AbortSignal): Promise<void> {
    const { files, logger } = this.#options;
    const [newest] = this.#snapshots;
    if (newest === undefined) return;
    // What lies behind a snapshot, as after damage to newer ones, has no row there either.
    const lastId = newest.segments.at(-1)?.id ?? 0;
    let freed = 0;
    for (const id of this.#values.ids) {
      const liveBytes = segmentById(newest.segments, id)?.liveBytes ?? 0;
      const bytes = this.#values.sizeOf(id);
      if (liveBytes > 0 || id > lastId || bytes === undefined || this.#values.isTaken(id)) continue;
      await this.#values.delete(id);
      this.#reclaimedBytes += bytes;
      freed += bytes;
      await this.#pace.spend(0, signal);
    }
    if (freed === 0) return;
    await files.syncNames();
    logger.info("segments that nothing needs any more were deleted", { bytes: freed });
  }

  /**
   * A row outlives its file, so whatever crashes in between leaves a row that the next look finds again.
   * Where an older snapshot brings it back, the entry that dropped it follows in the log.
   */
  async #dropRows(): Promise<void> {
    const { segments, propose } = this.#options;
    const segmentIds: number[] = [];
    for (const { id, liveBytes } of segments.all) {
      if (id > this.#values.floor.segmentId || segmentIds.length === ROWS_DROPPED_AT_ONCE) break;
      if (liveBytes === 0 && this.#values.sizeOf(id) === undefined) segmentIds.push(id);
    }
    if (segmentIds.length === 0) return;
    try {
      await propose({ kind: "dropSegments", segmentIds });
    } catch (error) {
      // A full disk and a full queue have time: nothing waits for these rows.
      if (!(error instanceof BusyError)) throw error;
    }
  }

  /** What was found may be rewritten if it is all that the same snapshot counts. */
  #planRewrites(live: LivePieces): void {
    const { logger } = this.#options;
    const [newest] = this.#snapshots;
    this.#rewrites = [];
    for (const found of live.found()) {
      const { id, liveBytes } = found;
      const counted = segmentById(newest?.segments ?? [], id);
      if (counted?.liveBytes === liveBytes) {
        this.#rewrites.push(found);
        continue;
      }
      this.#kept.set(id, liveBytes);
      const facts = { segment: id, named: liveBytes, counted: counted?.liveBytes };
      logger.error("rows name other bytes of a segment than are counted: it stays as it is", facts);
    }
  }

  /**
   * One segment below the floor, without what no row of a snapshot named: nothing that died becomes live
   * again, so an older snapshot only keeps more.
   */
  async #rewriteNext(signal: AbortSignal): Promise<void> {
    const { disk, files, logger } = this.#options;
    const next = this.#rewrites.shift();
    if (next === undefined) return;
    const spend = (bytes: number): Promise<void> => this.#pace.spend(bytes, signal);
    const { id, pieces } = next;
    try {
      await this.#values.rewrite(id, async (before) => {
        const bytes = await packSegment(disk, files, { id, pieces, spend });
        this.#reclaimedBytes += before - bytes;
        logger.info("a segment was rewritten without its dead bytes", { segment: id, before, bytes });
        return bytes;
      });
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      this.#kept.set(id, next.liveBytes);
      logger.error("a segment cannot be rewritten and stays", { segment: id, reason: error.message });
    }
  }
}
