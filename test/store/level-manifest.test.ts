/**
 * Promises of reading a manifest, on those that LevelDB itself wrote: it names the tables that belong to the
 * directory, and no other; what LevelDB would not open is damage.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { ClassicLevel } from "classic-level";
import { expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { DamageError } from "../../src/base/errors.ts";
import { readManifest } from "../../src/store/level-manifest.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { cutTo, flipBit, sizeOf } from "./bytes-of-files.ts";

const disk = new NodeDisk();

/** Many small tables, some of them merged into others. */
async function makeTables(path: string, rounds: number): Promise<void> {
  const level = new ClassicLevel(path, { writeBufferSize: 64 * 1024, maxFileSize: 1024 * 1024 });
  for (let round = 0; round < rounds; round++) {
    const rows = Array.from({ length: 300 }, (_, at) => ({
      type: "put" as const,
      key: `${(at * 7919) % 1000}/${round}`,
      value: String(Math.imul(at + round, 2654435761)).repeat(30),
    }));
    await level.batch(rows);
  }
  if (rounds > 5) await level.compactRange("2", "4");
  await level.close();
}

/** LevelDB removes what does not belong to it when it is opened: what is there after a close is its own. */
async function tablesIn(path: string): Promise<readonly number[]> {
  const level = new ClassicLevel(path);
  await level.open();
  await level.close();
  const names = (await readdir(path)).filter((name) => name.endsWith(".ldb"));
  return names.map((name) => Number.parseInt(name, 10)).toSorted((a, b) => a - b);
}

test.each([1, 4, 40])(
  "after %d rounds of writes it names exactly the tables that are there",
  async (rounds) => {
    await using directory = await temporaryDirectory();
    await makeTables(directory.path, rounds);
    const tables = await tablesIn(directory.path);
    const manifest = await readManifest(disk, directory.path);
    expect([...(manifest?.tables ?? [])].toSorted((a, b) => a - b)).toEqual(tables);
    expect(tables.length).toBeGreaterThan(0);
    expect(await readdir(directory.path)).toContain(manifest?.name);
  },
);

test("a table that it does not name is none of its tables", async () => {
  await using directory = await temporaryDirectory();
  await makeTables(directory.path, 4);
  await writeFile(`${directory.path}/000999.ldb`, "half of a table");
  expect((await readManifest(disk, directory.path))?.tables.has(999)).toBe(false);
});

test("a manifest of many edits, over several blocks of 32 KiB", async () => {
  await using directory = await temporaryDirectory();
  const level = new ClassicLevel(directory.path, { writeBufferSize: 64 * 1024 });
  const key = "k".repeat(4000);
  for (let round = 0; round < 60; round++) {
    await level.batch([
      { type: "put", key: `${key}${round}`, value: "v".repeat(70_000) },
      { type: "put", key: `z${key}${round}`, value: "v" },
    ]);
  }
  await level.close();
  const manifest = await readManifest(disk, directory.path);
  expect(await sizeOf(`${directory.path}/${manifest?.name}`)).toBeGreaterThan(2 * 32 * 1024);
  const named = [...(manifest?.tables ?? [])].map((number) => `${String(number).padStart(6, "0")}.ldb`);
  const there = (await readdir(directory.path)).filter((name) => name.endsWith(".ldb"));
  expect(named.filter((name) => !there.includes(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(1);
});

test("an absent directory has no manifest", async () => {
  await using directory = await temporaryDirectory();
  expect(await readManifest(disk, `${directory.path}/nothing`)).toBeUndefined();
});

test("an edit that its writer did not finish is none", async () => {
  await using directory = await temporaryDirectory();
  await makeTables(directory.path, 4);
  const whole = await readManifest(disk, directory.path);
  const path = `${directory.path}/${whole?.name}`;
  const size = await sizeOf(path);
  await writeFile(path, Buffer.concat([await readFile(path), Buffer.of(1, 2, 3, 4, 200, 0, 1, 7)]));
  expect((await readManifest(disk, directory.path))?.tables).toEqual(whole?.tables);
  await cutTo(path, size + 3);
  expect((await readManifest(disk, directory.path))?.tables).toEqual(whole?.tables);
});

test("a flipped bit in it, or in the name of it, is damage", async () => {
  await using directory = await temporaryDirectory();
  await makeTables(directory.path, 4);
  const name = (await readManifest(disk, directory.path))?.name ?? "";
  for (const at of [0, 6, 9, 30]) {
    await flipBit(`${directory.path}/${name}`, at);
    await expect(readManifest(disk, directory.path)).rejects.toThrow(DamageError);
    await flipBit(`${directory.path}/${name}`, at);
  }
  await flipBit(`${directory.path}/CURRENT`, 3);
  await expect(readManifest(disk, directory.path)).rejects.toThrow("names no manifest");
});
