/**
 * Promises of the table check, on files that LevelDB itself wrote: sound ones pass, and whatever bit is
 * flipped in one is noticed or harmless, so that no row vanishes without a word.
 */
import { cp, readFile, readdir, writeFile } from "node:fs/promises";
import { ClassicLevel } from "classic-level";
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { checkTables } from "../../src/store/check-tables.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { cutTo, sizeOf } from "./bytes-of-files.ts";

const disk = new NodeDisk();

/** Keys and values that differ; some values do not compress, so that blocks of both kinds arise. */
function rowsOf(count: number): readonly (readonly [string, string])[] {
  const noise = (at: number): string => String(Math.imul(at + 1, 2654435761) >>> 0).repeat(3);
  return Array.from({ length: count }, (_, at) => [
    `object/000001/directory/${String(at).padStart(6, "0")}`,
    at % 3 === 0 ? "same ".repeat(20) : noise(at),
  ]);
}

/** A database whose rows are all in table files. */
async function makeTables(path: string, count: number, compression: boolean): Promise<void> {
  const level = new ClassicLevel(path, { compression });
  const rows = rowsOf(count);
  await level.batch(rows.map(([key, value]) => ({ type: "put" as const, key, value })));
  await level.compactRange("a", "z");
  await level.close();
}

async function tableIn(path: string): Promise<string> {
  const names = (await readdir(path)).filter((name) => name.endsWith(".ldb"));
  expect(names).toHaveLength(1);
  return `${path}/${names[0]}`;
}

/** Whether LevelDB still finds every row: by a get, which asks filters and index, and by iterating. */
async function isHarmless(path: string, count: number): Promise<boolean> {
  const level = new ClassicLevel(path);
  try {
    const rows = rowsOf(count);
    const found = await level.getMany(rows.map(([key]) => key));
    const listed = await level.iterator().all();
    return found.every((value, at) => value === rows[at]?.[1]) && listed.length === count;
  } catch {
    // It refuses to read: that is no row that vanished.
    return true;
  } finally {
    await level.close();
  }
}

describe.each([
  ["compressed", true],
  ["plain", false],
] as const)("%s tables", (_, compression) => {
  test.each([1, 10, 3000])("of %d rows pass", async (count) => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/level`;
    await makeTables(path, count, compression);
    expect(await checkTables(disk, path)).toBeUndefined();
  });

  test("with a flipped bit are noticed, or every row is still found", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/level`;
    const count = 1200;
    await makeTables(path, count, compression);
    const table = await tableIn(path);
    const sound = await readFile(table);
    let noticed = 0;
    const silent: number[] = [];
    const offsets = Array.from({ length: 200 }, (_unused, at) => Math.floor((at / 200) * sound.length));
    const tail = Array.from({ length: 400 }, (_unused, at) => sound.length - 1 - at).filter((at) => at >= 0);
    for (const offset of [...offsets, ...tail]) {
      const damaged = Buffer.from(sound);
      damaged[offset] = (damaged[offset] as number) ^ (1 << (offset & 7));
      await writeFile(table, damaged);
      if ((await checkTables(disk, path)) === undefined) silent.push(offset);
      else noticed++;
    }
    for (const offset of silent) {
      await using copy = await temporaryDirectory();
      await writeFile(table, sound);
      await cp(path, `${copy.path}/level`, { recursive: true });
      const damaged = Buffer.from(sound);
      damaged[offset] = (damaged[offset] as number) ^ (1 << (offset & 7));
      await writeFile(await tableIn(`${copy.path}/level`), damaged);
      expect(await isHarmless(`${copy.path}/level`, count), `offset ${offset} of ${sound.length}`).toBe(true);
    }
    expect(noticed).toBeGreaterThan(500);
  });

  test("that were cut short are noticed", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/level`;
    await makeTables(path, 500, compression);
    const table = await tableIn(path);
    for (const cut of [1, 40, 49, 500]) {
      await cutTo(table, -cut);
      expect(await checkTables(disk, path)).toContain(".ldb");
    }
    await cutTo(table, 0);
    expect(await sizeOf(table)).toBe(0);
    expect(await checkTables(disk, path)).toContain("footer");
  });
});

test("large databases pass, and damage anywhere in their blocks is noticed", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/level`;
  await makeTables(path, 20_000, true);
  const names = (await readdir(path)).filter((name) => name.endsWith(".ldb"));
  expect(await checkTables(disk, path)).toBeUndefined();
  for (const name of names) {
    const sound = await readFile(`${path}/${name}`);
    for (const part of [0.1, 0.5, 0.9]) {
      const damaged = Buffer.from(sound);
      const offset = Math.floor(sound.length * part);
      damaged[offset] = (damaged[offset] as number) ^ 4;
      await writeFile(`${path}/${name}`, damaged);
      expect(await checkTables(disk, path)).toContain(name);
    }
    await writeFile(`${path}/${name}`, sound);
  }
});

test("half a table beside those of the manifest, as a killed compaction leaves it, is nobody's", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/level`;
  await makeTables(path, 2000, true);
  const [name = ""] = (await readdir(path)).filter((each) => each.endsWith(".ldb"));
  const table = await readFile(`${path}/${name}`);
  await writeFile(`${path}/900000.ldb`, table.subarray(0, table.length / 2));
  expect(await checkTables(disk, path)).toBeUndefined();
  await writeFile(`${path}/${name}`, table.subarray(0, table.length / 2));
  expect(await checkTables(disk, path)).toContain(name);
});

test("a directory without tables, or none at all, has nothing wrong", async () => {
  await using directory = await temporaryDirectory();
  expect(await checkTables(disk, directory.path)).toBeUndefined();
  expect(await checkTables(disk, `${directory.path}/absent`)).toBeUndefined();
});
