/**
 * An object of one tebibyte in a thousand parts is deleted and reaped while the event loop goes on: no turn
 * of it has work for 5 ms. Its rows are made directly, a million extents; nothing reads their bytes.
 */
import { expect, test } from "vitest";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { IndexStore } from "../../src/ports/index-store.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { keys } from "../../src/state/keys.ts";
import { EXTENTS_PER_ROW, packExtent, rows } from "../../src/state/rows.ts";
import { storedObject } from "../../src/state/stored-object.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";

const MIB = 1024 * 1024;
const PARTS = 1000;
const EXTENTS = 1049;
const PART_BYTES = EXTENTS * MIB;
const TURN_MS_MAX = 5;
const TURN_BYTES_MAX = 256 * 1024;
/** A row without a value costs something too. */
const ROW_BYTES_MIN = 100;

/** The system's clock, which the test may put ahead. */
function clockAhead(): { readonly clock: Clock; aheadMs: number } {
  const world = {
    aheadMs: 0,
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + world.aheadMs },
  };
  return world;
}

/** All in segment 1, as parts of an upload that was completed. */
function makeObject({ node }: OpenStore): void {
  const { index, state } = node;
  const birthIndex = 1;
  const extent = { index: birthIndex, recordOffset: 64, bodyStart: 40, length: MIB };
  const page = (count: number) => Array.from({ length: count }, () => packExtent(extent)).flat();
  const full = rows.bodyExtents.encode({ extents: page(EXTENTS_PER_ROW) });
  const last = rows.bodyExtents.encode({ extents: page(EXTENTS % EXTENTS_PER_ROW) });
  const body = { refs: 1, size: PART_BYTES, extentCount: EXTENTS, extents: page(EXTENTS_PER_ROW) };
  const bodyRow = rows.body.encode(body);
  const pages = Math.ceil(EXTENTS / EXTENTS_PER_ROW);
  for (let part = 1; part <= PARTS; part++) {
    const bodyId = `large-${part}`;
    index.put(keys.body(bodyId), bodyRow);
    for (let at = 1; at < pages; at++) index.put(keys.bodyExtents(bodyId, at), at < pages - 1 ? full : last);
    const stored = { kind: "stored" as const, bodyId };
    const named = {
      size: PART_BYTES,
      etag: "e",
      modifiedMs: 1,
      checksum: undefined,
      body: stored,
      birthIndex,
    };
    index.put(keys.part("large", part), rows.part.encode(named));
  }
  state.segments.addLive(birthIndex, PARTS * PART_BYTES);
  const size = PARTS * PART_BYTES;
  const runs = [{ firstPart: 1, count: PARTS, size: PART_BYTES }];
  const bucket = state.buckets.find("bucket");
  if (bucket === undefined) throw new Error("no bucket");
  const upload = {
    bucketId: bucket.row.id,
    key: "large",
    owner: "root",
    initiatedMs: 1,
    attributes: NO_ATTRIBUTES,
    checksum: undefined,
    revision: PARTS,
    partCount: PARTS,
    lastTimeMs: 1,
    completed: { etag: "e-1000", size, checksum: undefined, refs: 1, runs },
  };
  index.put(keys.upload("large"), rows.upload.encode(upload));
  const row = {
    modifiedMs: 1,
    size,
    etag: "e-1000",
    hasDetail: false,
    hasVersionId: false,
    tagCount: 0,
    birthIndex,
    birthSub: 0,
    body: { kind: "parts" as const, uploadId: "large" },
    attributes: NO_ATTRIBUTES,
  };
  index.putObject(bucket.objectPrefix, "large", storedObject(row, NO_ATTRIBUTES, { bytes: undefined, runs }));
  state.buckets.count(bucket, 1, size);
}

/** What was done of one kind of work, in turns of the loop in which there was some. */
class Work {
  #bytes = 0;
  #total = 0;
  #largest = 0;
  #workedMs = 0;

  readonly count = (key: string, value: Uint8Array | undefined): void => {
    this.#bytes += ROW_BYTES_MIN + key.length + (value?.length ?? 0);
  };

  turn(workedMs: number): void {
    if (this.#bytes === 0) return;
    this.#workedMs += workedMs;
    this.#total += this.#bytes;
    this.#largest = Math.max(this.#largest, this.#bytes);
    this.#bytes = 0;
  }

  forget(): void {
    this.#bytes = 0;
  }

  /** Of one turn. */
  get most(): { readonly bytes: number; readonly ms: number } {
    return { bytes: this.#largest, ms: (this.#workedMs / this.#total) * this.#largest };
  }
}

/**
 * How much is done in a turn of the loop: bytes of rows that apply reads and writes, and that are put into
 * batches. Other programs take the clock, and a collection of garbage falls into any turn; what a byte costs
 * over all of them, and how many fall into one turn, depends on the code alone.
 */
class Turns {
  readonly applied = new Work();
  readonly flushed = new Work();

  watch({ node: { index } }: OpenStore): void {
    const { count } = this.applied;
    const get = index.get.bind(index);
    const put = index.put.bind(index);
    const remove = index.delete.bind(index);
    index.get = (key) => {
      const value = get(key);
      count(key, value);
      return value;
    };
    index.put = (key, value) => {
      count(key, value);
      put(key, value);
    };
    index.delete = (key) => {
      count(key, undefined);
      remove(key);
    };
  }

  watched(store: IndexStore): IndexStore {
    const { count } = this.flushed;
    const batch = store.batch.bind(store);
    store.batch = () => {
      const made = batch();
      return {
        ...made,
        put: (key, value) => {
          count(key, value);
          made.put(key, value);
        },
        delete: (key) => {
          count(key, undefined);
          made.delete(key);
        },
      };
    };
    return store;
  }

  async until(done: () => boolean): Promise<void> {
    this.applied.forget();
    this.flushed.forget();
    while (!done()) {
      const before = process.threadCpuUsage();
      await new Promise((resolve) => setImmediate(resolve));
      const after = process.threadCpuUsage();
      const workedMs = (after.user - before.user + after.system - before.system) / 1000;
      this.applied.turn(workedMs);
      this.flushed.turn(workedMs);
    }
  }
}

test("deleting an object of 1 TiB never blocks the loop for 5 ms", { timeout: 240_000 }, async () => {
  await using directory = await temporaryDirectory();
  const world = clockAhead();
  const startMs = performance.now();
  const turns = new Turns();
  const openIndexStore = async (path: string) => turns.watched(await LevelIndexStore.open(path));
  const options = { clock: world.clock, openIndexStore };
  await using store = await openStore(`${directory.path}/data`, options);
  const { service, node } = store;
  await service.buckets.create({ name: "bucket", owner: "root", location: "" });
  makeObject(store);
  await service.buckets.create({ name: "flushes-what-was-made", owner: "root", location: "" });
  await node.index.flushedThrough(node.index.appliedIndex);
  const found = await service.objects.find("bucket/large");
  expect(found?.size).toBeGreaterThan(2 ** 40);
  const { liveBytes } = service.status();
  expect(liveBytes).toBeGreaterThan(2 ** 40);
  turns.watch(store);
  const isDone = (): boolean => {
    const passedMs = performance.now() - startMs;
    world.aheadMs = Math.max(world.aheadMs, passedMs * 20);
    return service.status().liveBytes === 0 || passedMs > 200_000;
  };
  const name = { bucket: "bucket", key: "large", condition: { kind: "none" } as const };
  const deleting = service.objects.delete(name);
  await turns.until(isDone);
  expect(await deleting).toMatchObject({ kind: "deleted" });
  expect(service.status().liveBytes).toBe(0);
  const { applied, flushed } = turns;
  for (const { most } of [applied, flushed]) expect(most.bytes).toBeGreaterThan(1000);
  expect(applied.most.bytes + flushed.most.bytes).toBeLessThan(TURN_BYTES_MAX);
  expect(applied.most.ms + flushed.most.ms).toBeLessThan(TURN_MS_MAX);
});
