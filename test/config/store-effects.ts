/**
 * Effects of the settings that bound the store: how much one write of the log takes, what waits for the
 * index, when snapshots are made, and what they give back. Each case sees the difference from outside a
 * server; to hold the disk or the index still, it starts one over a disk and an index that can be held.
 */
import { expect } from "vitest";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { createServer } from "../../src/index.ts";
import type { MemoryServer, ServerOptions } from "../../src/index.ts";
import { endpointOf, rootOf, startServer } from "../../src/start-server.ts";
import { FailingDisk } from "../store/failing-disk.ts";
import { GatedIndexStore } from "../store/gated-index-store.ts";
import { send, statusOf } from "../support/embedded.ts";
import type { Addressed } from "../support/embedded.ts";
import { silentLogger, temporaryDirectory } from "../support/open-store.ts";
import { load } from "./load.ts";

type Effect = () => Promise<void>;
type Settings = NonNullable<ServerOptions["settings"]>;

const KIB = 1024;
/** For whatever is to happen, and for what must not. */
const SOON_MS = 20_000;
const QUIET_MS = 700;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** As long as it is closed, whoever comes waits. */
class Gate {
  #opened = Promise.withResolvers<void>();

  constructor() {
    this.open();
  }

  get passage(): Promise<void> {
    return this.#opened.promise;
  }

  close(): void {
    this.#opened = Promise.withResolvers<void>();
  }

  open(): void {
    this.#opened.resolve();
  }
}

type HeldServer = Addressed & {
  /** Writes of the log wait here, and those of the index there. */
  readonly log: Gate;
  readonly index: Gate;
};

async function onHeld(settings: Settings, check: (server: HeldServer) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  const addresses = { s3: { addr: "127.0.0.1:0" }, admin: { addr: "127.0.0.1:0" } };
  const options = { dataDir: `${directory.path}/data`, ...addresses, ...settings };
  const { config } = load({ command: "dev", options });
  const [log, index] = [new Gate(), new Gate()];
  const disk = new FailingDisk();
  disk.before = async ({ kind, path }) => {
    if (kind === "write" && path.includes("/log/")) await log.passage;
  };
  const openIndexStore = async (path: string): Promise<GatedIndexStore> => {
    const gated = new GatedIndexStore(await LevelIndexStore.open(path));
    gated.beforeWrite = () => index.passage;
    return gated;
  };
  const openStorage = (): { disk: FailingDisk; openIndexStore: typeof openIndexStore } => ({
    disk,
    openIndexStore,
  });
  const running = await startServer(config, { logger: silentLogger, openStorage });
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = rootOf(config);
  try {
    const server: HeldServer = {
      endpoint: endpointOf(running.s3),
      adminEndpoint: endpointOf(running.admin),
      credentials: { accessKeyId, secretAccessKey },
      log,
      index,
    };
    expect((await send(server, { method: "PUT", url: "/bucket" })).status).toBe(200);
    await check(server);
  } finally {
    log.open();
    index.open();
    await running.close();
  }
}

async function put(server: Addressed, key: string, body = Buffer.from("x")): Promise<number> {
  return (await send(server, { method: "PUT", url: `/bucket/${key}`, body })).status;
}

type Rows = { readonly count: number; readonly keyBytes: number; readonly times: number };

/** One write of so many empty objects, and so of as many rows. */
async function putMany(server: Addressed, { count, keyBytes }: Rows, round: number): Promise<void> {
  const operations = Array.from({ length: count }, (_, at) => {
    const key = `${round}-${at}-`.padEnd(keyBytes, "k");
    return { op: "put", key, size: 0 };
  });
  const body = Buffer.from(`${JSON.stringify({ operations })}\n`);
  const headers = { "content-type": "application/x-thermocline-batch" };
  expect((await send(server, { method: "POST", url: "/bucket?batch", headers, body })).status).toBe(200);
}

/** The answer, if there is one before long. */
async function soon(answer: Promise<number>): Promise<number | "waits"> {
  return await Promise.race([answer, sleep(QUIET_MS).then(() => "waits" as const)]);
}

/** A write that comes when so many rows could not be flushed: whether it is answered, and then that it is. */
async function writeBehind(overlay: Settings, rows: Rows): Promise<number | "waits"> {
  let seen: number | "waits" = "waits";
  await onHeld({ overlay }, async (server) => {
    server.index.close();
    for (let round = 0; round < rows.times; round++) await putMany(server, rows, round);
    const late = put(server, "late");
    seen = await soon(late);
    server.index.open();
    expect(await late).toBe(200);
  });
  return seen;
}

async function inMemory(settings: Settings, check: (server: MemoryServer) => Promise<void>): Promise<void> {
  await using server = await createServer({ memory: true, buckets: ["bucket"], settings });
  await check(server);
}

async function logWrites(server: Addressed): Promise<number> {
  const page = (await send(server, { method: "GET", url: "/-/metrics", toAdmin: true })).body.toString();
  return Number(/^thermocline_log_batch_bytes_count (\d+)$/m.exec(page)?.[1]);
}

async function numberOf(server: Addressed, name: string): Promise<number> {
  return Number((await statusOf(server))[name]);
}

/** Whether it rises above 0 in the time that is given. */
async function rises(server: Addressed, name: string, withinMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs;
  while (performance.now() < deadlineMs) {
    if ((await numberOf(server, name)) > 0) return true;
    await sleep(50);
  }
  return false;
}

async function fill(server: Addressed, mebibytes: number): Promise<void> {
  const body = Buffer.alloc(64 * KIB, 1);
  for (let at = 0; at < mebibytes * 16; at++) expect(await put(server, `key-${at}`, body)).toBe(200);
}

/** Of two servers that differ in one setting the first one does it, and the other does not. */
async function onlyFirst(
  [first, other]: readonly [Settings, Settings],
  name: string,
  work: (server: Addressed) => Promise<void>,
): Promise<void> {
  await inMemory(first, async (server) => {
    await work(server);
    expect(await rises(server, name, SOON_MS)).toBe(true);
  });
  await inMemory(other, async (server) => {
    await work(server);
    expect(await rises(server, name, 2 * QUIET_MS)).toBe(false);
  });
}

const eager = { snapshotLogsSinceLast: "1", maxInSnapshotLogToKeep: "0" };
const often = { snapshotAfter: "1MiB" };

/** Two segments, of which the first one loses an eighth. */
async function lose(server: Addressed): Promise<void> {
  await fill(server, 6);
  expect(await rises(server, "floorIndex", SOON_MS)).toBe(true);
  for (let at = 0; at < 16; at++) {
    expect((await send(server, { method: "DELETE", url: `/bucket/key-${at}` })).status).toBe(204);
  }
}

export const storeEffects: Readonly<Record<string, Effect>> = {
  "raft.snapshotLogsSinceLast": () =>
    onlyFirst(
      [
        { space: often, raft: { snapshotLogsSinceLast: "1" } },
        { space: often, raft: { snapshotLogsSinceLast: "1000" } },
      ],
      "snapshotIndex",
      (server) => fill(server, 2),
    ),

  "raft.maxInSnapshotLogToKeep": () =>
    onlyFirst(
      [
        { space: often, raft: eager },
        { space: often, raft: { ...eager, maxInSnapshotLogToKeep: "100000" } },
      ],
      "floorIndex",
      async (server) => {
        await fill(server, 6);
        expect(await rises(server, "snapshotIndex", SOON_MS)).toBe(true);
      },
    ),

  "space.snapshotAfter": () =>
    onlyFirst(
      [
        { space: often, raft: eager },
        { space: { snapshotAfter: "64MiB" }, raft: eager },
      ],
      "snapshotIndex",
      (server) => fill(server, 2),
    ),

  "space.livePercentMin": () =>
    onlyFirst(
      [
        { space: { ...often, livePercentMin: "90" }, raft: eager },
        { space: { ...often, livePercentMin: "10" }, raft: eager },
      ],
      "reclaimedBytes",
      lose,
    ),

  "space.bytesPerSecondMax": () =>
    onlyFirst(
      [
        { space: { ...often, livePercentMin: "90", bytesPerSecondMax: "1GiB" }, raft: eager },
        { space: { ...often, livePercentMin: "90", bytesPerSecondMax: "1MiB" }, raft: eager },
      ],
      "reclaimedBytes",
      lose,
    ),

  "limits.batchBytesMax": async () => {
    const writesWith = async (batchBytesMax: string): Promise<number> => {
      let writes = 0;
      await onHeld({ limits: { batchBytesMax } }, async (server) => {
        const before = await logWrites(server);
        server.log.close();
        const body = Buffer.alloc(64 * KIB, 1);
        const puts = Array.from({ length: 64 }, (_, at) => put(server, `key-${at}`, body));
        // Most of them come while the first of them is being written.
        await sleep(QUIET_MS);
        server.log.open();
        expect(new Set(await Promise.all(puts))).toEqual(new Set([200]));
        writes = (await logWrites(server)) - before;
      });
      return writes;
    };
    expect(await writesWith("1MiB")).toBeGreaterThanOrEqual(4);
    expect(await writesWith("16MiB")).toBeLessThanOrEqual(3);
  },

  "overlay.rowsMax": async () => {
    const rows = { count: 1000, keyBytes: 20, times: 2 };
    expect(await writeBehind({ rowsMax: "1024" }, rows)).toBe("waits");
    expect(await writeBehind({ rowsMax: "4096" }, rows)).toBe(200);
  },

  "overlay.bytesMax": async () => {
    const rows = { count: 1000, keyBytes: 1000, times: 1 };
    expect(await writeBehind({ bytesMax: "1MiB" }, rows)).toBe("waits");
    expect(await writeBehind({ bytesMax: "4MiB" }, rows)).toBe(200);
  },

  "iterators.max": async () => {
    const statusesWith = async (max: string): Promise<ReadonlySet<number>> => {
      let seen: ReadonlySet<number> = new Set();
      await onHeld({ iterators: { max } }, async (server) => {
        server.index.close();
        expect(await put(server, "key")).toBe(200);
        // Those that have a place wait until what was put is flushed.
        const lists = Array.from({ length: 12 }, async () => {
          return (await send(server, { method: "GET", url: "/bucket" })).status;
        });
        await Promise.all(lists.map((list) => soon(list)));
        server.index.open();
        seen = new Set(await Promise.all(lists));
      });
      return seen;
    };
    expect(await statusesWith("8")).toEqual(new Set([200, 503]));
    expect(await statusesWith("64")).toEqual(new Set([200]));
  },
};
