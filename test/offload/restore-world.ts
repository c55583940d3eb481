/**
 * A store on one simulated disk, a bucket, and fresh disks to restore onto. What goes to the bucket goes
 * there when a test says so, by the formats alone: segments, a snapshot in parts, tails, manifests.
 */
import { finishAtOnce } from "../../src/base/steps.ts";
import { coldKey } from "../../src/offload/cold-names.ts";
import type { ColdPlace } from "../../src/offload/cold-names.ts";
import { ColdTier } from "../../src/offload/cold-tier.ts";
import { encodeManifest } from "../../src/offload/manifest-format.ts";
import type { Manifest, ManifestSegment, ManifestSnapshot } from "../../src/offload/manifest.ts";
import { restore } from "../../src/offload/restore.ts";
import type { RestoreOptions, RestoreResult } from "../../src/offload/restore.ts";
import type { RestoreWish } from "../../src/offload/restore-plan.ts";
import { TierFront } from "../../src/offload/tier-front.ts";
import type { ColdStore } from "../../src/ports/cold-store.ts";
import { writeRestoredNode } from "../../src/replica/node-file.ts";
import type { StorageNode, StorageNodeOptions } from "../../src/replica/storage-node.ts";
import { RECORD_HEADER_BYTES, readRecordHeader, recordBytes } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../../src/segment/segment-head.ts";
import { encodeTail } from "../../src/segment/tail-format.ts";
import { keys } from "../../src/state/keys.ts";
import { rows } from "../../src/state/rows.ts";
import type { SegmentEntry } from "../../src/state/segment-table.ts";
import { goOnFromRestore, tierNodeOf } from "../../src/start-cold-tier.ts";
import { SegmentFiles } from "../../src/store/segment-files.ts";
import { SimWorld } from "../crash/sim-world.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SIM_DIRECTORY, openSimStore } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { silentLogger, spaceSettings } from "../support/open-store.ts";
import { contentsOf, load } from "./restore-load.ts";
import { tierSettings } from "./tier-world.ts";

export const SEGMENT_BYTES = 16 * 1024;
export const NEWEST: RestoreWish = { target: { kind: "newest" }, acceptGap: false };

export class RestoreWorld {
  readonly machine = new SimWorld();
  readonly objects = new Map<string, SimColdObject>();
  options: Partial<StorageNodeOptions> = {};

  get oldDisk(): SimDisk {
    return this.machine.disk;
  }

  newDisk(): SimDisk {
    return new SimDisk({ latency: () => this.machine.clock.sleep(this.machine.latencyMs) });
  }

  coldOn(disk: SimDisk): SimColdStore {
    return new SimColdStore({ disk, clock: this.machine.clock, objects: this.objects });
  }

  run<Result>(work: Promise<Result>): Promise<Result> {
    return this.machine.clock.run(work);
  }

  async open(disk: SimDisk = this.oldDisk, changes: Partial<StorageNodeOptions> = {}): Promise<SimStore> {
    return await this.run(this.openSoon(disk, changes));
  }

  openSoon(disk: SimDisk, changes: Partial<StorageNodeOptions> = {}): Promise<SimStore> {
    const { clock, random } = this.machine;
    return openSimStore(
      { disk, clock, random },
      {
        segmentBytes: SEGMENT_BYTES,
        space: spaceSettings({
          snapshotEntriesMin: 20,
          entriesKept: 5,
          snapshotLogBytes: 4 * SEGMENT_BYTES,
          livePercentMin: 0,
        }),
        cold: this.coldOn(disk),
        ...this.options,
        ...changes,
      },
    );
  }

  async close({ node }: SimStore): Promise<void> {
    await this.run(node.close());
  }

  /** Onto a disk of its own. */
  restore(
    disk: SimDisk,
    wish: RestoreWish = NEWEST,
    changes: Partial<RestoreOptions> = {},
  ): Promise<RestoreResult> {
    return this.run(this.restoreSoon(disk, wish, changes));
  }

  async restoreSoon(
    disk: SimDisk,
    wish: RestoreWish = NEWEST,
    changes: Partial<RestoreOptions> = {},
  ): Promise<RestoreResult> {
    const { clock, random } = this.machine;
    return await restore({
      store: this.coldOn(disk),
      disk,
      clock,
      random,
      directory: SIM_DIRECTORY,
      nodeId: "n1",
      wish,
      tell: () => undefined,
      commit: (node) => writeRestoredNode(disk, SIM_DIRECTORY, node),
      ...changes,
    });
  }

  /** What the first start does before it serves; nothing if that was done. */
  async begin(store: SimStore, disk: SimDisk): Promise<void> {
    await this.run(this.beginSoon(store, disk));
  }

  async beginSoon(
    { node, fatal }: SimStore,
    disk: SimDisk,
    changes: { readonly cold?: ColdStore } = {},
  ): Promise<void> {
    const { clock } = this.machine;
    const settings = tierSettings();
    const logger = silentLogger;
    const front = new TierFront(changes.cold ?? this.coldOn(disk), settings, { clock, logger });
    const onFatal = (error: unknown): void => void fatal.push(error);
    const tier = new ColdTier({ front, settings, node: tierNodeOf(node), disk, clock, logger, onFatal });
    await goOnFromRestore(node, tier, { disk, directory: SIM_DIRECTORY, logger });
  }

  /** Restored onto a fresh disk and started; the old one may still be open. */
  async revived(
    wish: RestoreWish = NEWEST,
    changes: Partial<RestoreOptions> = {},
  ): Promise<{ readonly store: SimStore; readonly disk: SimDisk }> {
    const disk = this.newDisk();
    await this.restore(disk, wish, changes);
    const { nodeId = "n1" } = changes;
    const store = await this.open(disk, { nodeId });
    await this.begin(store, disk);
    return { store, disk };
  }

  /** A store that was lost: snapshot, segments behind it, a tail. And what was in it. */
  async lost(seed = "lost"): Promise<unknown> {
    const old = await this.open();
    const bucket = new Bucket(this, old);
    await this.run(load(old, { seed, steps: 150 }));
    await bucket.run((to) => to.everything());
    await this.run(load(old, { seed: `${seed} on`, steps: 60 }));
    await bucket.run((to) => to.segments());
    await bucket.run((to) => to.tail());
    const contents = await this.run(contentsOf(old));
    await this.close(old);
    return contents;
  }

  keysOf(folder: "segments" | "snapshots" | "tail" | "manifest"): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.split("/")[2] === folder).toSorted();
  }
}

export function placeOf({ node }: StorageNode): ColdPlace {
  return { cluster: node.clusterId, lineage: node.lineage };
}

export function lineageRow({ index }: StorageNode): ReturnType<typeof rows.lineage.decode> | undefined {
  const row = index.get(keys.meta("lineage"));
  return row === undefined ? undefined : rows.lineage.decode(row);
}

/** What one node puts into the bucket. */
export class Bucket {
  readonly #world: RestoreWorld;
  readonly #node: StorageNode;
  readonly #disk: SimDisk;
  readonly #cold: ColdStore;
  /** Entries up to here are in tails. */
  #tailIndex = 0;
  #snapshot: ManifestSnapshot | undefined;

  constructor(
    world: RestoreWorld,
    { node }: SimStore,
    disk: SimDisk = world.oldDisk,
    cold: ColdStore = world.coldOn(disk),
  ) {
    this.#world = world;
    this.#node = node;
    this.#disk = disk;
    this.#cold = cold;
  }

  get #incarnation(): string {
    return this.#node.incarnation;
  }

  /** Sealed segments that have no copy, and the entries that say so. */
  async segments(): Promise<void> {
    for (const segment of this.#node.state.segments.all) {
      if (segment.cut && segment.cold === undefined) await this.#segment(segment);
    }
  }

  async #segment({ id, firstIndex, entries }: SegmentEntry): Promise<void> {
    const range = { first: firstIndex, last: firstIndex + entries - 1 };
    const key = coldKey(placeOf(this.#node), { kind: "segment", ...range });
    const stored = await this.#node.local.withFile(id, ({ path }) =>
      this.#cold.putFile(key, path, { kind: "segment" }),
    );
    if (stored === undefined) return;
    const copy = { kind: "verbatim", key, ...stored } as const;
    await this.#node.replica.propose({ kind: "segmentOffloaded", segmentId: id, firstIndex, entries, copy });
  }

  /** In two parts, as large ones are. */
  async snapshot(minIndex = 0): Promise<void> {
    const { node } = { node: this.#node };
    await node.local.withSnapshot(minIndex, async ({ path, index }) => {
      const bytes = Buffer.from((await this.#disk.readFile(path)) ?? []);
      const name = { index, term: node.replica.term, incarnation: this.#incarnation };
      const half = Math.ceil(bytes.length / 2);
      const parts = [];
      for (const [at, piece] of [bytes.subarray(0, half), bytes.subarray(half)].entries()) {
        const key = coldKey(placeOf(node), { kind: "snapshot", ...name, part: at + 1 });
        parts.push({ key, ...(await this.#cold.put(key, piece, { kind: "snapshot" })) });
      }
      this.#snapshot = { ...name, parts };
    });
  }

  /** What was applied of the open segment since the last tail. */
  async tail(): Promise<void> {
    const { index, state } = this.#node;
    const open = state.segments.all.at(-1);
    if (open === undefined || open.cut) return;
    const first = Math.max(open.firstIndex, this.#tailIndex + 1);
    const records = await recordsOf(this.#disk, open, { first, last: index.appliedIndex });
    if (records === undefined) return;
    const { lineage } = placeOf(this.#node);
    const owner = { lineage, segmentId: open.id, segmentFirstIndex: open.firstIndex };
    const { facts, body } = finishAtOnce(
      encodeTail({ ...owner, commitIndex: this.#node.replica.commitIndex }, [records]),
    );
    const name = { kind: "tail", segment: open.id, first: facts.first, last: facts.last } as const;
    await this.#cold.put(coldKey(placeOf(this.#node), name), body, { kind: "tail" });
    this.#tailIndex = facts.last;
  }

  /** Of what is in the bucket by now: call `tail` right before. */
  async manifest(): Promise<string> {
    const manifest = this.#describe();
    const { index, term, incarnation } = manifest;
    const key = coldKey(placeOf(this.#node), { kind: "manifest", index, term, incarnation });
    await this.#cold.put(key, finishAtOnce(encodeManifest(manifest)), { kind: "manifest" });
    return key;
  }

  /** All that a restore needs up to now. */
  async everything(): Promise<string> {
    await this.segments();
    await this.snapshot(this.#snapshot?.index ?? 0);
    await this.tail();
    return await this.manifest();
  }

  /** The same while the clock is driven. */
  run(work: (bucket: Bucket) => Promise<unknown>): Promise<unknown> {
    return this.#world.run(work(this));
  }

  #describe(): Manifest {
    const { state, index, replica, node } = this.#node;
    const row = lineageRow(this.#node);
    const isOwn = row !== undefined && row.lineage === node.lineage;
    const at = index.appliedIndex;
    const from = (this.#snapshot?.index ?? 0) + 1;
    const segments: ManifestSegment[] = [];
    let before = { low: 0, high: 0 };
    for (const segment of state.segments.all) {
      const chainBefore = segment.chainBefore ?? before;
      before = { low: segment.chainLow, high: segment.chainHigh };
      const last = segment.firstIndex + segment.entries - 1;
      if (segment.liveBytes === 0 && last < from && last !== at) continue;
      const copy = segment.cold;
      const { id, cut: sealed, firstIndex: first } = segment;
      segments.push({ id, first, last, sealed, chainBefore, chainAfter: before, copy });
    }
    return {
      ...placeOf(this.#node),
      index: at,
      term: replica.term,
      incarnation: this.#incarnation,
      parent: isOwn ? { lineage: row.parent, cutIndex: row.cutIndex } : undefined,
      dateMs: state.dates.at(state.logTimeMs),
      logTimeMs: state.logTimeMs,
      segmentBytes: node.segmentBytes,
      membership: { voters: [node.nodeId], learners: [] },
      snapshot: this.#snapshot,
      segments,
    };
  }
}

/** Those records as they stand in the segment's file; `undefined` if there are none. */
async function recordsOf(
  disk: SimDisk,
  { id, firstIndex }: SegmentEntry,
  wanted: { readonly first: number; readonly last: number },
): Promise<Buffer | undefined> {
  if (wanted.first > wanted.last) return undefined;
  const path = new SegmentFiles(disk, `${SIM_DIRECTORY}/log`).path(id);
  const bytes = Buffer.from((await disk.readFile(path)) ?? []);
  let start = 0;
  let offset = SEGMENT_HEAD_BYTES;
  for (let index = firstIndex; index <= wanted.last; index++) {
    if (index === wanted.first) start = offset;
    const header = readRecordHeader(bytes.subarray(offset, offset + RECORD_HEADER_BYTES), 0);
    if (header?.index !== index) throw new Error(`entry ${index} is not at ${offset} of ${path}`);
    offset += recordBytes(header.payloadBytes);
  }
  return bytes.subarray(start, offset);
}
