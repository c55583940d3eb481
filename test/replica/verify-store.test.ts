/** What `verify` tells and leaves alone: it only reads, and the start must not know better than it. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { verifyStore } from "../../src/replica/verify-store.ts";
import type { VerifyReport } from "../../src/replica/verify-store.ts";
import { markKey } from "../../src/store/flush-ring.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";

async function verify(directory: string): Promise<VerifyReport> {
  const openIndexStore = (path: string): Promise<LevelIndexStore> => LevelIndexStore.open(path);
  return await verifyStore({ disk: new NodeDisk(), directory, openIndexStore });
}

async function fill(directory: string): Promise<void> {
  await using store = await openStore(directory);
  await store.service.buckets.create({ name: "bucket", owner: "root", location: "" });
}

test.each(["vote", "acked"])("a missing %s file is told and not made", async (name) => {
  await using directory = await temporaryDirectory();
  await fill(directory.path);
  expect((await verify(directory.path)).ok).toBe(true);
  await rm(`${directory.path}/${name}`);
  const report = await verify(directory.path);
  expect(report.ok).toBe(false);
  expect(report.lines.join("\n")).toContain(name);
  expect(await readdir(directory.path)).not.toContain(name);
});

test("a rotten mark of the index is named, with what the next start does about it", async () => {
  await using directory = await temporaryDirectory();
  await fill(directory.path);
  const index = await LevelIndexStore.open(`${directory.path}/index`);
  const batch = index.batch();
  batch.put(markKey(1), Buffer.from("rot"));
  await batch.write();
  await index.close();
  const report = await verify(directory.path);
  expect(report.ok).toBe(false);
  expect(report.lines.join("\n")).toMatch(/^DAMAGED index: .*mark.*the next start makes the index again/m);
});

test("nothing is written into a directory that is somebody else's", async () => {
  await using directory = await temporaryDirectory();
  const foreign = `${directory.path}/photos`;
  await mkdir(foreign);
  await writeFile(`${foreign}/cat.jpg`, "meow");
  await expect(openStore(foreign)).rejects.toThrow("is not empty and not a data directory");
  expect(await readdir(foreign)).toEqual(["cat.jpg"]);
});
