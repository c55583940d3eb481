/**
 * Makes restore points: a snapshot of the index and the segments that it shows live, tails up to now, and
 * last the manifest that names them all, which is the moment at which a restore can begin there. Whatever
 * stops it half way leaves objects that nobody names, and the restore point before it as good as ever.
 */
import { BusyError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { coldKey } from "./cold-names.ts";
import type { Attempt } from "./cold-names.ts";
import type { InFlight } from "./in-flight.ts";
import type { LineageWatch } from "./lineage-watch.ts";
import { NO_SNAPSHOT, draftedSegments, isWhole, missingOn, takeDraft } from "./manifest-draft.ts";
import type { Draft, Ground } from "./manifest-draft.ts";
import { encodeManifest } from "./manifest-format.ts";
import { whatIsWrongWith } from "./manifest.ts";
import type { Manifest, ManifestSnapshot } from "./manifest.ts";
import type { Offloader } from "./offloader.ts";
import { restorePointOf } from "./restore-points.ts";
import type { RestorePoint } from "./restore-points.ts";
import { uploadSnapshot } from "./snapshot-uploader.ts";
import type { TailWriter } from "./tail-writer.ts";
import { lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";
import type { TierHealth } from "./tier-health.ts";
import type { TierPace } from "./tier-pace.ts";
import { readLineage } from "./tier-rows.ts";
import { END_BYTES, verifyCopy, verifyRequests } from "./verify-copy.ts";
import type { VerifyMode } from "./verify-copy.ts";

export type ManifestParts = {
  readonly node: TierNode;
  readonly store: ColdStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly pace: TierPace;
  readonly inFlight: InFlight;
  readonly logger: Logger;
  readonly verify: VerifyMode;
  readonly health?: Pick<TierHealth, "kept"> | undefined;
  readonly lineage: Pick<LineageWatch, "check" | "mayWrite">;
  readonly offloader: Pick<Offloader, "uploadAll">;
  readonly tails: Pick<TailWriter, "extend">;
  /** Whether the bucket goes on to hold what comes later. */
  readonly isFollowed: boolean;
};

/** On which snapshot: one of `minIndex` or later, or none while the log is whole from its first entry. */
export type ManifestHow = { readonly minIndex: number | "none"; readonly signal: AbortSignal };

type Attempting = {
  readonly attempt: Omit<Attempt, "index">;
  /** Told of each key before anything is put there. */
  readonly hold: (key: string) => void;
  readonly signal: AbortSignal;
};

type Snapshot = { readonly ground: Ground; readonly object: ManifestSnapshot | undefined };

export class ManifestWriter {
  readonly #parts: ManifestParts;
  readonly #alone = new Semaphore(1);
  #count = 0;

  constructor(parts: ManifestParts) {
    this.#parts = parts;
  }

  /** Whether a manifest needs no snapshot, because every entry there ever was can be replayed. */
  get isLogWhole(): boolean {
    const { segments, local } = this.#parts.node;
    return local.floorIndex === 0 && isWhole(segments.all);
  }

  /** Rejects with errors of the port, and with BusyError where it is not possible at this moment. */
  async write({ minIndex, signal }: ManifestHow): Promise<RestorePoint> {
    return await this.#alone.run(async () => {
      const { lineage, node, inFlight } = this.#parts;
      await lineage.check(signal);
      if (!lineage.mayWrite) throw new BusyError("another lineage goes on from this one");
      const held: string[] = [];
      const hold = (key: string): void => {
        inFlight.begin(key);
        held.push(key);
      };
      const how = { attempt: { term: node.term(), incarnation: this.#incarnation() }, hold, signal };
      try {
        const point =
          minIndex === "none" && this.isLogWhole
            ? await this.#finish({ ground: NO_SNAPSHOT, object: undefined }, how)
            : await this.#onSnapshot(minIndex === "none" ? 0 : minIndex, how);
        if (point === undefined) throw new BusyError("segments that a restore needs are not in the bucket");
        return point;
      } finally {
        for (const key of held) inFlight.end(key);
      }
    });
  }

  /** Where segments have gone that were live in the newest one, a new one is made. */
  async #onSnapshot(minIndex: number, how: Attempting): Promise<RestorePoint | undefined> {
    const { segments } = this.#parts.node;
    const found = await this.#onNewest(minIndex, how);
    if (found !== undefined) return found;
    const last = segments.all.at(-1);
    return await this.#onNewest(last === undefined ? 0 : lastOf(last), how);
  }

  async #onNewest(minIndex: number, how: Attempting): Promise<RestorePoint | undefined> {
    const { node } = this.#parts;
    return await node.local.withSnapshot(minIndex, async (snapshot) => {
      const live = snapshot.segments.filter(({ liveBytes }) => liveBytes > 0).map(({ id }) => id);
      // Their rows went with what was live in them, before they were uploaded perhaps.
      if (live.some((id) => node.segments.byId(id) === undefined)) return undefined;
      const object = await uploadSnapshot(this.#parts, snapshot, { place: node.place, ...how });
      return await this.#finish({ ground: { index: snapshot.index, liveIds: new Set(live) }, object }, how);
    });
  }

  /** The first one of a process has its name, further ones count. */
  #incarnation(): string {
    const { incarnation } = this.#parts.node;
    const count = ++this.#count;
    return count === 1 ? incarnation : `${incarnation}-${String(count).padStart(4, "0")}`;
  }

  /** `undefined` if the bucket has not got what it takes. */
  async #finish(
    { ground, object }: Snapshot,
    { attempt, hold, signal }: Attempting,
  ): Promise<RestorePoint | undefined> {
    const { node, offloader, tails, clock } = this.#parts;
    const missing = await finishInSteps(missingOn(ground, node.segments.all), clock);
    await offloader.uploadAll(missing, signal);
    const draft = await finishInSteps(takeDraft(node, ground), clock);
    if (draft === undefined) return undefined;
    if (draft.open !== undefined) await tails.extend(draft.open.end, signal);
    const manifest = await this.#compose(draft, { ...attempt, snapshot: object });
    await this.#requireOlderPacks(manifest);
    const { index, term, incarnation } = manifest;
    const key = coldKey(node.place, { kind: "manifest", index, term, incarnation });
    hold(key);
    await this.#put(key, manifest, signal);
    return restorePointOf(key, manifest);
  }

  /**
   * A packed copy lacks what was dead in the snapshot that it was packed by. If that is younger than what the
   * manifest covers, its rows may still name such bytes. Copies are told while a manifest is composed, so the
   * snapshots are asked for after it.
   */
  async #requireOlderPacks({ index, segments }: Manifest): Promise<void> {
    if (!segments.some(({ copy }) => copy?.kind === "packed")) return;
    const newest = await this.#parts.node.local.withSnapshot(0, async (snapshot) => snapshot.index);
    if (newest > index) throw new BusyError(`segments may have been packed as of entry ${newest}`);
  }

  async #compose(
    draft: Draft,
    head: Omit<Attempt, "index"> & { readonly snapshot: ManifestSnapshot | undefined },
  ): Promise<Manifest> {
    const { node, clock, isFollowed } = this.#parts;
    const { index, logTimeMs, dateMs } = draft;
    const row = await readLineage(node.index);
    const { parent, cutIndex = 0 } = row?.lineage === node.place.lineage ? row : {};
    const manifest: Manifest = {
      ...node.place,
      ...head,
      index,
      parent: parent === undefined ? undefined : { lineage: parent, cutIndex },
      ...(isFollowed ? {} : { isEnd: true }),
      logTimeMs,
      dateMs: Math.max(0, Math.floor(dateMs)),
      segmentBytes: node.segmentBytes,
      membership: { voters: node.voters, learners: [] },
      segments: await finishInSteps(draftedSegments(draft), clock),
    };
    // A restore would refuse it; what is hot has nothing to do with that.
    const wrong = await finishInSteps(whatIsWrongWith(manifest), clock);
    if (wrong !== undefined) throw new Error(`no manifest can be written: ${wrong}`);
    return manifest;
  }

  async #put(key: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
    const { store, clock, pace, verify, health, logger } = this.#parts;
    const body = await finishInSteps(encodeManifest(manifest), clock);
    const bytes = body.reduce((sum, { length }) => sum + length, 0);
    await pace.spend({ bytes, requests: 1 + verifyRequests(verify, bytes) }, signal);
    const stored = await store.put(key, body, { kind: "manifest", signal });
    const last = body.at(-1) ?? Buffer.alloc(0);
    const end = last.subarray(-END_BYTES);
    // All of it, whatever the setting: the floor and every restore go by it, and it is small.
    await verifyCopy(store, { ...stored, key, end }, { mode: "full", clock, signal, health });
    const { index, segments, snapshot } = manifest;
    logger.info("a restore point is in the cold tier", {
      index,
      snapshot: snapshot?.index ?? 0,
      segments: segments.length,
      bytes,
    });
  }
}
