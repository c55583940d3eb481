/**
 * Data of every released version opens in this one, and its formats are written byte for byte as they were.
 */
import { cp, readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { StorageNode } from "../../src/replica/storage-node.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { describeStore } from "./describe-store.ts";
import { goldenBytes } from "./golden-bytes.ts";
import { GOLDEN_TIME_MS } from "./make-data-directory.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const readJson = async (name: string): Promise<unknown> => JSON.parse(await readFile(here(name), "utf8"));

/** A copy that a test may change; the clock stands where it stood when the directory was made. */
async function openCopy(change: (directory: string) => Promise<void> = () => Promise.resolve()) {
  const directory = await temporaryDirectory();
  await cp(here("data-v1"), directory.path, { recursive: true });
  await change(directory.path);
  const store = await openStore(directory.path, { clock: new ManualClock(GOLDEN_TIME_MS + 2000) });
  const dispose = async (): Promise<void> => {
    await store.node.close();
    await directory[Symbol.asyncDispose]();
  };
  return { ...store, directory: directory.path, [Symbol.asyncDispose]: dispose };
}

test("the formats of version 1 are written byte for byte as they were", async () => {
  expect(await goldenBytes()).toEqual(await readJson("bytes-v1.json"));
});

describe("the data directory of version 1", () => {
  test("opens, and everything in it is as it was", async () => {
    await using store = await openCopy();
    expect(store.node).toBeInstanceOf(StorageNode);
    expect(store.node.indexRebuilt).toBeUndefined();
    expect(await describeStore(store.service)).toEqual(await readJson("data-v1.json"));
  });

  test("opens from its log alone, and everything in it is as it was", async () => {
    await using store = await openCopy((directory) => rm(`${directory}/index`, { recursive: true }));
    expect(store.node.replayedEntries).toBeGreaterThan(50);
    expect(store.service.status().segments).toBeGreaterThan(2);
    expect(await describeStore(store.service)).toEqual(await readJson("data-v1.json"));
  });

  test("can be written to, and opens again after", async () => {
    await using store = await openCopy();
    const { service, node, directory } = store;
    await service.buckets.create({ name: "new", owner: "root", location: "" });
    const before = await describeStore(service);
    await node.close();
    await using again = await openStore(directory, { clock: new ManualClock(GOLDEN_TIME_MS + 3000) });
    expect(again.node.replica.term).toBe(node.replica.term + 1);
    expect(await describeStore(again.service)).toEqual(before);
  });
});
