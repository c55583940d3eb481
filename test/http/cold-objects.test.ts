/**
 * What clients see of objects that lie in the cold tier: right bytes, where they came from, no GET for what
 * needs no body, and errors that say what is wrong and when to come again.
 */
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { BusyError } from "../../src/base/errors.ts";
import { ColdRefusedError } from "../../src/ports/cold-store.ts";
import type { ColdCopy } from "../../src/state/rows.ts";
import { patternBytes } from "../segment/records.ts";
import { smallSpace } from "../replica/space-world.ts";
import { FailingColdStore } from "../sim/failing-cold-store.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { openStore, temporaryDirectory, testRoot } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";
import { send as sendTo } from "./client.ts";
import type { Answer, Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const disk = new NodeDisk();
const objects = new Map<string, SimColdObject>();
const plain = new SimColdStore({ disk, clock: systemClock, objects });
const cold = new FailingColdStore(plain, { clock: systemClock, random: new SimRandom("http") });
const SMALL = patternBytes(2000, 1);
const LARGE = patternBytes(200_000, 2);
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let store: OpenStore;
let edge: StartedEdge;

async function send(call: Call): Promise<Answer> {
  return await sendTo(edge.port, { ...call, credentials: { ...ROOT_PAIR } });
}

const ROOT_PAIR = { accessKey: testRoot.accessKey, secretKey: testRoot.secretKey };
const gets = (): number => cold.calls.filter((call) => call.startsWith("get ")).length;
const tierOf = ({ headers }: Answer): unknown => headers["x-thermocline-tier"];

beforeAll(async () => {
  directory = await temporaryDirectory();
  store = await openStore(`${directory.path}/data`, { segmentBytes: 16 * 1024, space: smallSpace(), cold });
  edge = await startEdge({ real: store.service });
  await send({ method: "PUT", url: "/bucket" });
  expect((await send({ method: "PUT", url: "/bucket/small", body: SMALL })).status).toBe(200);
  await send({ method: "PUT", url: "/bucket/large", body: LARGE });
  const { firstIndex, entries } = store.node.state.segments.all.at(-1) ?? { firstIndex: 0, entries: 0 };
  const last = firstIndex + entries + 3;
  for (let at = 0; store.node.local.floorIndex < last; at++) {
    for (let key = 0; key < 20; key++) {
      await send({ method: "PUT", url: `/bucket/other-${key}`, body: patternBytes(3000, at) });
    }
  }
  for (const segment of [...store.node.state.segments.all]) {
    if (segment.firstIndex + segment.entries - 1 > store.node.local.floorIndex) break;
    if (segment.liveBytes > 0 && store.node.local.bytesOf(segment.id) > 0) await giveUp(segment.id);
  }
}, 60_000);

async function giveUp(id: number): Promise<void> {
  const { local, state, replica } = store.node;
  const key = `c/l/segments/${id}.seg`;
  const copy = await local.withFile(id, async ({ path, kind }): Promise<ColdCopy> => {
    return { kind, key, ...(await plain.putFile(key, path, { kind: "segment" })) };
  });
  const row = state.segments.byId(id);
  if (copy === undefined || row === undefined) throw new Error(`segment ${id} is not here`);
  const { firstIndex, entries } = row;
  await replica.propose({ kind: "segmentOffloaded", segmentId: id, firstIndex, entries, copy });
  if (!(await local.free(id))) throw new Error(`segment ${id} stays`);
}

afterAll(async () => {
  await edge.close();
  await store[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

beforeEach(() => {
  store.node.cache.clear();
  cold.calls.length = 0;
  cold.isDown = false;
});

test("a small one is cold once, and hot from memory", async () => {
  for (const [tier, count] of [
    ["cold", 1],
    ["hot", 1],
    ["hot", 1],
  ] as const) {
    const got = await send({ url: "/bucket/small" });
    expect(got.status).toBe(200);
    expect(got.body.equals(SMALL)).toBe(true);
    expect(tierOf(got)).toBe(tier);
    expect(gets()).toBe(count);
  }
});

test("a large one is cold each time; what is here is hot beside it", async () => {
  for (let at = 0; at < 2; at++) {
    const got = await send({ url: "/bucket/large" });
    expect(got.body.equals(LARGE)).toBe(true);
    expect(tierOf(got)).toBe("cold");
  }
  const here = await send({ url: "/bucket/other-7" });
  expect(here.status).toBe(200);
  expect(tierOf(here)).toBe("hot");
});

test.each(["/bucket/small", "/bucket/large"])("ranges of %s are read from there", async (url) => {
  const whole = url === "/bucket/small" ? SMALL : LARGE;
  const got = await send({ url, headers: { range: "bytes=500-1499" } });
  expect(got.status).toBe(206);
  expect(got.body.equals(whole.subarray(500, 1500))).toBe(true);
  expect(tierOf(got)).toBe("cold");
});

test("who needs no body fetches none", async () => {
  for (const url of ["/bucket/small", "/bucket/large"]) {
    const head = await send({ method: "HEAD", url });
    expect(head.status).toBe(200);
    expect(tierOf(head)).toBe("cold");
    expect(head.headers["x-amz-storage-class"]).toBeUndefined();
    const etag = head.headers.etag ?? "";
    expect((await send({ url, headers: { "if-none-match": etag } })).status).toBe(304);
    expect((await send({ url, headers: { "if-match": '"other"' } })).status).toBe(412);
    expect((await send({ url, headers: { range: "bytes=900000-" } })).status).toBe(416);
    const asked = { "x-amz-object-attributes": "ETag,ObjectSize,StorageClass" };
    const attributes = await send({ url: `${url}?attributes`, headers: asked });
    expect(attributes.text).toContain("<StorageClass>STANDARD</StorageClass>");
    expect((await send({ url: `${url}?tagging` })).status).toBe(200);
  }
  const listed = await send({ url: "/bucket?list-type=2&prefix=small" });
  expect(listed.text).toContain("<StorageClass>STANDARD</StorageClass>");
  expect(gets()).toBe(0);
});

test("a tier that is away is 503 with a time to come again; the rest is served", async () => {
  cold.isDown = true;
  for (const url of ["/bucket/small", "/bucket/large"]) {
    const got = await send({ url });
    expect(got.status).toBe(503);
    expect(got.code).toBe("ServiceUnavailable");
    expect(got.headers["retry-after"]).toBe("1");
    expect((await send({ method: "HEAD", url })).status).toBe(200);
  }
  expect((await send({ url: "/bucket/other-3" })).status).toBe(200);
  cold.isDown = false;
  expect((await send({ url: "/bucket/small" })).status).toBe(200);
});

test("a tier that refuses us and one that has no room for a read are 503, too", async () => {
  const get = cold.get.bind(cold);
  const failures = [
    [new ColdRefusedError("the secret key is wrong"), "ServiceUnavailable", "60"],
    [new BusyError("1024 reads wait"), "SlowDown", undefined],
  ] as const;
  try {
    for (const [error, code, retryAfter] of failures) {
      cold.get = () => Promise.reject(error);
      const got = await send({ url: "/bucket/small" });
      expect([got.status, got.code, got.headers["retry-after"]]).toEqual([503, code, retryAfter]);
    }
  } finally {
    cold.get = get;
  }
});

test("an object that is missing there is an error that names it, at once, and counted", async () => {
  const kept = new Map(objects);
  objects.clear();
  const page = async (): Promise<string> => (await sendTo(edge.adminPort, { url: "/-/metrics" })).text;
  const startMs = performance.now();
  try {
    const got = await send({ url: "/bucket/small" });
    expect(got.status).toBe(500);
    expect(got.code).toBe("InternalError");
    expect(got.text).toMatch(/c\/l\/segments\/\d+\.seg/);
    expect(got.text).toContain("thermocline tier audit");
    expect((await send({ url: "/bucket/large" })).status).toBe(500);
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(await page()).toMatch(/^thermocline_damaged_reads_total 2$/m);
    expect(await page()).toMatch(/^thermocline_cold_reads_missing_total [1-9]/m);
    expect(edge.logLines.filter(({ message }) => message === "damaged data")).toHaveLength(2);
  } finally {
    for (const [key, object] of kept) objects.set(key, object);
  }
});

test("what is brought back is hot, also where its head lines were made before", async () => {
  const found = await store.service.objects.find("bucket/large");
  expect(tierOf(await send({ method: "HEAD", url: "/bucket/large" }))).toBe("cold");
  for (const { id, cold: copy } of store.node.state.segments.all) {
    if (copy === undefined) continue;
    await store.node.local.recall(id, (path) => writeFile(path, objects.get(copy.key)?.bytes ?? ""));
  }
  // The object is the same one in memory.
  expect(await store.service.objects.find("bucket/large")).toBe(found);
  expect(tierOf(await send({ method: "HEAD", url: "/bucket/large" }))).toBe("hot");
  const got = await send({ url: "/bucket/large" });
  expect([got.body.equals(LARGE), tierOf(got), gets()]).toEqual([true, "hot", 0]);
});
