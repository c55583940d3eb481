/** What is told of requests to the cold tier is what the endpoint has counted, retries among it. */
import { describe, expect, test } from "vitest";
import { CountedColdStore } from "../../src/adapters/counted-cold-store.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { openColdStore } from "../../src/adapters/open-cold-store.ts";
import { S3ColdStore } from "../../src/adapters/s3-cold-store.ts";
import type { S3ColdOptions } from "../../src/adapters/s3-cold-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { createServer } from "../../src/index.ts";
import type { MemoryServer } from "../../src/index.ts";
import { ColdMeter } from "../../src/offload/cold-meter.ts";
import { coldKey, coldPrefix } from "../../src/offload/cold-names.ts";
import type { ColdRequest, ColdStore } from "../../src/ports/cold-store.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import { accept, answerWith, hangUp, refuse, startStub } from "../support/bucket-stub.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const MIB = 1024 * 1024;
const ports = { disk: new NodeDisk(), clock: systemClock, random: systemRandom };
const place = { cluster: "c0ffee", lineage: "feed" };
const segmentKey = coldKey(place, { kind: "segment", first: 1, last: 9 });
const tailKey = coldKey(place, { kind: "tail", segment: 2, first: 10, last: 12 });
const snapshotKey = coldKey(place, { kind: "snapshot", index: 9, term: 1, incarnation: "n1.1", part: 1 });

function storeAt(endpoint: string, changes: Partial<S3ColdOptions>): S3ColdStore {
  const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
  const where = { bucket: "cold", prefix: "p", endpoint, credentials, poolSize: 3 };
  return new S3ColdStore({ ...where, ...ports, guard: { pauseMsMin: 1, pauseMsMax: 5 }, ...changes });
}

/** By the server's own counters, of requests that it answered. */
async function countedBy(server: MemoryServer): Promise<Readonly<Record<string, number>>> {
  const page = await (await fetch(`${server.adminEndpoint}/-/metrics`)).text();
  const lines = page.matchAll(
    /^thermocline_http_requests_total\{operation="(\w+)",status="(\w+)"\} (\d+)$/gm,
  );
  return Object.fromEntries(
    [...lines]
      .map(([, operation, status, count]) => [`${operation} ${status}`, Number(count)] as const)
      .filter(([name]) => !/^(Admin|Health|CreateBucket)/.test(name)),
  );
}

/** All that the port can do, on objects of three kinds. */
async function useAll(store: ColdStore): Promise<void> {
  await store.check();
  const body = Buffer.alloc(100_000, "x");
  await store.put(segmentKey, body, { kind: "segment" });
  await store.put(tailKey, body, { kind: "tail" });
  await store.putStream(
    snapshotKey,
    (async function* () {
      for (let at = 0; at < 70; at++) yield Buffer.alloc(MIB, at);
      await Promise.resolve();
    })(),
    { kind: "snapshot" },
  );
  await store.get(segmentKey, { range: { start: 10, end: 4106 } });
  await store.get(tailKey);
  await store.head(segmentKey);
  await store.head(coldKey(place, { kind: "segment", first: 10, last: 11 }));
  for await (const entry of store.list(coldPrefix(place, "tail"))) expect(entry.key).toBe(tailKey);
  for await (const entry of store.list("")) expect(entry.key).not.toBe("");
  await store.delete([tailKey, snapshotKey]);
}

describe("requests to a bucket", () => {
  test("are counted as the server there counts them, those that failed and were repeated too", async () => {
    await using server = await createServer({ memory: true, buckets: ["cold"] });
    const { endpoint, credentials, faults } = server;
    const meter = new ColdMeter();
    const store = storeAt(endpoint, { credentials, onRequest: meter.count });
    const repeated = [
      faults.add({ operation: "PutObject", status: 503, times: 2 }),
      faults.add({ operation: "GetObject", status: 500, times: 1 }),
      faults.add({ operation: "ListObjectsV2", status: 503, times: 1 }),
      faults.add({ operation: "DeleteObject", status: 503, times: 1 }),
    ];
    await useAll(store);
    // Ranges of what the SDK has once asked for take a way of their own.
    repeated.push(faults.add({ operation: "GetObject", status: 503, times: 2 }));
    for (let at = 0; at < 5; at++) await store.get(segmentKey, { range: { start: at, end: at + 10 } });
    await store.close();
    expect(repeated.map(({ hits }) => hits)).toEqual([2, 1, 1, 1, 2]);
    const told: Record<string, number> = {};
    for (const { operation, status, requests } of meter.tallies) {
      told[`${operation} ${status}`] = (told[`${operation} ${status}`] ?? 0) + requests;
    }
    const there = await countedBy(server);
    const sum = (...names: readonly string[]): number =>
      names.reduce((total, name) => total + (there[name] ?? 0), 0);
    expect(told).toEqual({
      "put 2xx": sum(
        "PutObject 2xx",
        "CreateMultipartUpload 2xx",
        "UploadPart 2xx",
        "CompleteMultipartUpload 2xx",
      ),
      "put 5xx": sum("PutObject 5xx"),
      "get 2xx": sum("GetObject 2xx"),
      "get 5xx": sum("GetObject 5xx"),
      "head 2xx": sum("HeadObject 2xx"),
      "head 4xx": sum("HeadObject 4xx"),
      "list 2xx": sum("ListObjectsV2 2xx"),
      "list 5xx": sum("ListObjectsV2 5xx"),
      "delete 2xx": sum("DeleteObject 2xx"),
      "delete 5xx": sum("DeleteObject 5xx"),
    });
    const requests = Object.values(there).reduce((total, count) => total + count, 0);
    expect(Object.values(told).reduce((total, count) => total + count, 0)).toBe(requests);
    // 70 MiB are three parts of 32 MiB, opened and completed.
    expect(meter.usage).toMatchObject({
      segment: { puts: 3, gets: 9, heads: 2, deletes: 0, bytesIn: 300_000, bytesOut: 4096 + 50 },
      tail: { puts: 1, gets: 1, lists: 1, bytesIn: 100_000 },
      snapshot: { puts: 5 },
      manifest: { puts: 0, gets: 0, lists: 0 },
      other: { puts: 0, lists: 3 },
    });
    expect(meter.usage.tail.deletes + meter.usage.snapshot.deletes).toBe(3);
    expect(meter.usage.snapshot.bytesIn).toBeGreaterThanOrEqual(70 * MIB);
    expect(meter.usage.snapshot.bytesIn).toBeLessThan(70 * MIB + 10_000);
  });

  test("that got no answer are counted, those that nobody saw are not", async () => {
    const seen: ColdRequest[] = [];
    const onRequest = (request: ColdRequest): void => void seen.push(request);
    const stub = await startStub(hangUp, refuse(503, "SlowDown"), accept);
    const store = storeAt(stub.endpoint, { onRequest });
    await store.put(segmentKey, Buffer.alloc(7), { kind: "segment" });
    expect(seen.map(({ operation, key, status, sentBytes }) => [operation, key, status, sentBytes])).toEqual([
      ["put", segmentKey, 0, 7],
      ["put", segmentKey, 503, 7],
      ["put", segmentKey, 200, 7],
    ]);
    await stub[Symbol.asyncDispose]();
    await expect(store.put(segmentKey, Buffer.alloc(7), { kind: "segment" })).rejects.toThrow("ECONN");
    expect(seen.slice(3).filter(({ status }) => status !== 0)).toEqual([]);
    const before = seen.length;
    await expect(store.head(segmentKey)).rejects.toThrow("ECONNREFUSED");
    expect(seen.length).toBe(before);
    await store.close();
  });

  test("whose answer broke off half way were answered, and are made again", async () => {
    const seen: ColdRequest[] = [];
    await using stub = await startStub(
      async (request, response) => {
        response.writeHead(206, { "content-length": 10, "content-range": "bytes 0-9/20" });
        response.write("01234");
        await new Promise((resolve) => setTimeout(resolve, 20));
        request.socket.destroy();
      },
      answerWith(206, { "content-length": 10, "content-range": "bytes 0-9/20" }, "0123456789"),
    );
    const store = storeAt(stub.endpoint, { onRequest: (request) => void seen.push(request) });
    await store.get(segmentKey, { range: { start: 0, end: 10 } });
    expect(seen.map(({ operation, status }) => `${operation} ${status}`)).toEqual(["get 206", "get 206"]);
    await store.close();
  });
});

describe("calls to a folder", () => {
  test("are counted as a bucket would have seen them", async () => {
    await using directory = await temporaryDirectory();
    const meter = new ColdMeter();
    const url = { kind: "folder", path: `${directory.path}/cold` } as const;
    const store = await openColdStore({ url, poolSize: 1 }, { ...ports, onRequest: meter.count });
    if (store === undefined) throw new Error("a folder is a store");
    await useAll(store);
    await expect(store.get(tailKey)).rejects.toThrow("no such object");
    await store.close();
    await expect(store.head(segmentKey)).rejects.toThrow("closed");
    expect(meter.usage).toMatchObject({
      segment: { puts: 1, gets: 1, heads: 3, bytesIn: 100_000, bytesOut: 4096 },
      tail: { puts: 1, gets: 2, lists: 1, deletes: 1, bytesIn: 100_000, bytesOut: 100_000 },
      snapshot: { puts: 1, deletes: 1, bytesIn: 70 * MIB },
      other: { lists: 2 },
    });
    const failed = [...meter.tallies].filter(({ status }) => status !== "2xx");
    expect(
      failed.map(({ operation, kind, status, requests }) => [operation, kind, status, requests]),
    ).toEqual([
      ["head", "segment", "4xx", 1],
      ["get", "tail", "4xx", 1],
      ["head", "segment", "5xx", 1],
    ]);
  });

  test("that list are one for each thousand", async () => {
    const many = new SimColdStore(ports);
    for (let at = 0; at < 1001; at++) await many.put(`k${at}`, Buffer.alloc(0), { kind: "tail" });
    const seen: string[] = [];
    const store = new CountedColdStore(many, ({ operation }) => void seen.push(operation));
    let listed = 0;
    for await (const _ of store.list("")) listed++;
    expect([listed, seen]).toEqual([1001, ["list", "list"]]);
    for await (const _ of store.list("x")) listed++;
    expect(seen.length).toBe(3);
  });
});
