/**
 * Effects of the settings of the cold tier: each case starts a server over a bucket that remembers what it
 * was asked, with segments so small that there is something to upload, and sees the difference there.
 */
import { existsSync } from "node:fs";
import { expect } from "vitest";
import { directoryStorage } from "../../src/adapters/directory-storage.ts";
import type { ServerOptions } from "../../src/index.ts";
import { endpointOf, rootOf, startServer } from "../../src/start-server.ts";
import { send, statusOf } from "../support/embedded.ts";
import type { Addressed } from "../support/embedded.ts";
import { silentLogger, temporaryDirectory } from "../support/open-store.ts";
import { startStubBucket } from "../support/stub-bucket.ts";
import type { SeenRequest, StubBucket } from "../support/stub-bucket.ts";
import { load } from "./load.ts";

type Effect = () => Promise<void>;
type Settings = NonNullable<ServerOptions["settings"]>;

const KIB = 1024;
const SEGMENT_BYTES = 256 * KIB;
const SOON_MS = 20_000;
const QUIET_MS = 2500;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Tiered = Addressed & { readonly bucket: StubBucket; readonly dataDir: string };

async function on(settings: Settings, check: (server: Tiered) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  await using bucket = await startStubBucket();
  const cold = { url: "s3://cold/p", endpoint: bucket.endpoint, accessKey: "AKIA", secretKey: "secret" };
  const { config } = load({
    command: "dev",
    options: {
      dataDir: `${directory.path}/data`,
      s3: { addr: "127.0.0.1:0" },
      admin: { addr: "127.0.0.1:0" },
      ...settings,
      cold: { ...cold, ...(settings["cold"] as object | undefined) },
    },
  });
  const openStorage = () => ({ ...directoryStorage(), segmentBytes: SEGMENT_BYTES });
  const running = await startServer(config, { logger: silentLogger, openStorage });
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = rootOf(config);
  try {
    const server = {
      endpoint: endpointOf(running.s3),
      adminEndpoint: endpointOf(running.admin),
      credentials: { accessKeyId, secretAccessKey },
      bucket,
      dataDir: config.dataDir,
    };
    expect((await send(server, { method: "PUT", url: "/bucket" })).status).toBe(200);
    await check(server);
  } finally {
    await running.close();
  }
}

async function fill(server: Addressed, segments: number, prefix = "key"): Promise<void> {
  const body = Buffer.alloc(60 * KIB, 1);
  for (let at = 0; at < segments * 5; at++) {
    expect((await send(server, { method: "PUT", url: `/bucket/${prefix}-${at}`, body })).status).toBe(200);
  }
}

function putsOf({ requests }: StubBucket, folder: string): readonly SeenRequest[] {
  return requests.filter(({ method, url }) => method === "PUT" && url.includes(`/${folder}/`));
}

async function until(what: () => boolean | Promise<boolean>, withinMs = SOON_MS): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs;
  while (performance.now() < deadlineMs) {
    if (await what()) return true;
    await sleep(50);
  }
  return false;
}

type TierFigures = Readonly<Record<string, number | string>>;

async function tierOf(server: Addressed): Promise<TierFigures> {
  return (await statusOf(server))["tier"] as TierFigures;
}

/** The first PUT of a segment, on a server with these settings. */
async function firstPut(settings: Settings): Promise<SeenRequest> {
  let seen: SeenRequest | undefined;
  await on(settings, async (server) => {
    await fill(server, 1);
    await until(() => putsOf(server.bucket, "segments").length > 0);
    [seen] = putsOf(server.bucket, "segments");
  });
  if (seen === undefined) throw new Error("no segment was put");
  return seen;
}

/** Whether a segment comes into the bucket, soon or within the given time. */
async function uploads(settings: Settings, withinMs?: number): Promise<boolean> {
  let seen = false;
  await on(settings, async (server) => {
    await fill(server, 2);
    seen = await until(() => putsOf(server.bucket, "segments").length > 0, withinMs);
  });
  return seen;
}

async function uploadMs(tier: Readonly<Record<string, string>>): Promise<number> {
  let tookMs = Infinity;
  await on({ tier }, async (server) => {
    const start = performance.now();
    await fill(server, 4);
    await until(() => putsOf(server.bucket, "segments").length >= 3);
    tookMs = performance.now() - start;
  });
  return tookMs;
}

/** What `tier offload --all` comes to. */
async function offloadAll(server: Addressed): Promise<string> {
  const answer = await send(server, { method: "POST", url: "/-/tier/offload?all=true", toAdmin: true });
  expect(answer.status).toBe(200);
  return answer.body.toString();
}

export const tierEffects: Readonly<Record<string, Effect>> = {
  "cold.url": async () => {
    expect((await firstPut({})).url).toMatch(/^\/cold\/p\/[^/]+\/[^/]+\/segments\//);
    await on({ cold: { url: "none" } }, async (server) => {
      await fill(server, 1);
      await sleep(QUIET_MS);
      expect(server.bucket.requests).toEqual([]);
      expect((await statusOf(server))["tier"]).toBeUndefined();
      expect(existsSync(`${server.dataDir}/cold`)).toBe(false);
    });
  },

  "cold.endpoint": async () => {
    expect((await firstPut({})).headers.host).toMatch(/^127\.0\.0\.1:/);
  },

  "cold.region": async () => {
    const { headers } = await firstPut({ cold: { region: "eu-west-9" } });
    expect(headers.authorization).toContain("/eu-west-9/s3/");
  },

  "cold.accessKey": async () => {
    const { headers } = await firstPut({ cold: { accessKey: "AKIAOTHER" } });
    expect(headers.authorization).toContain("Credential=AKIAOTHER/");
  },

  "cold.storageClass": async () => {
    const { headers } = await firstPut({ cold: { storageClass: "segment=STANDARD_IA,tail=STANDARD" } });
    expect(headers["x-amz-storage-class"]).toBe("STANDARD_IA");
    expect((await firstPut({})).headers["x-amz-storage-class"]).toBeUndefined();
  },

  "cold.sse": async () => {
    const { headers } = await firstPut({ cold: { sse: "AES256" } });
    expect(headers["x-amz-server-side-encryption"]).toBe("AES256");
    expect((await firstPut({})).headers["x-amz-server-side-encryption"]).toBeUndefined();
  },

  "cold.sseKmsKeyId": async () => {
    const { headers } = await firstPut({ cold: { sse: "aws:kms", sseKmsKeyId: "alias/cold" } });
    expect(headers["x-amz-server-side-encryption"]).toBe("aws:kms");
    expect(headers["x-amz-server-side-encryption-aws-kms-key-id"]).toBe("alias/cold");
  },

  recoveryPoint: async () => {
    const tier = { after: "1h" };
    expect(await uploads({ recoveryPoint: "1s", tier })).toBe(true);
    expect(await uploads({ recoveryPoint: "off", tier }, QUIET_MS)).toBe(false);
  },

  hotBytesMax: async () => {
    const freed = async (hotBytesMax: string, limitMs?: number): Promise<boolean> => {
      let isFreed = false;
      const raft = { snapshotLogsSinceLast: "1", maxInSnapshotLogToKeep: "0" };
      await on({ hotBytesMax, raft, space: { snapshotAfter: "1MiB" } }, async (server) => {
        // The floor lies behind the older of two snapshots.
        for (const figure of ["snapshotIndex", "floorIndex"]) {
          await fill(server, 12, figure);
          expect(await until(async () => Number((await statusOf(server))[figure]) > 0)).toBe(true);
        }
        isFreed = await until(async () => Number((await tierOf(server))["freedSegments"]) > 0, limitMs);
      });
      return isFreed;
    };
    expect(await freed("1MiB")).toBe(true);
    expect(await freed("1GiB", QUIET_MS)).toBe(false);
  },

  "tier.after": async () => {
    const recoveryPoint = "off";
    expect(await uploads({ recoveryPoint, tier: { after: "0s" } })).toBe(true);
    expect(await uploads({ recoveryPoint, tier: { after: "1h" } }, QUIET_MS)).toBe(false);
  },

  "tier.verify": async () => {
    const bytesRead = async (verify: string): Promise<number> => {
      let bytes = 0;
      await on({ tier: { verify } }, async (server) => {
        await fill(server, 1);
        await until(async () => Number((await tierOf(server))["coldSegments"]) > 0);
        for (const { url, headers } of server.bucket.requests) {
          const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
          if (url.includes("/segments/") && to !== undefined) bytes += Number(to) + 1 - Number(from);
        }
      });
      return bytes;
    };
    expect(await bytesRead("auto")).toBeLessThanOrEqual(4 * KIB);
    expect(await bytesRead("full")).toBeGreaterThanOrEqual(SEGMENT_BYTES);
  },

  "tier.bytesPerSecondMax": async () => {
    expect(await uploadMs({ bytesPerSecondMax: "128KiB" })).toBeGreaterThan(3500);
    expect(await uploadMs({ bytesPerSecondMax: "1GiB" })).toBeLessThan(3500);
  },

  "tier.requestsPerMinuteMax": async () => {
    const withinQuiet = async (requestsPerMinuteMax: string): Promise<number> => {
      let segments = 0;
      await on({ tier: { requestsPerMinuteMax } }, async (server) => {
        await fill(server, 6);
        await until(() => putsOf(server.bucket, "segments").length >= 6, QUIET_MS);
        segments = putsOf(server.bucket, "segments").length;
      });
      return segments;
    };
    expect(await withinQuiet("6")).toBeLessThan(3);
    expect(await withinQuiet("6000")).toBeGreaterThanOrEqual(6);
  },

  "tier.pins": async () => {
    const kept = async (pins: string): Promise<number> => {
      let here = 0;
      await on({ tier: { pins } }, async (server) => {
        await fill(server, 4);
        await offloadAll(server);
        const { coldSegments, coldOnlySegments } = await tierOf(server);
        here = Number(coldSegments) - Number(coldOnlySegments);
      });
      return here;
    };
    expect(await kept("bucket/key-1")).toBeGreaterThan(0);
    expect(await kept("other")).toBe(0);
  },
};
