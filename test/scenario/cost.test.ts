/**
 * `thermocline cost` of a server whose cold tier is a second one: its figures are those that the second one
 * counts, whatever the tier was doing, and what it says of clients is what they did.
 */
import { expect, test } from "vitest";
import { directoryStorage } from "../../src/adapters/directory-storage.ts";
import { createServer } from "../../src/index.ts";
import type { MemoryServer } from "../../src/index.ts";
import type { Usage } from "../../src/offload/cost.ts";
import type { CostAnswer } from "../../src/service/tier-api.ts";
import { endpointOf, rootOf, startServer } from "../../src/start-server.ts";
import { run } from "../cli/run.ts";
import { load } from "../config/load.ts";
import { send, statusOf } from "../support/embedded.ts";
import type { Addressed } from "../support/embedded.ts";
import { silentLogger, temporaryDirectory } from "../support/open-store.ts";

const KIB = 1024;
const SEGMENT_BYTES = 256 * KIB;
const OBJECTS = 200;

type Hot = Addressed & AsyncDisposable;

async function startHot(cold: MemoryServer, dataDir: string): Promise<Hot> {
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = cold.credentials;
  const { config } = load({
    command: "dev",
    options: {
      dataDir,
      s3: { addr: "127.0.0.1:0" },
      admin: { addr: "127.0.0.1:0" },
      recoveryPoint: "off",
      tier: { after: "0s" },
      cost: { gibMonth: "7" },
      cold: { url: "s3://cold/p", endpoint: cold.endpoint, accessKey, secretKey },
    },
  });
  const openStorage = () => ({ ...directoryStorage(), segmentBytes: SEGMENT_BYTES });
  const server = await startServer(config, { logger: silentLogger, openStorage });
  const pair = rootOf(config);
  return {
    endpoint: endpointOf(server.s3),
    adminEndpoint: endpointOf(server.admin),
    credentials: { accessKeyId: pair.accessKey, secretAccessKey: pair.secretKey },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

async function ask(hot: Hot, ...argv: readonly string[]): Promise<CostAnswer> {
  const env = {
    THERMOCLINE_ROOT_ACCESS_KEY: hot.credentials.accessKeyId,
    THERMOCLINE_ROOT_SECRET_KEY: hot.credentials.secretAccessKey,
    THERMOCLINE_ADMIN_ADDR: new URL(hot.adminEndpoint).host,
  };
  const { exitCode, out, err } = await run(["cost", "-o", "json", ...argv], { env });
  expect([exitCode, err]).toEqual([0, ""]);
  return JSON.parse(out) as CostAnswer;
}

type Counts = Pick<Usage, "puts" | "gets" | "heads" | "lists" | "deletes">;

/** By the cold server's own page of metrics: everything that it was asked for. */
async function countedBy(cold: MemoryServer): Promise<Counts> {
  const page = await (await fetch(`${cold.adminEndpoint}/-/metrics`)).text();
  const sum = (...operations: readonly string[]): number => {
    const lines = page.matchAll(
      /^thermocline_http_requests_total\{operation="(\w+)",status="\w+"\} (\d+)$/gm,
    );
    return [...lines]
      .filter(([, operation = ""]) => operations.includes(operation))
      .reduce((total, [, , count]) => total + Number(count), 0);
  };
  return {
    puts: sum("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    gets: sum("GetObject"),
    heads: sum("HeadObject", "HeadBucket"),
    lists: sum("ListObjectsV2"),
    deletes: sum("DeleteObject", "AbortMultipartUpload"),
  };
}

const countsOf = ({ puts, gets, heads, lists, deletes }: Usage): Counts => ({
  puts,
  gets,
  heads,
  lists,
  deletes,
});

/** Both at a moment at which nothing was under way. */
async function settled(cold: MemoryServer, hot: Hot): Promise<readonly [CostAnswer, Counts]> {
  for (let times = 0; times < 100; times++) {
    const before = await countedBy(cold);
    const answer = await ask(hot);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = await countedBy(cold);
    if (JSON.stringify(before) === JSON.stringify(after)) return [answer, after];
  }
  throw new Error("the tier never rests");
}

async function isUploaded(hot: Hot): Promise<number> {
  return (await ask(hot)).report.byKind.segment.storedBytes;
}

async function pendingSegments(hot: Hot): Promise<unknown> {
  return ((await statusOf(hot))["tier"] as Readonly<Record<string, unknown>>)["pendingSegments"];
}

test("the ratio that cost prints is that of the requests which the bucket's own server counted", async () => {
  await using directory = await temporaryDirectory();
  await using cold = await createServer({ memory: true, buckets: ["cold"] });
  const dataDir = `${directory.path}/data`;
  let clientPuts = 1;
  const putMany = async (hot: Hot, count: number): Promise<void> => {
    clientPuts += count;
    for (let at = 0; at < count; at++) {
      const body = Buffer.alloc(4 * KIB, at);
      expect((await send(hot, { method: "PUT", url: `/bucket/key-${at}-${clientPuts}`, body })).status).toBe(
        200,
      );
    }
  };
  // Some of what the tier asks fails, and is asked again: that costs too.
  const refused = cold.faults.add({ operation: "PutObject", status: 503, times: 3 });
  {
    await using hot = await startHot(cold, dataDir);
    expect((await send(hot, { method: "PUT", url: "/bucket" })).status).toBe(200);
    await putMany(hot, OBJECTS);
    await expect.poll(() => isUploaded(hot), { timeout: 30_000 }).toBeGreaterThan(2 * SEGMENT_BYTES);
    // A stop cuts what is under way: whether the bucket has seen that, nobody knows for certain.
    await expect.poll(() => pendingSegments(hot), { timeout: 30_000 }).toBe(0);
    const [{ report }, counted] = await settled(cold, hot);
    expect(refused.hits).toBe(3);
    expect(countsOf(report.total)).toEqual(counted);
    expect(counted.puts).toBeGreaterThan(3);
    expect(report.oneByOne).toMatchObject({ puts: clientPuts, bytesIn: OBJECTS * 4 * KIB });
  }
  // The second start goes on counting where the first one ended, its last requests among them.
  await using hot = await startHot(cold, dataDir);
  await putMany(hot, OBJECTS);
  const stored = await isUploaded(hot);
  await expect.poll(() => isUploaded(hot), { timeout: 30_000 }).toBeGreaterThan(stored + SEGMENT_BYTES);
  const [{ report, prices }, counted] = await settled(cold, hot);
  expect(countsOf(report.total)).toEqual(counted);
  expect(report.oneByOne.puts).toBe(clientPuts);
  const { puts, gets, heads, lists } = counted;
  const paid = ((puts + lists) * 0.005 + (gets + heads) * 0.0004) / 1000;
  expect(report.timesCheaper).toBeCloseTo((clientPuts * 0.005) / 1000 / paid, 9);
  // What the settings say is what it costs, and what the command line says is tried out.
  expect(prices.storage).toMatchObject([{ perGibMonth: 7 }]);
  const tried = await ask(hot, "--cost-gib-month=3", "--tier-after=7d", "--recovery-point=20s");
  expect(tried.prices.storage).toMatchObject([{ perGibMonth: 3 }]);
  expect(tried.forecast.now.tailsPerMonthMax).toBe(0);
  expect(tried.forecast.changed?.tailsPerMonthMax).toBe(Math.ceil(2_592_000 / 14));
}, 120_000);
