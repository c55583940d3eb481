/**
 * The real MinIO is frozen, stopped, cut off, emptied, or lets nobody in: what is hot goes on as ever, what
 * is cold says so at once, and when it is back everything goes on by itself.
 */
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import { getContainerRuntimeClient } from "testcontainers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { coldFlags } from "../support/cold-flags.ts";
import { makeBucket } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { openClient } from "./bucket-client.ts";
import { startMinioContainer } from "./minio-container.ts";
import type { MinioContainer } from "./minio-container.ts";
import { inParallel, operate, startTierServer } from "./tier-server.ts";
import type { TierServer } from "./tier-server.ts";

const BODY = Buffer.alloc(4096, "cold below");
const OBJECTS = 40;
const PATIENCE = { timeout: 90_000, interval: 200 };
const FLAGS = ["--recovery-point", "2s", "--cache-bytes", "1MiB"];

/** Objects that are in the bucket alone, and in no cache. */
async function startCold(data: string, flags: readonly string[]): Promise<TierServer> {
  {
    await using server = await startTierServer(data, flags);
    await server.s3.send(new CreateBucketCommand({ Bucket: "things" }));
    await inParallel(OBJECTS, (at) => put(server, `cold/${at}`));
    const { code, err } = await server.operate("tier", "offload", "--all");
    expect(code, err).toBe(0);
  }
  const server = await startTierServer(data, flags);
  await put(server, "hot");
  await untilWell(server);
  return server;
}

async function put({ call }: TierServer, key: string): Promise<void> {
  const answer = await call("PUT", `/things/${key}`, { body: BODY });
  expect(answer.status, await answer.text()).toBe(200);
}

/** The tier is as it should be, and everything that was written is in the bucket. */
async function untilWell({ status }: TierServer): Promise<void> {
  const { appliedIndex } = await status();
  const isWell = async (): Promise<unknown> => {
    const { tier } = await status();
    return { state: tier.state, isCovered: tier.coveredIndex >= appliedIndex };
  };
  // Not by expect.poll: hooks ask, too.
  await vi.waitFor(async () => expect(await isWell()).toEqual({ state: "ok", isCovered: true }), PATIENCE);
}

/** Of a PUT and a GET of what is hot: the median in milliseconds, and how many took seconds. */
async function hotLatency(server: TierServer): Promise<{ readonly median: number; readonly slow: number }> {
  const took: number[] = [];
  for (let at = 0; at < 60; at++) {
    const startMs = performance.now();
    await put(server, `hot/${at}`);
    const answer = await server.call("GET", `/things/hot/${at}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(BODY)).toBe(true);
    took.push(performance.now() - startMs);
  }
  took.sort((a, b) => a - b);
  return { median: took[30] ?? Infinity, slow: took.filter((ms) => ms > 2000).length };
}

/** As usual: it may be a busy machine, but nobody waits for a bucket. */
async function expectHotToGoOn(server: TierServer, usual: { readonly median: number }): Promise<void> {
  const { median, slow } = await hotLatency(server);
  expect(median).toBeLessThan(3 * usual.median + 20);
  expect(slow).toBeLessThanOrEqual(2);
  for (const endpoint of [server.process.endpoint, server.process.adminEndpoint]) {
    expect((await fetch(`${endpoint}/-/ready`)).status).toBe(200);
  }
}

async function untilDegraded(server: TierServer, reason: RegExp): Promise<void> {
  const { status } = server;
  await expect.poll(async () => (await status()).tier.reason ?? "", PATIENCE).toMatch(reason);
  expect((await status()).tier.state).toBe("degraded");
  const { code, out } = await server.operate("tier", "status");
  expect([code, out.toString()]).toEqual([0, expect.stringMatching(/degraded/)]);
}

async function expectColdIsAway({ call }: TierServer, key: string, message: RegExp): Promise<void> {
  const answer = await call("GET", `/things/${key}`);
  const text = await answer.text();
  expect(answer.status, text).toBe(503);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(text).toMatch(/<Code>ServiceUnavailable<\/Code>/);
  expect(text).toMatch(message);
  const head = await call("HEAD", `/things/${key}`);
  expect([head.status, head.headers.get("x-thermocline-tier")]).toEqual([200, "cold"]);
}

async function expectCold({ call }: TierServer, key: string): Promise<void> {
  const answer = await call("GET", `/things/${key}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-thermocline-tier")).toBe("cold");
  expect(Buffer.from(await answer.arrayBuffer()).equals(BODY)).toBe(true);
}

/** Takes the container's network away, and brings it back. */
async function network(minio: MinioContainer, deed: "connect" | "disconnect"): Promise<void> {
  const { dockerode } = (await getContainerRuntimeClient()).container;
  await dockerode.getNetwork("bridge")[deed]({ Container: minio.id });
}

type Deed = (minio: MinioContainer) => Promise<void>;
/** What happens to it, an object that is read meanwhile and was not before, and what mends it. */
type Away = readonly [name: string, key: string, take: Deed, giveBack: Deed];

describe("MinIO is away for a while", () => {
  const stack = new AsyncDisposableStack();
  let minio: MinioContainer;
  let server: TierServer;
  let usual: Awaited<ReturnType<typeof hotLatency>>;
  beforeAll(async () => {
    minio = stack.use(await startMinioContainer());
    const directory = stack.use(await temporaryDirectory());
    server = stack.use(await startCold(`${directory.path}/data`, [...coldFlags(minio), ...FLAGS]));
    usual = await hotLatency(server);
  });
  afterAll(() => stack.disposeAsync());

  test.each<Away>([
    ["stopped", "cold/1", (it) => it.stop(), (it) => it.start()],
    ["killed", "cold/2", (it) => it.kill(), (it) => it.start()],
    ["cut off", "cold/3", (it) => network(it, "disconnect"), (it) => network(it, "connect")],
    ["frozen", "cold/4", (it) => it.pause(), (it) => it.unpause()],
  ])(
    "%s: hot objects are served as ever, cold ones not, and then it goes on by itself",
    async (_, key, take, giveBack) => {
      await take(minio);
      try {
        await Promise.all([
          expectColdIsAway(server, key, /which does not answer: cold tier s3:\/\/cold\/tier at http/),
          expectHotToGoOn(server, usual),
        ]);
        await untilDegraded(server, /^cold tier s3:\/\/cold\/tier at http/);
        await expectHotToGoOn(server, usual);
      } finally {
        await giveBack(minio);
      }
      await untilWell(server);
      await expectCold(server, key);
    },
  );
});

async function empty(minio: MinioContainer): Promise<void> {
  using client = openClient(minio);
  const { Contents = [] } = await client.s3.send(new ListObjectsV2Command({ Bucket: minio.bucket }));
  if (Contents.length === 0) return;
  const Delete = { Objects: Contents.map(({ Key }) => ({ Key })) };
  await client.s3.send(new DeleteObjectsCommand({ Bucket: minio.bucket, Delete }));
}

/** Whatever is put there meanwhile. */
async function removeBucket(minio: MinioContainer): Promise<void> {
  using client = openClient(minio);
  await vi.waitFor(async () => {
    await empty(minio);
    await client.s3.send(new DeleteBucketCommand({ Bucket: minio.bucket }));
  }, PATIENCE);
}

async function metric({ process }: TierServer, name: string): Promise<number> {
  const page = await (await fetch(`${process.adminEndpoint}/-/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1]);
}

test("its bucket is emptied, then deleted: what is missing is told, what is written lives on", async () => {
  await using minio = await startMinioContainer();
  await using directory = await temporaryDirectory();
  const flags = [...coldFlags(minio), ...FLAGS];
  await using server = await startCold(`${directory.path}/data`, flags);
  await empty(minio);
  const answer = await server.call("GET", "/things/cold/1");
  const text = await answer.text();
  expect(answer.status).toBe(500);
  expect(text).toMatch(/<Code>InternalError<\/Code>/);
  expect(text).toMatch(/its object \S+\/segments\/\S+ is not there/);
  expect(await metric(server, "thermocline_cold_reads_missing_total")).toBe(1);
  const audit = await server.operate("tier", "audit");
  expect(audit.code).toBe(1);
  expect(audit.out.toString()).toMatch(/missing: \S+\/segments\/\S+ \(segment 1\): .*there is no other copy/);
  expect(audit.out.toString()).toContain("things/cold/1\n");
  const usual = await hotLatency(server);

  await removeBucket(minio);
  await put(server, "later");
  await untilDegraded(server, /NoSuchBucket.*create the bucket, or mend cold\.url/);
  await expectHotToGoOn(server, usual);
  await makeBucket(minio);
  await untilWell(server);
  // Everything that is still here can be put there again.
  await server.operate("tier", "audit", "--repair");
  expect((await server.operate("tier", "offload", "--all")).code).toBe(0);
  await server.process.stop();
  await using again = await startTierServer(`${directory.path}/data`, flags);
  await expectCold(again, "later");
});

test("with wrong keys a server serves what is hot, and says what to mend; with right ones all", async () => {
  await using minio = await startMinioContainer();
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const right = [...coldFlags(minio), ...FLAGS];
  const credentials = { ...minio.credentials, secretAccessKey: "some-other-secret" };
  const wrong = [...coldFlags({ ...minio, credentials }), ...FLAGS];
  await (await startCold(data, right))[Symbol.asyncDispose]();
  {
    await using server = await startTierServer(data, wrong);
    const usual = await hotLatency(server);
    await untilDegraded(server, /SignatureDoesNotMatch.*mend cold\.accessKey and cold\.secretKey/);
    await expectColdIsAway(
      server,
      "cold/1",
      /SignatureDoesNotMatch.*mend cold\.accessKey and cold\.secretKey/,
    );
    await expectHotToGoOn(server, usual);
    await put(server, "meanwhile");
    const asked = await server.operate("tier", "offload");
    expect([asked.code, asked.err]).toEqual([1, expect.stringContaining("mend cold.accessKey")]);
  }
  const from = ["restore", "--from", `s3://${minio.bucket}/tier`, "--data-dir", `${directory.path}/new`];
  const refused = await operate([...from, ...wrong]);
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("mend cold.accessKey")]);
  await using server = await startTierServer(data, right);
  await untilWell(server);
  await expectCold(server, "cold/1");
  expect((await server.call("GET", "/things/meanwhile")).status).toBe(200);
});
