/**
 * A restore from the bucket alone, onto a fresh directory, offline. It writes what a start expects whose
 * index is lost: the snapshot, the floor below the segment in which it ends, the log from there on; bodies
 * below stay cold. It only reads the bucket. What is still to be said to the state is left in a file for the
 * first start; node.json comes last, and a directory without it is no data directory.
 *
 * Nothing is remembered of how far it got: each step makes right what it finds, so it may die anywhere and be
 * called again. An object that turns out damaged is left out of the next plan.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { Random } from "../ports/random.ts";
import type { Restored, RestoredCopy } from "../store/restored-file.ts";
import { SegmentFiles } from "../store/segment-files.ts";
import { coldKey } from "./cold-names.ts";
import type { EntryRange } from "./cold-names.ts";
import { endAtSnapshot, endsBeforeSnapshot } from "./end-at-snapshot.ts";
import { DamagedObjectError, digestOfObject } from "./fetch-object.ts";
import type { FetchParts } from "./fetch-object.ts";
import { findPlan, openBucket } from "./find-plan.ts";
import type { Manifest } from "./manifest.ts";
import { leaveForStart, requireRoom, takeDirectory } from "./restore-directory.ts";
import type { RestoredNode } from "./restore-directory.ts";
import { fetchLog } from "./restore-log.ts";
import type { FetchedLog } from "./restore-log.ts";
import { RestoreRefusedError, outlineOf } from "./restore-outline.ts";
import type { RestoreOutline } from "./restore-outline.ts";
import type { RestorePlan, RestoreWish } from "./restore-plan.ts";
import { newIdentity, readProgress, writeProgress } from "./restore-progress.ts";
import type { RestoreIdentity } from "./restore-progress.ts";
import { logWorkOf } from "./restore-segments.ts";
import type { LogWork } from "./restore-segments.ts";
import { fetchSnapshot } from "./restore-snapshot.ts";

export type RestoreOptions = {
  readonly store: ColdStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly directory: string;
  readonly nodeId: string;
  readonly wish: RestoreWish;
  readonly cluster?: string | undefined;
  /** Names in the directory that are somebody else's and may stay. */
  readonly spared?: readonly string[];
  readonly tell: (news: RestoreNews) => void;
  /** Writes node.json, which makes it a data directory. */
  readonly commit: (node: RestoredNode) => Promise<void>;
  readonly signal?: AbortSignal;
};

export type RestoreNews =
  | { readonly kind: "planned"; readonly plan: RestorePlan; readonly outline: RestoreOutline }
  | { readonly kind: "arrived"; readonly bytes: number; readonly objects: number }
  /** Left out of the plan, which is made again. */
  | { readonly kind: "damaged"; readonly key: string; readonly reason: string };

export type RestoreResult =
  | {
      readonly kind: "restored";
      readonly identity: RestoreIdentity;
      readonly plan: RestorePlan;
      readonly outline: RestoreOutline;
      /** The last entry, and when users saw it written. */
      readonly recoveryPoint: { readonly index: number; readonly dateMs: number };
      /** What these entries brought cannot be read, which was accepted. */
      readonly lostBodies: readonly EntryRange[];
    }
  /** By an earlier call, which was ended before it could say so. */
  | { readonly kind: "finished" };

/** What it would do. Touches nothing. */
export async function planOnly(
  options: Pick<RestoreOptions, "store" | "clock" | "wish" | "cluster">,
): Promise<{ readonly plan: RestorePlan; readonly outline: RestoreOutline }> {
  const { cluster, wish, store } = options;
  const reader = await openBucket(options, { cluster });
  const plan = await findPlan(reader, wish);
  if (plan.kind === "refused") throw new RestoreRefusedError(plan);
  return { plan, outline: outlineOf(plan, { from: store.place, cluster: reader.cluster }) };
}

export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const taken = await takeDirectory(options);
  if (taken.kind === "finished") return taken;
  try {
    const damages = new Map<string, string>();
    for (;;) {
      try {
        return await attempt(options, damages);
      } catch (error) {
        // The same object twice: nothing would be different the next time.
        if (!(error instanceof DamagedObjectError) || damages.has(error.key)) throw error;
        damages.set(error.key, error.reason);
        options.tell({ kind: "damaged", key: error.key, reason: error.reason });
      }
    }
  } finally {
    await taken.release();
  }
}

async function attempt(
  options: RestoreOptions,
  damages: ReadonlyMap<string, string>,
): Promise<RestoreResult> {
  const { store, clock, disk, directory, nodeId } = options;
  const begun = await readProgress(disk, directory);
  const reader = await openBucket(options, { cluster: options.cluster ?? begun?.cluster });
  for (const [key, reason] of damages) reader.damaged(key, reason);
  const plan = await findPlan(reader, options.wish);
  if (plan.kind === "refused") throw new RestoreRefusedError(plan);
  const { cluster } = reader;
  const outline = outlineOf(plan, { from: store.place, cluster });
  options.tell({ kind: "planned", plan, outline });
  await requireRoom(options, outline.fetchBytes);
  const identity = begun ?? newIdentity(options.random, { from: store.place, cluster });
  await writeProgress(disk, directory, identity);
  const parts = fetchParts(options);
  const { work, timeRows, ended } = await beginWork({ ...parts, clock }, { directory, plan });
  const files = new SegmentFiles(disk, `${directory}/log`);
  const log = await fetchLog({ ...parts, clock, files }, { plan, work, timeRows });
  const { copies, lost } = await copiesOf(parts, { plan, log, ended });
  const gone = new Set(lost);
  const lostBodies = copies
    .filter(({ copy }) => gone.has(copy.key))
    .map(({ first, last }) => ({ first, last }));
  const { lineage, incarnation } = identity;
  const { segmentBytes, lineage: parent } = plan.manifest;
  await leaveForStart(options, {
    files,
    floor: work.floor,
    log,
    snapshotIndex: plan.manifest.snapshot?.index,
    restored: { lineage, parent, cutIndex: log.lastIndex, from: store.place, copies, lost },
    term: Math.max(log.lastTerm, plan.manifest.term),
    node: { clusterId: cluster, lineage, nodeId, incarnation, segmentBytes },
  });
  const recoveryPoint = { index: log.lastIndex, dateMs: dateOf(plan.manifest, log) };
  return { kind: "restored", identity, plan, outline, recoveryPoint, lostBodies };
}

/** The snapshot, and what is left to be fetched behind it. */
async function beginWork(
  parts: FetchParts & { readonly clock: Clock },
  { directory, plan }: { readonly directory: string; readonly plan: RestorePlan },
): Promise<{
  readonly work: LogWork;
  readonly timeRows: ReadonlyMap<string, Uint8Array>;
  /** The segment that ends with the snapshot because its records are gone. */
  readonly ended: EntryRange | undefined;
}> {
  const work = logWorkOf(plan);
  const { info, timeRows } = await fetchSnapshot(parts, { directory, plan, floor: work.floor });
  if (info === undefined || !endsBeforeSnapshot(plan, work.floor)) {
    return { work, timeRows, ended: undefined };
  }
  const { floor, first } = await endAtSnapshot(parts, info, timeRows);
  return { work: { ...work, floor, log: [] }, timeRows, ended: { first, last: floor.lastIndex } };
}

function fetchParts({ store, disk, signal, tell }: RestoreOptions): FetchParts {
  const total = { bytes: 0, objects: 0 };
  return {
    store,
    disk,
    signal,
    arrived: (bytes) => {
      total.bytes += bytes;
      tell({ kind: "arrived", ...total });
    },
    finished: (objects) => {
      total.objects += objects;
      tell({ kind: "arrived", ...total });
    },
  };
}

/** By the clock that the manifest was written with; a second or so off where it was put right later. */
function dateOf({ dateMs, logTimeMs }: Manifest, log: FetchedLog): number {
  return dateMs + Math.max(0, log.logTimeMs - logTimeMs);
}

/** Where each segment lies that ends at the last entry or before. */
async function copiesOf(
  parts: FetchParts,
  from: { readonly plan: RestorePlan; readonly log: FetchedLog; readonly ended: EntryRange | undefined },
): Promise<Pick<Restored, "copies" | "lost">> {
  const { plan, log, ended } = from;
  const { lastIndex, digests } = log;
  const copies: RestoredCopy[] = [];
  for (const { kind, key, bytes, first, last, ...found } of plan.cold) {
    if (last > lastIndex) continue;
    const known = found.sha256 ?? digests.get(key);
    const sha256 = known ?? (await digestOfObject(parts, { key, bytes, sha256: undefined }));
    copies.push({ first, last, copy: { kind, key, bytes, sha256 } });
  }
  const lost = lostCopies(plan, ended);
  const all = [...copies, ...lost].toSorted((a, b) => a.first - b.first);
  return { copies: all, lost: lost.map(({ copy }) => copy.key) };
}

/**
 * Segments whose bytes are gone, which was accepted, keep the name under which they should be: whoever reads
 * what is in them is told so.
 */
function lostCopies({ lost, manifest }: RestorePlan, ended: EntryRange | undefined): readonly RestoredCopy[] {
  const { cluster, lineage, segments } = manifest;
  // What is missing within the segment that was ended is missing with it.
  const others = ended === undefined ? lost : lost.filter(({ last }) => last < ended.first);
  return [...others, ...(ended === undefined ? [] : [ended])].map(({ first, last }) => {
    const segment = segments.find((other) => other.first === first && other.last === last);
    const key = coldKey({ cluster, lineage }, { kind: "segment", first, last });
    const nowhere = { kind: "verbatim", key, bytes: 1, sha256: "0".repeat(64) } as const;
    return { first, last, copy: segment?.copy ?? nowhere };
  });
}
