/**
 * Promises of a data directory: it comes back from any stop with what was acknowledged, the index is only a
 * copy of the log, and what could lose or falsify something is refused with a reason.
 */
import { readdir, rm, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { RefusedError } from "../../src/base/errors.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { flipBit } from "../store/bytes-of-files.ts";
import { FailingDisk, systemError } from "../store/failing-disk.ts";
import { nodeOptions, openStore, temporaryDirectory } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";
import { StorageNode } from "../../src/replica/storage-node.ts";
import { patternBytes } from "../segment/records.ts";
import { putCommand } from "./node-world.ts";

const small = { segmentBytes: 64 * 1024 };
const none = { kind: "none" } as const;

async function put(store: OpenStore, key: string, size: number): Promise<void> {
  const bytes = patternBytes(size, key.length);
  const etag = String(size).padStart(32, "0");
  const body = { kind: "bytes" as const, bytes };
  await store.service.objects.put({
    bucket: "b",
    key,
    etag,
    attributes: NO_ATTRIBUTES,
    body,
    condition: none,
  });
}

/** Some segments of objects of all sizes, overwrites and deletes among them. */
async function fill(store: OpenStore, from = 0): Promise<void> {
  await store.service.buckets.create({ name: "b", owner: "root", location: "" });
  for (let at = from; at < from + 60; at++) {
    await put(store, `k${at % 40}`, (at * 397) % 20_000);
    if (at % 7 === 0)
      await store.service.objects.delete({ bucket: "b", key: `k${at % 30}`, condition: none });
  }
}

type Seen = readonly (readonly [key: string, size: number, etag: string, intact: boolean])[];

async function everything(store: OpenStore): Promise<Seen> {
  const cursor = await store.service.objects.list({ bucket: "b", prefix: "", from: "" });
  const listed = (await cursor?.next(10_000)) ?? [];
  await cursor?.close();
  const seen: [string, number, string, boolean][] = [];
  for (const { key, size, etag } of listed) {
    const found = await store.service.objects.find(`b/${key}`);
    const intact = Buffer.from(found?.bytes ?? []).equals(patternBytes(size, key.length));
    seen.push([key, size, etag, intact && found?.etag === etag]);
  }
  return seen;
}

/** Opens, compares, closes. */
async function holds(directory: string, wanted: Seen): Promise<string | undefined> {
  await using store = await openStore(directory, small);
  expect(await everything(store)).toEqual(wanted);
  expect(wanted.every(([, , , intact]) => intact)).toBe(true);
  return store.node.indexRebuilt;
}

async function filled(directory: string): Promise<Seen> {
  await using store = await openStore(directory, small);
  await fill(store);
  return await everything(store);
}

const segmentPath = (directory: string, id: number): string =>
  `${directory}/log/${String(id).padStart(10, "0")}.seg`;

describe("coming back", () => {
  test("from a clean stop: everything is there and nothing is replayed", async () => {
    await using directory = await temporaryDirectory();
    const wanted = await filled(directory.path);
    expect(wanted.length).toBeGreaterThan(20);
    await using store = await openStore(directory.path, small);
    expect(await everything(store)).toEqual(wanted);
    expect([store.node.replayedEntries, store.node.indexRebuilt]).toEqual([0, undefined]);
  });

  test("without the index: it is built from the log and equals the earlier one", async () => {
    await using directory = await temporaryDirectory();
    const wanted = await filled(directory.path);
    const status = async (): Promise<object> => {
      await using store = await openStore(directory.path, small);
      const { liveBytes, segments } = store.service.status();
      return { liveBytes, segments, bucket: store.service.buckets.find("b") };
    };
    const before = await status();
    await rm(`${directory.path}/index`, { recursive: true });
    await holds(directory.path, wanted);
    expect(await status()).toEqual(before);
  });

  test("with a damaged table in the index: it is built anew", async () => {
    await using directory = await temporaryDirectory();
    const wanted = await filled(directory.path);
    // LevelDB moves its log into a table when it is opened again.
    await holds(directory.path, wanted);
    const tables = (await readdir(`${directory.path}/index`)).filter((name) => name.endsWith(".ldb"));
    await flipBit(`${directory.path}/index/${tables[0]}`, 300);
    expect(await holds(directory.path, wanted)).toContain(tables[0]);
    expect(await holds(directory.path, wanted)).toBeUndefined();
  });

  test("with lost footers anywhere in the log, and no index", async () => {
    await using directory = await temporaryDirectory();
    const wanted = await filled(directory.path);
    for (const id of [1, 3]) await flipBit(segmentPath(directory.path, id), -10);
    await rm(`${directory.path}/index`, { recursive: true });
    await holds(directory.path, wanted);
    await holds(directory.path, wanted);
  });

  test("and going on: any number of starts, each with more writes", async () => {
    await using directory = await temporaryDirectory();
    let wanted: Seen = [];
    for (let round = 0; round < 4; round++) {
      await using store = await openStore(directory.path, small);
      if (round > 0) expect(await everything(store)).toEqual(wanted);
      await fill(store, round * 60);
      wanted = await everything(store);
      expect(store.node.replica.term).toBe(round + 1);
    }
    await holds(directory.path, wanted);
  });
});

describe("refusals", () => {
  test("a second process on the same directory", async () => {
    await using directory = await temporaryDirectory();
    await using store = await openStore(directory.path, small);
    await expect(openStore(directory.path, small)).rejects.toThrow("another process uses");
    await put(store, "k", 1);
  });

  test("a vote file that is older than the log", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await rm(`${directory.path}/vote`);
    const opening = openStore(directory.path, small);
    await expect(opening).rejects.toThrow(RefusedError);
    await expect(opening).rejects.toThrow("older than the log");
  });

  test("an index that is ahead of the log", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    for (const name of ["acked", "vote"]) await rm(`${directory.path}/${name}`);
    for (const name of await readdir(`${directory.path}/log`)) await rm(`${directory.path}/log/${name}`);
    await expect(openStore(directory.path, small)).rejects.toThrow("has applied entry");
  });

  test("a damaged acknowledged record, with its file and entry; and nothing was changed", async () => {
    await using directory = await temporaryDirectory();
    const wanted = await filled(directory.path);
    const last = (await readdir(`${directory.path}/log`)).toSorted().at(-2) as string;
    const path = `${directory.path}/log/${last}`;
    await flipBit(path, 200);
    await expect(openStore(directory.path, small)).rejects.toThrow(path);
    await flipBit(path, 200);
    await holds(directory.path, wanted);
  });

  test("a directory that is refused is free for the next attempt", async () => {
    await using directory = await temporaryDirectory();
    await writeFile(`${directory.path}/mine.txt`, "");
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(openStore(directory.path, small)).rejects.toThrow("mine.txt");
    }
    await rm(`${directory.path}/mine.txt`);
    await (await openStore(directory.path, small))[Symbol.asyncDispose]();
  });

  test("a start that fails at any step lets go of everything", async () => {
    await using directory = await temporaryDirectory();
    const wanted = await filled(directory.path);
    let operations = 0;
    const counting = new FailingDisk();
    counting.before = () => void operations++;
    await (await StorageNode.open(nodeOptions(directory.path, { ...small, disk: counting }))).close();
    expect(counting.openFiles).toBe(0);
    const leaks: string[] = [];
    for (let nth = 1; nth <= operations; nth++) {
      const disk = new FailingDisk();
      let count = 0;
      let failed = "";
      disk.before = ({ kind, path }) => {
        if (++count !== nth || kind === "space") return;
        failed = `${kind} ${path}`;
        throw systemError("EIO");
      };
      const options = nodeOptions(directory.path, { ...small, disk, onFatal: () => undefined });
      const opened = await StorageNode.open(options).catch(() => undefined);
      await opened?.close().catch(() => undefined);
      leaks.push(...(disk.openFiles === 0 ? [] : [`step ${nth}: ${failed}`]));
    }
    expect(leaks).toEqual([]);
    await holds(directory.path, wanted);
  });
});

describe("closing", () => {
  test("twice is harmless, and writes after it are refused", async () => {
    await using directory = await temporaryDirectory();
    const store = await openStore(directory.path, small);
    await fill(store);
    await Promise.all([store.node.close(), store.node.close()]);
    await store.node.close();
    await expect(store.node.replica.propose(putCommand("k"))).rejects.toThrow("stopping");
  });

  test("leaves no file open", async () => {
    await using directory = await temporaryDirectory();
    const disk = new FailingDisk();
    const store = await openStore(directory.path, { ...small, disk });
    await fill(store);
    await everything(store);
    await store.node.close();
    expect(disk.openFiles).toBe(0);
  });
});
