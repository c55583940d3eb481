/**
 * Orders that no crash shows: within one entry, between a reader and the reaper, of the two slots of a vote.
 */
import { cp, readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import { verifyDirectory } from "../support/verify-directory.ts";
import { fillDirectory } from "./real-directory.ts";
import { md5 } from "./recorded-client.ts";
import { SimWorld } from "./sim-world.ts";

test("put, delete, put of one key in one entry leave the last put; put, delete leave nothing", async () => {
  const world = new SimWorld();
  const { service, node } = await world.openWithBucket();
  const put = (key: string, text: string) =>
    ({
      kind: "putObject",
      bucket: "b",
      key,
      etag: md5(Buffer.from(text)),
      attributes: NO_ATTRIBUTES,
      body: { kind: "bytes", bytes: Buffer.from(text), crc32c: 0 },
      condition: { kind: "none" },
    }) as const;
  const remove = (key: string) =>
    ({ kind: "deleteObject", bucket: "b", key, condition: { kind: "none" } }) as const;
  const commands = [put("a", "first"), remove("a"), put("a", "last"), put("c", "gone"), remove("c")];
  const results = await world.clock.run(node.replica.proposeTogether(commands));
  expect(results.map(({ kind }) => kind)).toEqual(["objectPut", "done", "objectPut", "objectPut", "done"]);
  const found = await service.objects.find("b/a");
  expect(Buffer.from(found?.bytes as Uint8Array).toString()).toBe("last");
  expect(await service.objects.find("b/c")).toBeUndefined();
  await world.clock.run(node.close());
});

test("an object that is replaced is read to its end by whoever had begun", async () => {
  const world = new SimWorld();
  const store = await world.openWithBucket({ segmentBytes: 256 * 1024 });
  const { service } = store;
  const bytes = world.bytes(400_000);
  const writer = service.objects.startBody();
  for (let at = 0; at < bytes.length; at += 50_000) {
    await world.clock.run(writer.write(Buffer.from(bytes.subarray(at, at + 50_000))));
  }
  await world.clock.run(
    service.objects.put({
      bucket: "b",
      key: "k",
      etag: md5(bytes),
      attributes: NO_ATTRIBUTES,
      body: { kind: "written", writer },
      condition: { kind: "none" },
    }),
  );
  const found = await service.objects.find("b/k");
  if (found === undefined) throw new Error("absent");
  const bodyKey = `body/${writer instanceof Object && "bodyId" in writer ? String(writer.bodyId) : ""}`;
  const { signal } = new AbortController();
  const body = service.objects.read(found, { start: 0, end: bytes.length }, { signal });
  const reading = body[Symbol.asyncIterator]();
  const first = await world.clock.run(reading.next());
  await world.clock.run(world.put(store, "k", world.bytes(10)));
  // Long enough for the reaper, were it not for the reader.
  await world.clock.advance(60_000);
  expect(store.node.index.get(bodyKey)).toBeDefined();
  const pieces = [first.value as Uint8Array];
  for (;;) {
    const step = await world.clock.run(reading.next());
    if (step.done === true) break;
    pieces.push(step.value);
  }
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  await world.clock.advance(60_000);
  expect(store.node.index.get(bodyKey)).toBeUndefined();
  await world.close(store);
});

test("a slow read of what was replaced meanwhile does not come back from the cache", async () => {
  const world = new SimWorld();
  const first = await world.openWithBucket();
  const [old, fresh] = [world.bytes(3000), world.bytes(3000)];
  await world.clock.run(world.put(first, "k", old));
  await world.close(first);
  const store = await world.open();
  world.latencyMs = 50;
  const slow = Promise.resolve(store.service.objects.find("b/k"));
  world.latencyMs = 0.1;
  await world.clock.run(world.put(store, "k", fresh));
  expect(Buffer.from((await world.clock.run(slow))?.bytes as Uint8Array).equals(old)).toBe(true);
  expect(await world.get(store, "k")).toEqual(fresh);
  await world.close(store);
});

test("a stop in the middle of reaping is a clean stop", async () => {
  for (const afterMs of [0.1, 0.5, 1, 2, 5, 10]) {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    const { service } = store;
    const keys = Array.from({ length: 30 }, (_, at) => `k${at}`);
    for (const key of keys) {
      const bytes = world.bytes(100);
      const writer = service.objects.startBody();
      await world.clock.run(writer.write(bytes));
      const body = { kind: "written", writer } as const;
      const input = { bucket: "b", key, etag: md5(bytes), attributes: NO_ATTRIBUTES, body };
      await world.clock.run(service.objects.put({ ...input, condition: { kind: "none" } }));
    }
    await world.clock.run(service.objects.deleteMany("b", keys));
    const before = store.node.index.appliedIndex;
    while (store.node.index.appliedIndex === before) await world.clock.advance(0.1);
    await world.clock.advance(afterMs);
    // The stop waits for a slow write, while the reaper already gets no more proposals through.
    world.latencyMs = 5;
    const late = world.put(store, "late", world.bytes(10));
    await world.close(store);
    expect(await late).toBe("put");
    expect(store.fatal).toEqual([]);
  }
});

test("either slot of the vote alone tells the last term", async () => {
  await using directory = await temporaryDirectory();
  let term = 0;
  {
    await using store = await openStore(`${directory.path}/data`);
    ({ term } = store.service.status());
  }
  for (const slot of [0, 4096]) {
    const copy = `${directory.path}/copy-${slot}`;
    await cp(`${directory.path}/data`, copy, { recursive: true });
    const vote = await readFile(`${copy}/vote`);
    await writeFile(`${copy}/vote`, vote.fill(0x55, slot, slot + 64));
    await using store = await openStore(copy);
    expect(store.service.status().term).toBe(term + 1);
  }
});

test("verify finds nothing in directories to which nothing happened", { timeout: 60_000 }, async () => {
  for (const seed of ["a", "b", "c"]) {
    await using directory = await temporaryDirectory();
    const filled = await fillDirectory(`${directory.path}/data`, seed);
    const report = await verifyDirectory(filled.path);
    expect(report.lines.filter((line) => line.startsWith("DAMAGED"))).toEqual([]);
    expect(report.ok).toBe(true);
  }
});
