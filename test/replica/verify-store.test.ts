/** What `verify` tells and leaves alone: it only reads, and the start must not know better than it. */
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { markKey } from "../../src/store/flush-ring.ts";
import { snapshot } from "../crash/salvage-world.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import { verifyDirectory } from "../support/verify-directory.ts";

async function fill(directory: string): Promise<void> {
  await using store = await openStore(directory);
  await store.service.buckets.create({ name: "bucket", owner: "root", location: "" });
}

test.each(["vote", "acked"])("a missing %s file is told and not made", async (name) => {
  await using directory = await temporaryDirectory();
  await fill(directory.path);
  expect((await verifyDirectory(directory.path)).ok).toBe(true);
  await rm(`${directory.path}/${name}`);
  const report = await verifyDirectory(directory.path);
  expect(report.ok).toBe(false);
  expect(report.lines.join("\n")).toContain(name);
  expect(await readdir(directory.path)).not.toContain(name);
});

test("a directory of a newer release is refused, as at a start", async () => {
  await using directory = await temporaryDirectory();
  await fill(directory.path);
  const path = `${directory.path}/node.json`;
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"format": 1', '"format": 9'));
  await expect(verifyDirectory(directory.path)).rejects.toThrow("a newer release wrote it");
});

test("nothing in the directory changes, not even a time", async () => {
  await using directory = await temporaryDirectory();
  // As after a crash: LevelDB has a log of its own to take up, and would write a table for it.
  const path = `${directory.path}/copy`;
  {
    await using store = await openStore(`${directory.path}/data`);
    await store.service.buckets.create({ name: "bucket", owner: "root", location: "" });
    await store.node.index.flushedThrough(store.node.index.appliedIndex);
    await cp(`${directory.path}/data`, path, { recursive: true });
  }
  const before = await snapshot(path);
  expect((await verifyDirectory(path)).lines).toContain("everything matches");
  expect(await snapshot(path)).toEqual(before);
});

test("a copy without a lock is looked at, and that nobody could lock it is told", async () => {
  await using directory = await temporaryDirectory();
  await fill(directory.path);
  await rm(`${directory.path}/lock`, { recursive: true });
  const report = await verifyDirectory(directory.path);
  expect(report.ok).toBe(true);
  expect(report.lines.join("\n")).toContain("could not be locked");
  expect(await readdir(directory.path)).not.toContain("lock");
});

test("a rotten mark of the index is named, with what the next start does about it", async () => {
  await using directory = await temporaryDirectory();
  await fill(directory.path);
  const index = await LevelIndexStore.open(`${directory.path}/index`);
  const batch = index.batch();
  batch.put(markKey(1), Buffer.from("rot"));
  await batch.write();
  await index.close();
  const report = await verifyDirectory(directory.path);
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
