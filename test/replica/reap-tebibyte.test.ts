/**
 * An object of one tebibyte in a thousand parts is deleted and reaped while the event loop goes on: no turn
 * of it works for 5 ms. Its rows are made directly, a million extents; nothing reads their bytes.
 */
import { expect, test } from "vitest";
import { systemClock } from "../../src/adapters/system-clock.ts";
import type { Clock } from "../../src/ports/clock.ts";
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

/**
 * Milliseconds of each long turn of the loop, until `done`: by the clock and on the processor, whichever is
 * less, because other programs take the one and the system counts the other in steps of some milliseconds.
 */
async function longTurns(done: () => boolean): Promise<readonly number[]> {
  const long: number[] = [];
  const usedMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  while (!done()) {
    const startMs = performance.now();
    const before = usedMs();
    await new Promise((resolve) => setImmediate(resolve));
    const turnMs = Math.min(performance.now() - startMs, usedMs() - before);
    if (turnMs >= TURN_MS_MAX) long.push(turnMs);
  }
  return long;
}

/** A collection of garbage may fall into one run; what the code does falls into each. */
const options = { timeout: 240_000, retry: 4 };

test("deleting an object of 1 TiB never blocks the loop for 5 ms", options, async () => {
  await using directory = await temporaryDirectory();
  const world = clockAhead();
  await using store = await openStore(`${directory.path}/data`, { clock: world.clock });
  const { service, node } = store;
  await service.buckets.create({ name: "bucket", owner: "root", location: "" });
  makeObject(store);
  await service.buckets.create({ name: "flushes-what-was-made", owner: "root", location: "" });
  await node.index.flushedThrough(node.index.appliedIndex);
  const found = await service.objects.find("bucket/large");
  expect(found?.size).toBeGreaterThan(2 ** 40);
  const { liveBytes } = service.status();
  const name = { bucket: "bucket", key: "large", condition: { kind: "none" } as const };
  expect(await service.objects.delete(name)).toMatchObject({ kind: "deleted" });
  world.aheadMs = 11_000;
  const start = performance.now();
  const long = await longTurns(() => {
    world.aheadMs = Math.max(world.aheadMs, 11_000 + (performance.now() - start) * 20);
    return service.status().liveBytes === 0 || performance.now() - start > 200_000;
  });
  expect(service.status().liveBytes).toBe(0);
  expect(liveBytes).toBeGreaterThan(2 ** 40);
  expect(long).toEqual([]);
});
