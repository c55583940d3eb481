/**
 * Some of the flipped bits of the full run (`npm run long -- bit-flips`), and every region of a LevelDB
 * table.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { checkTables } from "../../src/store/check-tables.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { runBitFlips } from "./bit-flips.ts";

test("a flipped bit is mended or named, and never a wrong byte", { timeout: 240_000 }, async () => {
  const counts = await runBitFlips({ seed: "first", count: 120 });
  expect(counts.failures).toEqual([]);
  expect(counts.tried).toBe(120);
});

test("no byte of a table goes unchecked, its filter least of all", async () => {
  await using directory = await temporaryDirectory();
  for (let round = 0; round < 2; round++) {
    // LevelDB makes a table of its log when it is opened again.
    const store = await LevelIndexStore.open(directory.path);
    const batch = store.batch();
    for (let at = 0; at < 500; at++) batch.put(`object/${round}/${at}`, Buffer.alloc(20, at));
    await batch.write();
    await store.close();
  }
  const disk = new NodeDisk();
  expect(await checkTables(disk, directory.path)).toBeUndefined();
  const name = (await readdir(directory.path)).find((candidate) => candidate.endsWith(".ldb")) ?? "";
  const path = `${directory.path}/${name}`;
  const bytes = await readFile(path);
  const unnoticed: number[] = [];
  // Between the two handles of the footer and its magic number there is padding that means nothing.
  for (let at = 0; at < bytes.length - 48; at += 7) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] as number) ^ 4;
    await writeFile(path, flipped);
    if ((await checkTables(disk, directory.path)) === undefined) unnoticed.push(at);
  }
  expect(unnoticed).toEqual([]);
});
