/**
 * Packs copies in the cold tier that hold little which is live: what they waste is paid for each month.
 *
 * Only segments that no replay needs as they were: below the oldest snapshot of any manifest (RULES.md R21)
 * and below the floor of this node. What is live in them is gathered from a snapshot of the index that lies
 * on this disk, a page at a time, and has to add up to what the segment table counts in that very snapshot;
 * a kind of row that somebody forgot makes the sums differ, and the copy stays as it is.
 */
import { DamageError } from "../base/errors.ts";
import { finishInSteps } from "../base/steps.ts";
import type { Steps } from "../base/steps.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import { IoPace } from "../store/io-pace.ts";
import { LivePieces } from "../store/live-pieces.ts";
import type { FoundPieces } from "../store/live-pieces.ts";
import { openRow } from "../store/row-seal.ts";
import { scanSnapshot } from "../store/snapshot-file.ts";
import type { SnapshotInfo } from "../store/snapshot-file.ts";
import { segmentById } from "../state/segment-table.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import { BestFew } from "./best-few.ts";
import { CopyPacker } from "./copy-packer.ts";
import type { CopyPackerParts } from "./copy-packer.ts";
import type { TierHealth } from "./tier-health.ts";
import { TierLoop } from "./tier-loop.ts";
import { lastOf } from "./tier-node.ts";

const LOOK_EVERY_MS = 600_000;
/** Whose live bytes are gathered with one look at the rows. */
const PACKED_AT_ONCE = 64;
const SEGMENTS_PER_STEP = 512;
const SCAN_BYTES_PER_SECOND = 32 * 1024 * 1024;

export type PackerParts = CopyPackerParts & {
  readonly health: TierHealth;
  /** A copy with a smaller share of live bytes is packed: percent. */
  readonly livePercentMin: number;
  /** Of all manifests in the bucket; 0 while it is not known, or while nothing may change there. */
  readonly oldestSnapshotIndex: () => number;
};

export type PackedCounts = { readonly segments: number; readonly savedBytes: number };

export class Packer {
  readonly #parts: PackerParts;
  readonly #copies: CopyPacker;
  readonly #disk: IoPace;
  /** Copies that could not be packed, with their live bytes then: left alone until half of those die. */
  readonly #kept = new Map<number, number>();
  /** What was looked for in which snapshot: the same rows say the same. */
  #looked: { readonly index: number; readonly ids: ReadonlySet<number> } = { index: 0, ids: new Set() };
  #counts: PackedCounts = { segments: 0, savedBytes: 0 };

  constructor(parts: PackerParts) {
    this.#parts = parts;
    this.#copies = new CopyPacker(parts);
    this.#disk = new IoPace(parts.clock, { bytesPerSecondMax: SCAN_BYTES_PER_SECOND });
  }

  /** Since the start. */
  get counts(): PackedCounts {
    return this.#counts;
  }

  async run(signal: AbortSignal): Promise<void> {
    await new TierLoop("pack", this.#parts).run(async () => {
      await this.packAll(signal);
      return LOOK_EVERY_MS;
    }, signal);
  }

  /** One look: the worst copies, one after the other. */
  async packAll(signal: AbortSignal): Promise<void> {
    const ids = await finishInSteps(this.#wanted(), this.#parts.clock);
    if (ids.length === 0) return;
    for (const found of await this.#gather(ids, signal)) await this.#packOne(found, signal);
  }

  /** Whatever is live in them: for copies that are lost or damaged. Which of them have a new one now. */
  async packAgain(ids: readonly number[], signal: AbortSignal): Promise<ReadonlySet<number>> {
    const { node } = this.#parts;
    const packed = new Set<number>();
    const found = await this.#withSnapshot(ids, (snapshot) => this.#gatherFrom(snapshot, ids, signal));
    for (const one of found) {
      // A copy that is packed already has no entries that anybody could replay.
      const mayTell = (now: SegmentEntry): boolean => now.cold?.kind === "packed" || this.mayPack(now);
      const segment = node.segments.byId(one.id);
      if (segment === undefined || !mayTell(segment)) continue;
      if (await this.#tryPack(one, { mayTell, signal })) packed.add(one.id);
    }
    return packed;
  }

  *#wanted(): Steps<readonly number[]> {
    const dead = ({ cold, liveBytes }: SegmentEntry): number => (cold?.bytes ?? 0) - liveBytes;
    const few = new BestFew<SegmentEntry>(PACKED_AT_ONCE, (a, b) => dead(b) - dead(a) || a.id - b.id);
    let seen = 0;
    for (const segment of this.#parts.node.segments.all) {
      if (++seen % SEGMENTS_PER_STEP === 0) yield;
      const isWorthIt = segment.liveBytes <= (this.#kept.get(segment.id) ?? Infinity) / 2;
      if (isWorthIt && this.#isSparse(segment, segment.liveBytes) && this.mayPack(segment)) few.add(segment);
    }
    return few.all.map(({ id }) => id);
  }

  #isSparse({ cold }: SegmentEntry, liveBytes: number): boolean {
    const { livePercentMin } = this.#parts;
    return cold !== undefined && liveBytes > 0 && liveBytes * 100 < cold.bytes * livePercentMin;
  }

  /** Nobody replays it: neither a start of this node nor a restore. */
  mayPack(segment: SegmentEntry): boolean {
    const { node, oldestSnapshotIndex } = this.#parts;
    return lastOf(segment) <= Math.min(node.local.floorIndex, oldestSnapshotIndex());
  }

  /** Everything that is live in these segments, of those for which it adds up. */
  async #gather(ids: readonly number[], signal: AbortSignal): Promise<readonly FoundPieces[]> {
    return await this.#withSnapshot(ids, async (snapshot) => {
      const { index, ids: known } = this.#looked;
      if (snapshot.index === index && ids.every((id) => known.has(id))) return [];
      const found = await this.#gatherFrom(snapshot, ids, signal);
      this.#looked = { index: snapshot.index, ids: new Set(ids) };
      return found;
    });
  }

  /** One that has all entries of these segments. */
  async #withSnapshot<Result>(
    ids: readonly number[],
    work: (snapshot: SnapshotInfo) => Promise<Result>,
  ): Promise<Result> {
    const { node } = this.#parts;
    let minIndex = 0;
    for (const id of ids) {
      const segment = node.segments.byId(id);
      if (segment !== undefined) minIndex = Math.max(minIndex, lastOf(segment));
    }
    return await node.local.withSnapshot(minIndex, work);
  }

  async #gatherFrom(
    snapshot: SnapshotInfo,
    ids: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly FoundPieces[]> {
    const { node, disk, logger } = this.#parts;
    const live = new LivePieces(node.segments, ids);
    const spend = (bytes: number): Promise<void> => this.#disk.spend(bytes, signal);
    const { segments } = await scanSnapshot(disk, snapshot.path, {
      spend,
      visit: (rows) => {
        for (const [key, stored] of rows) live.visit(key, openRow(key, stored));
        return Promise.resolve();
      },
    });
    return [...live.found()].filter(({ id, liveBytes }) => {
      const counted = segmentById(segments, id)?.liveBytes;
      if (counted === liveBytes) return true;
      this.#kept.set(id, liveBytes);
      const facts = { segment: id, named: liveBytes, counted };
      logger.error("rows name other bytes of a segment than are counted: its copy stays as it is", facts);
      return false;
    });
  }

  async #packOne(found: FoundPieces, signal: AbortSignal): Promise<void> {
    const segment = this.#parts.node.segments.byId(found.id);
    // What was live in the snapshot is packed; with that the gain may be none yet.
    if (segment === undefined || !this.#isSparse(segment, found.liveBytes)) return;
    await this.#tryPack(found, { mayTell: (now) => this.mayPack(now), signal });
  }

  async #tryPack(found: FoundPieces, how: Parameters<CopyPacker["pack"]>[1]): Promise<boolean> {
    const { node, logger } = this.#parts;
    const { id: segment } = found;
    const { bytes: before = 0 } = node.segments.byId(segment)?.cold ?? {};
    try {
      const copy = await this.#copies.pack(found, how);
      if (copy === undefined) return false;
      const { bytes } = copy;
      const { segments, savedBytes } = this.#counts;
      this.#counts = { segments: segments + 1, savedBytes: savedBytes + before - bytes };
      logger.info("a copy in the cold tier was packed", { segment, before, bytes });
      return true;
    } catch (error) {
      const isItsOwn =
        error instanceof DamageError ||
        error instanceof ColdDamagedError ||
        error instanceof ColdMissingError;
      if (!isItsOwn) throw error;
      this.#kept.set(segment, found.liveBytes);
      const reason = error.message;
      logger.error("a copy in the cold tier cannot be packed; see `tier audit`", { segment, reason });
      return false;
    }
  }
}
