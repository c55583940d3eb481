/** The parts of a cold tier in operation, joined: who uploads, follows, frees, clears away and packs. */
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import type { AuditParts } from "./audit.ts";
import { Collector } from "./collector.ts";
import type { GarbageSettings } from "./garbage-plan.ts";
import { InFlight } from "./in-flight.ts";
import { LineageWatch } from "./lineage-watch.ts";
import { LogFollower } from "./log-follower.ts";
import { ManifestWriter } from "./manifest-writer.ts";
import { Offloader } from "./offloader.ts";
import { Packer } from "./packer.ts";
import { Pins } from "./pins.ts";
import { Residence } from "./residence.ts";
import { SegmentUploader } from "./segment-uploader.ts";
import { TailWriter } from "./tail-writer.ts";
import type { TierFront } from "./tier-front.ts";
import type { TierNode } from "./tier-node.ts";
import { TierPace } from "./tier-pace.ts";
import { TierPlanner } from "./tier-planner.ts";
import { policySettings } from "./tier-settings.ts";
import type { ColdTierSettings } from "./tier-settings.ts";

export type WorkParts = {
  readonly front: TierFront;
  readonly settings: ColdTierSettings;
  readonly node: TierNode;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
};

export type TierWorks = {
  readonly inFlight: InFlight;
  readonly lineage: LineageWatch;
  readonly planner: TierPlanner;
  readonly offloader: Offloader;
  readonly tails: TailWriter;
  readonly follower: LogFollower;
  readonly residence: Residence;
  readonly pins: Pins;
  readonly collector: Collector;
  readonly packer: Packer;
  /** For `tier audit`. */
  readonly audit: AuditParts;
};

/** For what nobody ever named: an upload that a crash cut short (RULES.md R21). */
const ORPHAN_GRACE_MS = 24 * 3_600_000;
const DELETIONS_MAX = 1000;

export function joinWorks({ front, settings, node, disk, clock, logger }: WorkParts): TierWorks {
  const { store, health, heat } = front;
  const { verify, livePercentMin } = settings;
  const pace = new TierPace(clock, settings.budget);
  const inFlight = new InFlight();
  const common = { node, store, disk, clock, logger, health, pace };
  const writing = { ...common, inFlight, verify };
  const isFollowed = settings.recoveryPointMs !== undefined;
  // Of a place that was never heard of nothing is known: a folder is made by its check.
  const isReached = (): boolean => !health.has("unreached");
  const pins = new Pins({ ...common, pins: settings.pins });
  const lineage = new LineageWatch(common);
  const planner: TierPlanner = new TierPlanner({
    ...common,
    heat,
    isPinned: pins.isPinned,
    coldSnapshotIndex: () => follower.newest?.snapshotIndex ?? 0,
    settings: () => policySettings(settings, { hotBytes: node.local.fileBytes, freeBytes: node.freeBytes() }),
  });
  const uploader = new SegmentUploader({ ...writing, isFollowed });
  const mayWrite = (): boolean => isReached() && lineage.mayWrite;
  const offloader = new Offloader({ ...common, planner, uploader, mayWrite, inOrder: isFollowed });
  const tails = new TailWriter(writing);
  const manifests = new ManifestWriter({ ...writing, lineage, offloader, tails, isFollowed });
  const follower = new LogFollower({ ...common, settings, lineage, tails, manifests, isReached });
  const residence = new Residence({ ...common, planner, mayFree: () => lineage.mayWrite });
  const garbage: GarbageSettings = {
    restoreWindowMs: settings.restoreWindowMs,
    graceMs: settings.graceMs,
    orphanGraceMs: Math.max(settings.graceMs, ORPHAN_GRACE_MS),
    deletionsMax: DELETIONS_MAX,
  };
  const { index } = node;
  const isInFlight = (key: string): boolean => inFlight.has(key);
  const collector = new Collector({ ...common, index, isInFlight, mayWrite, settings: garbage });
  const oldestSnapshotIndex = (): number => (mayWrite() ? collector.status.oldestSnapshotIndex : 0);
  const packer = new Packer({ ...writing, livePercentMin, oldestSnapshotIndex });
  const writeManifest = async (signal: AbortSignal): Promise<unknown> =>
    await follower.writeManifest({ minIndex: "none", signal });
  const audit = { ...writing, index, settings: garbage, uploader, packer, collector, writeManifest };
  return {
    inFlight,
    lineage,
    planner,
    offloader,
    tails,
    follower,
    residence,
    pins,
    collector,
    packer,
    audit,
  };
}
