/** A whole server with a cold tier: it starts and serves whatever the place does, and says how it is. */
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { directoryStorage } from "../../src/adapters/directory-storage.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { endpointOf, rootOf, startServer } from "../../src/start-server.ts";
import { createServer } from "../../src/index.ts";
import { accept, refuse, startStub } from "../support/bucket-stub.ts";
import { load } from "../config/load.ts";
import { silentLogger, temporaryDirectory } from "../support/open-store.ts";
import { send, startEmbedded, statusOf } from "../support/embedded.ts";
import type { TestServer } from "../support/embedded.ts";

type Tier = Readonly<Record<string, unknown>>;

const SOON_MS = 15_000;

async function tierOf(server: TestServer): Promise<Tier> {
  return (await statusOf(server))["tier"] as Tier;
}

async function until(what: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = performance.now() + SOON_MS;
  while (performance.now() < deadlineMs) {
    if (await what()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

async function metricsOf(server: TestServer): Promise<string> {
  return await (await fetch(`${server.adminEndpoint}/-/metrics`)).text();
}

/** Everything that is hot works, and probes are content. */
async function expectToServe(server: TestServer): Promise<void> {
  expect((await send(server, { method: "PUT", url: "/bucket" })).status).toBe(200);
  const body = Buffer.from("meow");
  expect((await send(server, { method: "PUT", url: "/bucket/cat", body })).status).toBe(200);
  expect((await send(server, { method: "GET", url: "/bucket/cat" })).body).toEqual(body);
  expect((await fetch(`${server.endpoint}/-/ready`)).status).toBe(200);
}

async function expectDegraded(server: TestServer, reason: string): Promise<void> {
  await expectToServe(server);
  const isTold = async (): Promise<boolean> => String((await tierOf(server))["reason"]).includes(reason);
  expect(await until(isTold)).toBe(true);
  expect(await tierOf(server)).toMatchObject({ state: "degraded" });
  expect(await metricsOf(server)).toMatch(/^thermocline_cold_degraded 1$/m);
  await expectToServe(server);
}

const s3 = (endpoint: string) => ({
  url: "s3://cold/p",
  endpoint,
  accessKey: "AKIA",
  secretKey: "secret",
});

/** Of the log alone: the folder of the cold tier is on another one. */
class BreakingDisk extends NodeDisk {
  isBroken = false;

  override async open(...opened: Parameters<NodeDisk["open"]>): ReturnType<NodeDisk["open"]> {
    const file = await super.open(...opened);
    if (!opened[0].includes("/data/log/")) return file;
    const write = file.write.bind(file);
    file.write = async (source, position) => {
      if (this.isBroken) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      await write(source, position);
    };
    return file;
  }
}

test.each([
  ["puts a last tail", false],
  ["puts nothing any more after its disk has failed", true],
])("a server that stops %s", async (_what, isBroken) => {
  await using directory = await temporaryDirectory();
  const disk = new BreakingDisk();
  const cold = `${directory.path}/cold`;
  const addresses = { s3: { addr: "127.0.0.1:0" }, admin: { addr: "127.0.0.1:0" } };
  const { config } = load({
    command: "dev",
    options: {
      dataDir: `${directory.path}/data`,
      ...addresses,
      recoveryPoint: "1h",
      cold: { url: `folder:${cold}` },
    },
  });
  const openStorage = () => ({ ...directoryStorage(), disk });
  const server = await startServer(config, { logger: silentLogger, openStorage });
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = rootOf(config);
  const credentials = { accessKeyId, secretAccessKey };
  const of = { endpoint: endpointOf(server.s3), adminEndpoint: endpointOf(server.admin), credentials };
  const point = async () => ((await statusOf(of))["tier"] as Tier)["restorePointIndex"];
  await expect.poll(point, { timeout: SOON_MS }).toBeGreaterThan(0);
  expect((await send(of, { method: "PUT", url: "/bucket" })).status).toBe(200);
  const tails = async () =>
    (await readdir(cold, { recursive: true })).filter((name) => /\/tail\/./.test(name));
  const before = await tails();
  disk.isBroken = isBroken;
  if (isBroken) {
    void send(of, { method: "PUT", url: "/other" }).catch(() => undefined);
    await server.failed;
  }
  await server.close();
  const after = (await tails()).filter((name) => !before.includes(name));
  expect(after.length > 0).toBe(!isBroken);
});

test("a tier that is down keeps nobody from starting, serving and being ready", async () => {
  const stub = await startStub(accept);
  await stub[Symbol.asyncDispose]();
  await using server = await startEmbedded({ cold: s3(stub.endpoint) });
  await expectDegraded(server, "ECONNREFUSED");
});

test("a tier that refuses us is told with what it says, and how to mend it", async () => {
  await using stub = await startStub(refuse(403, "InvalidAccessKeyId"));
  await using server = await startEmbedded({ cold: s3(stub.endpoint) });
  await expectDegraded(server, "InvalidAccessKeyId");
});

test("a bucket that is not there is told by name", async () => {
  await using stub = await startStub(refuse(404, "NoSuchBucket"));
  await using server = await startEmbedded({ cold: s3(stub.endpoint) });
  await expectDegraded(server, "create the bucket, or mend cold.url");
});

test("a tier that works is told in figures, and has a restore point after seconds", async () => {
  await using server = await startEmbedded({ recoveryPoint: "2s" });
  await expectToServe(server);
  const isCovered = async (): Promise<boolean> => {
    const { restorePointIndex, recoveryPointSeconds } = await tierOf(server);
    return Number(restorePointIndex) > 0 && recoveryPointSeconds === 0;
  };
  expect(await until(isCovered)).toBe(true);
  const status = await tierOf(server);
  expect(status).toMatchObject({ state: "ok", place: `folder:${server.dataDir}/cold` });
  const page = await metricsOf(server);
  expect(page).toMatch(/^thermocline_recovery_point_seconds 0$/m);
  expect(page).toMatch(/^thermocline_cold_degraded 0$/m);
  expect(page).toMatch(/^thermocline_cold_restore_point_index [1-9]\d*$/m);
  expect(page).toMatch(/^thermocline_cold_uploaded_segments_total 0$/m);
});

test("a server in memory has no cold tier, and wants none", async () => {
  await expect(createServer({ memory: true, settings: { cold: { url: "folder:/x" } } })).rejects.toThrow(
    "memory and settings.cold exclude each other",
  );
  await using server = await createServer({ memory: true });
  expect(await statusOf(server)).not.toHaveProperty("tier");
});
