/**
 * The cold tier of a node in operation: joins what uploads, frees, follows the log and tells how it is, and
 * runs it. Starts once the node leads, ends before it closes; a place that is down or refuses us keeps
 * nobody from anything but the tier.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import type { ColdPlace } from "./cold-names.ts";
import { InFlight } from "./in-flight.ts";
import { LineageWatch } from "./lineage-watch.ts";
import { LogFollower } from "./log-follower.ts";
import { ManifestWriter } from "./manifest-writer.ts";
import { Offloader } from "./offloader.ts";
import type { ForecastFacts, ForecastPolicy } from "./policy-forecast.ts";
import { Residence } from "./residence.ts";
import { SegmentUploader } from "./segment-uploader.ts";
import type { RestorePoint } from "./restore-points.ts";
import { TailWriter } from "./tail-writer.ts";
import { gatherFacts } from "./tier-facts.ts";
import type { TierFront } from "./tier-front.ts";
import { TierLoop } from "./tier-loop.ts";
import { uploadedThrough } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";
import { TierPace } from "./tier-pace.ts";
import { TierPlanner } from "./tier-planner.ts";
import { RECALL_HEAT_MIN, policySettings } from "./tier-settings.ts";
import type { ColdTierSettings } from "./tier-settings.ts";
import type { TierStatus } from "./tier-status.ts";

export type ColdTierParts = {
  readonly front: TierFront;
  readonly settings: ColdTierSettings;
  readonly node: TierNode;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A broken invariant: the process has to end. */
  readonly onFatal: (error: unknown) => void;
};

/** A place that is fine is not asked; one that was not is asked so often whether it is again. */
const CHECK_EVERY_MS = 5000;

export class ColdTier {
  readonly #parts: ColdTierParts;
  readonly #planner: TierPlanner;
  readonly #offloader: Offloader;
  readonly #residence: Residence;
  readonly #lineage: LineageWatch;
  readonly #tails: TailWriter;
  readonly #follower: LogFollower;
  readonly #inFlight = new InFlight();
  readonly #abort = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor(parts: ColdTierParts) {
    this.#parts = parts;
    const { front, settings, node, disk, clock, logger } = parts;
    const { store, health, heat } = front;
    const pace = new TierPace(clock, settings.budget);
    const common = { node, store, disk, clock, logger, health, pace };
    this.#planner = new TierPlanner({
      ...common,
      heat,
      isPinned: () => false,
      coldSnapshotIndex: () => this.#coldSnapshotIndex,
      settings: () =>
        policySettings(settings, { hotBytes: node.local.fileBytes, freeBytes: node.freeBytes() }),
    });
    const { verify } = settings;
    const writing = { ...common, inFlight: this.#inFlight, verify };
    const uploader = new SegmentUploader(writing);
    const inOrder = settings.recoveryPointMs !== undefined;
    const planner = this.#planner;
    const lineage = new LineageWatch({ ...common, place: node.place });
    const isReached = (): boolean => this.#isReached;
    const mayWrite = (): boolean => isReached() && lineage.mayWrite;
    const offloader = new Offloader({ ...common, planner, uploader, mayWrite, inOrder });
    const tails = new TailWriter(writing);
    const manifests = new ManifestWriter({ ...writing, lineage, offloader, tails, isFollowed: inOrder });
    this.#lineage = lineage;
    this.#offloader = offloader;
    this.#tails = tails;
    this.#follower = new LogFollower({ ...common, settings, lineage, tails, manifests, isReached });
    this.#residence = new Residence({ ...common, planner });
    front.mendWith((id) => this.#residence.mend(id));
    if (inOrder) front.follow(() => uploadedThrough(node.segments.all, this.#coldSnapshotIndex));
  }

  /** Of the newest restore point. */
  get #coldSnapshotIndex(): number {
    return this.#follower.newest?.snapshotIndex ?? 0;
  }

  start(): this {
    const { signal } = this.#abort;
    this.#add(this.#probe(signal));
    this.#add(this.#offloader.run(signal));
    this.#add(this.#residence.run(signal));
    this.#add(this.#follower.run(signal));
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
    return this.#inFlight.has(key);
  }

  /** Whether the place was ever heard of: a folder is made by its check, and a wrong place is not filled. */
  get #isReached(): boolean {
    return !this.#parts.front.health.has("unreached");
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
      if (await this.#residence.recall(id, signal)) recalled++;
    }
    return recalled;
  }

  /** What the policy looks at, for a dry run of another one. */
  async policyFacts(): Promise<ForecastFacts> {
    return await gatherFacts(this.#planner, this.#parts.clock);
  }

  /** The policy as it would be with other settings. */
  policyWith(changes: Partial<ColdTierSettings>): ForecastPolicy {
    const { node } = this.#parts;
    const settings = { ...this.#parts.settings, ...changes };
    const disk = { hotBytes: node.local.fileBytes, freeBytes: node.freeBytes() };
    return { tier: policySettings(settings, disk), recoveryPointMs: settings.recoveryPointMs };
  }

  /** A restore point of now, and all that it names, in the bucket; before the loops run, too. */
  async writeManifest({
    signal = this.#abort.signal,
  }: { readonly signal?: AbortSignal } = {}): Promise<RestorePoint> {
    return await this.#follower.writeManifest({ minIndex: "none", signal });
  }

  get status(): TierStatus {
    const { front, node, clock } = this.#parts;
    const { health } = front;
    const { reason } = health;
    let [coldSegments, coldBytes, coldOnlySegments] = [0, 0, 0];
    for (const { id, cold } of node.segments.all) {
      if (cold === undefined) continue;
      coldSegments++;
      coldBytes += cold.bytes;
      if (node.local.bytesOf(id) === 0) coldOnlySegments++;
    }
    const { uploaded, lastUploadMs } = this.#offloader;
    const { counts, stuckBytes } = this.#residence;
    const { pointAtMs } = this.#follower;
    const { segments: pendingSegments, bytes: pendingBytes } = this.#planner.pending;
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
      stuckBytes,
      recoveryPointSeconds: Math.ceil(this.#follower.lagMs / 1000),
      coveredIndex: this.#follower.covered,
      tails: this.#tails.count,
      restorePointIndex: this.#follower.newest?.index ?? 0,
      ...(pointAtMs === undefined ? {} : { lastManifestSecondsAgo: agoOf(pointAtMs) }),
      ...(this.#lineage.heir === undefined ? {} : { supersededBy: this.#lineage.heir }),
      ...(lastUploadMs === undefined ? {} : { lastUploadSecondsAgo: agoOf(lastUploadMs) }),
    };
  }

  /** Ends every loop; what is under way is given up. The store stays open. Closing twice is harmless. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
  }
}
