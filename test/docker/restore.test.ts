/**
 * The disk is lost at some moment of a load, and the real MinIO is all that is left: what the store promised
 * comes back, and nothing that was deleted. Then an earlier state is brought back beside a store that still
 * runs, which has to notice and to keep its hands off the bucket.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import type { RestoreReport } from "../../src/offload/restore-report.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { coldFlags } from "../support/cold-flags.ts";
import type { BucketServer } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { openClient } from "./bucket-client.ts";
import { ClientHistory, thingsIn } from "./client-history.ts";
import { LOAD_BUCKETS, clientLoad } from "./client-load.ts";
import { describeBucket } from "./describe-bucket.ts";
import { startMinioContainer } from "./minio-container.ts";
import { inParallel, operate, startTierServer } from "./tier-server.ts";
import type { TierServer } from "./tier-server.ts";

const OBJECTS = 400;
const FLAGS = ["--recovery-point", "1s"];
const PATIENCE = { timeout: 20_000, interval: 100 };

/** Nobody touches it any more once the load begins. */
const RESTING = "resting";

type Restored = Extract<RestoreReport, { readonly kind: "restored" }>;

async function restore(minio: BucketServer, dataDir: string, ...more: readonly string[]): Promise<Restored> {
  const from = ["--from", `s3://${minio.bucket}/tier`, "--data-dir", dataDir];
  const { code, out, err } = await operate(["restore", ...from, ...coldFlags(minio), "-o", "json", ...more]);
  expect(code, err).toBe(0);
  return JSON.parse(out.toString()) as Restored;
}

async function fill({ s3 }: TierServer): Promise<void> {
  for (const Bucket of [RESTING, ...Object.values(LOAD_BUCKETS)]) {
    await s3.send(new CreateBucketCommand({ Bucket }));
  }
  const VersioningConfiguration = { Status: "Enabled" } as const;
  for (const Bucket of [RESTING, LOAD_BUCKETS.versioned]) {
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
  const Tagging = { TagSet: [{ Key: "kept", Value: "yes" }] };
  await s3.send(new PutBucketTaggingCommand({ Bucket: RESTING, Tagging }));
  await inParallel(OBJECTS, async (at) => {
    const Key = `object/${at % (OBJECTS / 2)}`;
    const more = at % 7 === 0 ? { Tagging: `at=${at}`, Metadata: { name: `n${at}` } } : {};
    await s3.send(new PutObjectCommand({ Bucket: RESTING, Key, Body: `${Key} ${at}`.repeat(40), ...more }));
  });
  for (let at = 0; at < 20; at++) {
    await s3.send(new DeleteObjectCommand({ Bucket: RESTING, Key: `object/${at}` }));
  }
}

/** When everything that was acknowledged by now would outlive the disk. */
async function untilCovered({ status }: TierServer): Promise<void> {
  const { appliedIndex } = await status();
  await expect
    .poll(async () => (await status()).tier.coveredIndex, PATIENCE)
    .toBeGreaterThanOrEqual(appliedIndex);
}

type Look = { readonly acknowledged: number; readonly appliedIndex: number };

/** What the store says of itself while it is under load; until it is gone. */
class Watch {
  readonly looks: Look[] = [];
  covered = 0;
  /** So many acknowledged deeds would have outlived the disk, by its own recovery point. */
  promised = 0;

  readonly #server: TierServer;
  readonly #history: ClientHistory;

  constructor(server: TierServer, history: ClientHistory) {
    this.#server = server;
    this.#history = history;
  }

  async run(): Promise<void> {
    for (;;) {
      const { acknowledged } = this.#history;
      const askedMs = performance.now();
      const status = await this.#server.status().catch(() => undefined);
      if (status === undefined) return;
      const { appliedIndex, tier } = status;
      this.looks.push({ acknowledged, appliedIndex });
      this.covered = Math.max(this.covered, tier.coveredIndex);
      const beforeMs = askedMs - tier.recoveryPointSeconds * 1000;
      this.promised = Math.max(this.promised, this.#history.acknowledgedBefore(beforeMs));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Deeds that were acknowledged before the store had applied this entry. */
  keptBy(entry: number): number {
    const sure = this.looks.filter(({ appliedIndex }) => appliedIndex <= entry);
    return Math.max(0, ...sure.map(({ acknowledged }) => acknowledged));
  }
}

test("killed under load, its disk wiped: what was promised comes back, and nothing else", async () => {
  const seed = process.env["DRILL_SEED"] ?? randomBytes(4).toString("hex");
  const random = new SimRandom(seed);
  await using minio = await startMinioContainer();
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const flags = [...coldFlags(minio), ...FLAGS];
  const history = new ClientHistory();
  let resting: Awaited<ReturnType<typeof describeBucket>>;
  let watch: Watch;
  {
    await using server = await startTierServer(data, flags);
    await fill(server);
    expect(await server.operate("tier", "offload", "--all")).toMatchObject({ code: 0 });
    resting = await describeBucket(server, RESTING);
    await untilCovered(server);
    watch = new Watch(server, history);
    const running = [clientLoad(server, { history, seed }), watch.run()];
    await new Promise((resolve) => setTimeout(resolve, random.between(2000, 6000)));
    // The kill comes somewhere in its work, or behind it.
    const offloading = server.operate("tier", "offload", "--all");
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 4000)));
    await server.process.kill();
    await Promise.all([...running, offloading]);
  }
  await rm(data, { recursive: true });
  const { restored, lost } = await restore(minio, data);
  const kept = Math.max(watch.keptBy(restored.lastEntry), watch.promised);
  const told = `seed ${seed}: ${kept} of ${history.acknowledged} up to entry ${restored.lastEntry}`;
  expect(lost, told).toEqual([]);
  expect(restored.lastEntry, told).toBeGreaterThanOrEqual(watch.covered);
  expect(kept, told).toBeGreaterThan(50);
  await using server = await startTierServer(data, flags);
  expect((await server.status()).tier.lineage).toBe(restored.lineage);
  expect(await describeBucket(server, RESTING), told).toEqual(resting);
  const found = new Map([
    ...thingsIn(await describeBucket(server, LOAD_BUCKETS.plain), false),
    ...thingsIn(await describeBucket(server, LOAD_BUCKETS.versioned), true),
  ]);
  expect(history.wrong(found, kept), told).toEqual([]);
  expect(found.size).toBeGreaterThan(50);
});

/** The key of the newest manifest in the bucket. */
async function newestManifest(minio: BucketServer, lineage: string): Promise<string> {
  const keys = (await keysOf(minio, lineage)).filter((key) => key.includes("/manifest/"));
  return keys.toSorted((a, b) => indexOf(a) - indexOf(b)).at(-1) ?? "";
}

const indexOf = (key: string): number => Number(/\/manifest\/(\d+)-/.exec(key)?.[1]);

/** Of one lineage, without the prefix. */
async function keysOf(minio: BucketServer, lineage: string): Promise<readonly string[]> {
  using client = openClient(minio);
  const list = new ListObjectsV2Command({ Bucket: minio.bucket, Prefix: "tier/" });
  const { Contents = [], IsTruncated } = await client.s3.send(list);
  expect(IsTruncated).toBe(false);
  return Contents.map(({ Key = "" }) => Key.slice("tier/".length)).filter((key) =>
    key.includes(`/${lineage}/`),
  );
}

async function expectToHaveStopped(minio: BucketServer, server: TierServer, heir: string): Promise<void> {
  const { tier, ready } = await server.status();
  expect(ready).toBe(true);
  expect(tier).toMatchObject({ state: "degraded", supersededBy: heir });
  expect(tier.reason).toMatch(`lineage ${heir} was restored from this one, ${tier.lineage}, and goes on in`);
  const page = await (await fetch(`${server.process.adminEndpoint}/-/metrics`)).text();
  expect(page).toMatch(/^thermocline_cold_superseded 1$/m);
  expect(page).toMatch(/^thermocline_cold_degraded 1$/m);
  expect(server.process.output).toMatch(/"level":"warn".*"the cold tier is degraded".*"superseded"/);
  const before = await keysOf(minio, tier.lineage);
  // It serves what it has, and takes what it gets; but beyond its recovery point nothing of that is uploaded.
  const added = { Bucket: RESTING, Key: "added too late", Body: "lost" };
  await server.s3.send(new PutObjectCommand(added));
  await expect
    .poll(async () => (await server.status()).tier.recoveryPointSeconds, PATIENCE)
    .toBeGreaterThan(3);
  expect((await server.operate("tier", "offload", "--all")).code).toBe(1);
  expect(await keysOf(minio, tier.lineage)).toEqual(before);
  expect((await server.call("GET", `/${RESTING}/object/150`)).status).toBe(200);
}

test("an earlier manifest comes back beside the old store: that one stops, and says why", async () => {
  await using minio = await startMinioContainer();
  await using directory = await temporaryDirectory();
  const [oldData, newData] = [`${directory.path}/old`, `${directory.path}/new`];
  const flags = [...coldFlags(minio), ...FLAGS];
  await using old = await startTierServer(oldData, flags);
  await fill(old);
  expect(await old.operate("tier", "offload", "--all")).toMatchObject({ code: 0 });
  const then = await describeBucket(old, RESTING);
  const { lineage } = (await old.status()).tier;
  const manifest = await newestManifest(minio, lineage);
  await inParallel(100, async (at) => {
    await old.s3.send(new DeleteObjectCommand({ Bucket: RESTING, Key: `object/${at}` }));
    await old.s3.send(new PutObjectCommand({ Bucket: RESTING, Key: `later/${at}`, Body: `later ${at}` }));
  });
  await old.s3.send(new CreateBucketCommand({ Bucket: "made-later" }));
  await untilCovered(old);

  const report = await restore(minio, newData, "--to", manifest);
  expect(report.manifest.key).toBe(manifest);
  await using revived = await startTierServer(newData, flags);
  expect(await describeBucket(revived, RESTING)).toEqual(then);
  expect((await revived.call("HEAD", "/made-later")).status).toBe(404);
  const heir = (await revived.status()).tier.lineage;
  expect(heir).not.toBe(lineage);

  // Asked for an upload it looks at once, and else every ten minutes.
  const asked = await old.operate("tier", "offload");
  expect([asked.code, asked.err + asked.out.toString()]).toEqual([1, expect.stringContaining(heir)]);
  await expectToHaveStopped(minio, old, heir);
  expect(await old.process.stop()).toMatchObject({ code: 0 });
  {
    await using again = await startTierServer(oldData, flags);
    await expect.poll(async () => (await again.status()).tier.supersededBy, PATIENCE).toBe(heir);
  }
  // The new one goes on as if there had never been another.
  await revived.s3.send(new PutObjectCommand({ Bucket: RESTING, Key: "new", Body: "new" }));
  await untilCovered(revived);
  expect((await revived.status()).tier.state).toBe("ok");
});
