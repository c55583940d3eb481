/**
 * Keeps the bucket behind the log: restore points when they are due, and tails of the open segment before the
 * recovery point is over. A tail is put only where everything before it is in the bucket: the log there has
 * no gap at any moment.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Logger } from "../ports/logger.ts";
import { Coverage } from "./coverage.ts";
import type { LineageWatch } from "./lineage-watch.ts";
import { indexBefore, logBytesBehind } from "./manifest-draft.ts";
import type { ManifestWriter } from "./manifest-writer.ts";
import { findRestorePoint } from "./restore-points.ts";
import type { RestorePoint } from "./restore-points.ts";
import { openEnd } from "./tail-writer.ts";
import type { TailWriter } from "./tail-writer.ts";
import type { TierHealth } from "./tier-health.ts";
import { TierLoop } from "./tier-loop.ts";
import { coveredFrom, lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";
import { TAIL_BEGIN_SHARE } from "./tier-settings.ts";
import type { ColdTierSettings } from "./tier-settings.ts";

const LOOK_MS_MAX = 1000;
/** Looks within one recovery point. */
const LOOKS = 10;
/** Others may be uploading what it waits for. */
const FINISH_LOOK_MS = 50;
/** Between two restore points of a store that nobody follows, at least. */
const QUIET_MS_MIN = 60_000;

export type FollowerParts = {
  readonly node: TierNode;
  readonly store: ColdStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: TierHealth;
  readonly settings: ColdTierSettings;
  readonly lineage: LineageWatch;
  readonly tails: TailWriter;
  readonly manifests: ManifestWriter;
  /** Whether the place was heard of at all. */
  readonly isReached: () => boolean;
};

export class LogFollower {
  readonly #parts: FollowerParts;
  readonly #coverage: Coverage;
  /** `undefined` in it: there is none. Not known before the bucket was asked. */
  #newest: { readonly point: RestorePoint | undefined } | undefined;
  #pointAtMs: number | undefined;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#coverage = new Coverage(parts.clock.monotonicMs());
  }

  /** The newest restore point, as far as it is known. */
  get newest(): RestorePoint | undefined {
    return this.#newest?.point;
  }

  /** When this process wrote one last, by the monotonic clock. */
  get pointAtMs(): number | undefined {
    return this.#pointAtMs;
  }

  /** What a loss of every node would cost now. */
  get lagMs(): number {
    this.#look();
    return this.#coverage.lagMs(this.#parts.clock.monotonicMs());
  }

  /** The last entry that a restore would lead to. */
  get covered(): number {
    this.#look();
    return this.#coverage.covered;
  }

  /** Tails go on beside a restore point: a large snapshot takes longer than any recovery point. */
  async run(signal: AbortSignal): Promise<void> {
    const { recoveryPointMs = Infinity } = this.#parts.settings;
    const lookMs = Math.min(LOOK_MS_MAX, recoveryPointMs / LOOKS);
    const repeat = (name: string, work: () => Promise<unknown>): Promise<void> =>
      new TierLoop(name, this.#parts).run(async () => {
        await work();
        return lookMs;
      }, signal);
    await Promise.all([
      repeat("follow the log", () => this.#keepPoints(signal)),
      repeat("keep tails", () => this.#keepTails(signal)),
    ]);
  }

  async #keepPoints(signal: AbortSignal): Promise<void> {
    const { lineage, isReached } = this.#parts;
    this.#look();
    if (!isReached()) return;
    await lineage.checkNowAndThen(signal);
    if (!lineage.mayWrite) return;
    if (this.#newest === undefined) {
      const point = await this.#find(signal);
      // Somebody may have asked for one meanwhile, which is newer.
      this.#newest ??= { point };
    }
    const minIndex = this.#dueSnapshot();
    if (minIndex !== undefined) await this.writeManifest({ minIndex, signal });
  }

  async #keepTails(signal: AbortSignal): Promise<void> {
    const { lineage, tails, isReached } = this.#parts;
    this.#look();
    if (!isReached() || !lineage.mayWrite) return;
    if (this.newest?.isFollowed === true && this.#isTailDue()) await this.#extend(signal);
    await tails.tidy(signal);
  }

  /** Whether something was written that the bucket lacks. */
  get isBehind(): boolean {
    return this.covered < this.#parts.node.changedIndex();
  }

  /** What only this disk holds, as soon as the segments before it are there; for a node that is stopping. */
  async finish(signal: AbortSignal): Promise<void> {
    const { lineage, isReached, clock } = this.#parts;
    while (this.isBehind && isReached() && lineage.mayWrite && !signal.aborted) {
      if (this.newest?.isFollowed === true) await this.#extend(signal);
      if (this.isBehind) await clock.sleep(FINISH_LOOK_MS, { signal });
    }
  }

  async #find(signal: AbortSignal): Promise<RestorePoint | undefined> {
    const { store, clock, node } = this.#parts;
    return await findRestorePoint({ store, clock, place: node.place }, signal);
  }

  /** Whoever asks for it; see ManifestWriter. */
  async writeManifest(how: Parameters<ManifestWriter["write"]>[0]): Promise<RestorePoint> {
    const point = await this.#parts.manifests.write(how);
    this.#newest = { point };
    this.#pointAtMs = this.#parts.clock.monotonicMs();
    this.#look();
    return point;
  }

  /** From which entry on there has to be a snapshot in a restore point that is due; else `undefined`. */
  #dueSnapshot(): number | "none" | undefined {
    const { node, settings, manifests } = this.#parts;
    const { all } = node.segments;
    const { newest } = this;
    const isFollowed = settings.recoveryPointMs !== undefined;
    const applied = appliedIndex(node);
    const { entriesMin, logBytes } = settings.snapshot;
    const behind = logBytesBehind(newest?.snapshotIndex ?? 0, all);
    const isLong = behind >= Math.max(logBytes, SIZE_FACTOR * (newest?.snapshotBytes ?? 0));
    if (isLong && applied - (newest?.snapshotIndex ?? 0) >= entriesMin) {
      return isFollowed ? indexBefore(behind / 2, all) : applied;
    }
    const bare = manifests.isLogWhole && !isLong ? "none" : isFollowed ? 0 : applied;
    if (isFollowed) return newest?.isFollowed === true && this.#isReplayable(newest) ? undefined : bare;
    return this.#isQuietPointDue() ? bare : undefined;
  }

  /** Whether the table still has everything behind the newest one: a server without a tier lets go of it. */
  #isReplayable({ snapshotIndex, index }: RestorePoint): boolean {
    const { all } = this.#parts.node.segments;
    let next: number | undefined;
    for (let at = all.length - 1; at >= 0; at--) {
      const segment = all[at];
      if (segment === undefined || lastOf(segment) <= snapshotIndex) break;
      if (next !== undefined && lastOf(segment) + 1 !== next) return false;
      if (segment.cold?.kind === "packed" && lastOf(segment) > index) return false;
      next = segment.firstIndex;
    }
    return next === undefined || next <= Math.max(snapshotIndex, index) + 1;
  }

  /** Where uploads wait for age: when nothing waits any more, so that it costs no upload. */
  #isQuietPointDue(): boolean {
    const { node, settings, clock } = this.#parts;
    const { newest } = this;
    // What the collector says of the restore points before is no reason for another one: it would never end.
    if (newest?.isFollowed === false && newest.index >= node.changedIndex()) return false;
    const isUploaded = node.segments.all.every(({ cut, liveBytes, cold }) => !cut || liveBytes === 0 || cold);
    if (!isUploaded) return false;
    const sinceMs = clock.monotonicMs() - (this.#pointAtMs ?? -Infinity);
    return newest === undefined || sinceMs >= Math.max(settings.afterMs, QUIET_MS_MIN);
  }

  #isTailDue(): boolean {
    const { recoveryPointMs } = this.#parts.settings;
    if (recoveryPointMs === undefined) return false;
    return this.#coverage.lagMs(this.#parts.clock.monotonicMs()) >= recoveryPointMs * TAIL_BEGIN_SHARE;
  }

  /** Everything that is applied by now, if all before the open segment is in the bucket. */
  async #extend(signal: AbortSignal): Promise<void> {
    const { node, tails } = this.#parts;
    const end = openEnd(node);
    if (end === undefined || this.#coverage.covered < end.firstIndex - 1) return;
    await tails.extend(end, signal);
    this.#look();
  }

  #look(): void {
    const { node, clock, tails } = this.#parts;
    const { newest } = this;
    this.#coverage.note(appliedIndex(node), clock.monotonicMs());
    const isFollowed = newest?.isFollowed === true && this.#parts.settings.recoveryPointMs !== undefined;
    const from = newest?.index ?? 0;
    const reachIn = (id: number): number => tails.reachIn(id);
    this.#coverage.cover(isFollowed ? coveredFrom(from, node.segments.all, reachIn) : from);
  }
}

/** A snapshot costs its size: it has to be worth so many times that. */
const SIZE_FACTOR = 5;

function appliedIndex({ segments }: TierNode): number {
  const last = segments.all.at(-1);
  return last === undefined ? 0 : lastOf(last);
}
