/**
 * The cold tier of a node in operation: joins what uploads, frees, follows the log and tells how it is, and
 * runs it. Starts once the node leads, ends before it closes; a place that is down or refuses us keeps
 * nobody from anything but the tier.
 */
import { BusyError } from "../base/errors.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import { adopt } from "./adopt.ts";
import type { AdoptReport } from "./adopt.ts";
import { audit } from "./audit.ts";
import type { AuditCall, AuditTerms } from "./audit.ts";
import type { AuditReport } from "./audit-report.ts";
import type { ColdPlace } from "./cold-names.ts";
import type { ManifestHow } from "./manifest-writer.ts";
import { offloadAll } from "./offload-all.ts";
import type { OffloadCall, OffloadCounts } from "./offload-all.ts";
import type { ForecastFacts, ForecastPolicy } from "./policy-forecast.ts";
import type { RestorePoint } from "./restore-points.ts";
import { gatherFacts } from "./tier-facts.ts";
import type { StoredBytes } from "./tier-facts.ts";
import { TierLoop } from "./tier-loop.ts";
import { uploadedThrough } from "./tier-node.ts";
import { RECALL_HEAT_MIN, collectEveryMs, policySettings } from "./tier-settings.ts";
import type { ColdTierSettings } from "./tier-settings.ts";
import type { TierStatus } from "./tier-status.ts";
import { joinWorks } from "./tier-works.ts";
import type { TierWorks, WorkParts } from "./tier-works.ts";

export type ColdTierParts = WorkParts & {
  /** A broken invariant: the process has to end. */
  readonly onFatal: (error: unknown) => void;
};

/** A place that is fine is not asked; one that was not is asked so often whether it is again. */
const CHECK_EVERY_MS = 5000;

export class ColdTier {
  readonly #parts: ColdTierParts;
  readonly #works: TierWorks;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor(parts: ColdTierParts) {
    this.#parts = parts;
    const works = joinWorks(parts);
    this.#works = works;
    const { front, node, settings } = parts;
    front.mendWith((id) => works.residence.mend(id));
    if (settings.recoveryPointMs === undefined) return;
    front.follow(() => {
      const point = works.follower.newest;
      // Before the first one, and while nobody knows, all of the log stays.
      return point === undefined ? 0 : uploadedThrough(node.segments.all, point.snapshotIndex);
    });
  }

  start(): this {
    const { signal } = this.#abort;
    const { offloader, residence, follower, pins, collector, packer } = this.#works;
    this.#add(this.#probe(signal));
    for (const work of [offloader, residence, follower, pins, collector, packer]) this.#add(work.run(signal));
    return this;
  }

  #add(loop: Promise<void>): void {
    this.#running.push(
      loop.catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#parts.onFatal(error);
      }),
    );
  }

  get store(): ColdStore {
    return this.#parts.front.store;
  }

  get place(): ColdPlace {
    return this.#parts.node.place;
  }

  /** Being written, or written and not yet known to the log: nobody may take it for garbage. */
  isInFlight(key: string): boolean {
    return this.#works.inFlight.has(key);
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const { health, store } = this.#parts.front;
    await new TierLoop("check", { ...this.#parts, health }).run(async () => {
      if (health.state === "degraded") await store.check({ signal });
      return CHECK_EVERY_MS;
    }, signal);
  }

  /**
   * Brings these segments back; how many of them came. Rejects with errors of the port. They count as read
   * much just now, those that were here too: they stay for some hours, and longer if they are read.
   */
  async recall(ids: readonly number[], { signal }: { readonly signal: AbortSignal }): Promise<number> {
    const { front, clock } = this.#parts;
    const { heat } = front;
    let recalled = 0;
    for (const id of ids) {
      signal.throwIfAborted();
      heat.touch(id, clock.monotonicMs(), RECALL_HEAT_MIN);
      if (await this.#works.residence.recall(id, signal)) recalled++;
    }
    return recalled;
  }

  /** Everything that is live into the bucket, a restore point, and off this disk; see offload-all.ts. */
  async offloadAll(call: OffloadCall): Promise<OffloadCounts> {
    await this.#requireWritable(call.signal);
    const { isPinned } = this.#works.pins;
    await this.#works.pins.look(call.signal);
    const { front, node } = this.#parts;
    const forgetHeat = (segmentId: number): void => front.heat.forget(segmentId);
    const counts = await offloadAll({ ...this.#works, node, isPinned, forgetHeat }, call);
    // Who asks for the status next sees what was done.
    await this.#works.planner.plan();
    return counts;
  }

  /** What the policy wants in the bucket now; how many segments that was. */
  async offloadNow({ signal }: { readonly signal: AbortSignal }): Promise<number> {
    await this.#requireWritable(signal);
    const { planner, offloader } = this.#works;
    const { uploads } = await planner.plan();
    const before = offloader.uploaded.segments;
    await offloader.uploadAll(
      uploads.map(({ id }) => id),
      signal,
    );
    return offloader.uploaded.segments - before;
  }

  async audit(terms: AuditTerms, call: AuditCall): Promise<AuditReport> {
    return await audit(this.#works.audit, terms, call);
  }

  async adopt(call: { readonly signal: AbortSignal }): Promise<AdoptReport> {
    const { node, clock } = this.#parts;
    return await adopt({ node, index: node.index, store: this.store, clock }, call);
  }

  async #requireWritable(signal: AbortSignal): Promise<void> {
    const { lineage } = this.#works;
    const { store, health } = this.#parts.front;
    await store.check({ signal });
    await lineage.check(signal);
    if (!lineage.mayWrite) throw new BusyError(health.reason ?? "another lineage goes on from this one");
  }

  /** What the policy looks at, for a dry run of another one. */
  async policyFacts(): Promise<ForecastFacts> {
    return await gatherFacts(this.#works.planner, this.#parts.clock);
  }

  /** What lay in the bucket when it was listed last; `undefined` before that. */
  get listedBytes(): StoredBytes | undefined {
    return this.#works.collector.status.storedBytes;
  }

  /** The policy as it would be with other settings. */
  policyWith(changes: Partial<ColdTierSettings>): ForecastPolicy {
    const { node } = this.#parts;
    const settings = { ...this.#parts.settings, ...changes };
    const disk = { hotBytes: node.local.fileBytes, freeBytes: node.freeBytes() };
    return {
      tier: policySettings(settings, disk),
      recoveryPointMs: settings.recoveryPointMs,
      collectEveryMs: collectEveryMs(settings),
    };
  }

  /** A restore point of now, and all that it names, in the bucket; before the loops run, too. */
  async writeManifest({
    signal = this.#abort.signal,
    minIndex = "none",
  }: Partial<ManifestHow> = {}): Promise<RestorePoint> {
    return await this.#works.follower.writeManifest({ minIndex, signal });
  }

  get status(): TierStatus {
    const { front, node, clock } = this.#parts;
    const { health } = front;
    const { reason } = health;
    const { offloader, residence, follower, planner, tails, lineage, collector, packer } = this.#works;
    const { uploaded, lastUploadMs } = offloader;
    const { counts, stuckBytes } = residence;
    const { waiting: garbageObjects, deleted: deletedObjects, blockedBy } = collector.status;
    const { pointAtMs, newest } = follower;
    const { coldSegments, coldBytes, coldOnlySegments, pendingSegments, pendingBytes } = planner.counts;
    const agoOf = (ms: number): number => Math.round((clock.monotonicMs() - ms) / 1000);
    return {
      state: health.state,
      ...(reason === undefined ? {} : { reason }),
      place: front.store.place,
      lineage: node.place.lineage,
      coldSegments,
      coldBytes,
      coldOnlySegments,
      pendingSegments,
      pendingBytes,
      uploadedSegments: uploaded.segments,
      uploadedBytes: uploaded.bytes,
      freedSegments: counts.freed,
      recalledSegments: counts.recalled,
      packedSegments: packer.counts.segments,
      garbageObjects,
      deletedObjects,
      stuckBytes,
      recoveryPointSeconds: Math.ceil(follower.lagMs / 1000),
      coveredIndex: follower.covered,
      tails: tails.count,
      restorePointIndex: newest?.index ?? 0,
      ...(pointAtMs === undefined ? {} : { lastManifestSecondsAgo: agoOf(pointAtMs) }),
      ...(blockedBy.length === 0 ? {} : { deletionsBlockedBy: blockedBy.join(" ") }),
      ...(lineage.heir === undefined ? {} : { supersededBy: lineage.heir }),
      ...(lastUploadMs === undefined ? {} : { lastUploadSecondsAgo: agoOf(lastUploadMs) }),
    };
  }

  /**
   * Before a stop that is no crash: what was written last goes into the bucket, and nobody needs the disk any
   * more. Takes `limitMs` at most, nothing where the bucket cannot be reached, and never rejects; where it
   * does not get that far, the log says so.
   */
  async finish(limitMs: number): Promise<void> {
    const { front, settings, clock, logger } = this.#parts;
    const { follower } = this.#works;
    const isHopeless = front.health.has("unreached") || front.health.has("superseded");
    if (settings.recoveryPointMs === undefined || this.#abort.signal.aborted) return;
    const ended = new AbortController();
    let reason = front.health.reason ?? `not within ${limitMs} ms`;
    if (!isHopeless) {
      const signal = AbortSignal.any([ended.signal, this.#abort.signal]);
      const work = follower.finish(signal).catch((error: unknown) => (reason = String(error)));
      // It may wait behind a tail that is under way and hangs: `close` ends that.
      this.#running.push(work.then(() => undefined));
      await Promise.race([work, clock.sleep(limitMs, { signal: ended.signal })]);
      ended.abort();
    }
    if (follower.isBehind) logger.warn("what was written last is on this disk alone", { reason });
  }

  /** Ends every loop; what is under way is given up. The store stays open. Closing twice is harmless. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
  }
}
