/**
 * Promises of opening the index: one that can be believed is taken, any other is put aside and made again.
 */
import { readdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { encodeMark, markKey } from "../../src/store/flush-ring.ts";
import { openIndex } from "../../src/store/open-index.ts";
import type { OpenedIndex } from "../../src/store/open-index.ts";
import { openRow, sealRow } from "../../src/store/row-seal.ts";
import { silentLogger, temporaryDirectory } from "../support/open-store.ts";
import { flipBit, sizeOf } from "./bytes-of-files.ts";

async function open(directory: string): Promise<OpenedIndex> {
  return await openIndex({
    disk: new NodeDisk(),
    directory: `${directory}/index`,
    open: (path) => LevelIndexStore.open(path),
    logger: silentLogger,
  });
}

/** Flushes as the state index makes them, each with a row of its own; `skip` are left out. */
async function flush(
  index: OpenedIndex,
  from: number,
  to: number,
  skip: readonly number[] = [],
): Promise<void> {
  for (let number = from; number <= to; number++) {
    if (skip.includes(number)) continue;
    const batch = index.store.batch();
    const mark = { number, before: (number - 1) * 10, after: number * 10 };
    batch.put(markKey(number), sealRow(markKey(number), encodeMark(mark)));
    batch.put(`row/${number}`, sealRow(`row/${number}`, Buffer.from(String(number))));
    await batch.write();
  }
}

test("a new index has applied nothing", async () => {
  await using directory = await temporaryDirectory();
  const index = await open(directory.path);
  expect(index).toMatchObject({ appliedIndex: 0, flushNumber: 0, rebuilt: undefined });
  await index.store.close();
});

test("a sound index goes on where its last flush ended", async () => {
  await using directory = await temporaryDirectory();
  for (const upTo of [1, 2, 7]) {
    const index = await open(directory.path);
    await flush(index, index.flushNumber + 1, upTo);
    await index.store.close();
    const again = await open(directory.path);
    expect(again).toMatchObject({ appliedIndex: upTo * 10, flushNumber: upTo, rebuilt: undefined });
    await again.store.close();
  }
});

test("an index with a hole in its flushes is made again, and the old one kept aside", async () => {
  await using directory = await temporaryDirectory();
  const index = await open(directory.path);
  await flush(index, 1, 9, [4]);
  await index.store.close();
  const again = await open(directory.path);
  expect(again).toMatchObject({ appliedIndex: 0, flushNumber: 0, rebuilt: "flush 4 is missing" });
  expect(again.store.getSync("row/1")).toBeUndefined();
  await again.store.close();
  expect((await readdir(directory.path)).toSorted()).toEqual(["index", "index.damaged"]);
});

test("an index that is made again twice keeps the newer of the two aside", async () => {
  await using directory = await temporaryDirectory();
  for (let round = 0; round < 2; round++) {
    const index = await open(directory.path);
    await flush(index, 1, 3, [2]);
    await index.store.close();
    const again = await open(directory.path);
    expect(again.rebuilt).toBe("flush 2 is missing");
    await again.store.close();
  }
});

test("an index that LevelDB does not open is made again", async () => {
  await using directory = await temporaryDirectory();
  const index = await open(directory.path);
  await flush(index, 1, 3);
  await index.store.close();
  await writeFile(`${directory.path}/index/CURRENT`, "nonsense");
  const again = await open(directory.path);
  expect(again.rebuilt).toContain("names no manifest");
  await again.store.close();
});

test("an index with a damaged mark is made again", async () => {
  await using directory = await temporaryDirectory();
  const index = await open(directory.path);
  await flush(index, 1, 3);
  const batch = index.store.batch();
  batch.put(markKey(2), Buffer.from("not sealed"));
  await batch.write();
  await index.store.close();
  const again = await open(directory.path);
  expect(again.rebuilt).toContain("does not match its checksum");
  await again.store.close();
});

test("a flipped bit in LevelDB's log loses flushes and never makes a wrong row", async () => {
  for (const place of [0.1, 0.4, 0.7, 0.95]) {
    await using directory = await temporaryDirectory();
    const index = await open(directory.path);
    await flush(index, 1, 20);
    await index.store.close();
    const log = (await readdir(`${directory.path}/index`)).find((name) => /^\d+\.log$/.test(name)) as string;
    const path = `${directory.path}/index/${log}`;
    const size = await sizeOf(path);
    await flipBit(path, Math.floor(size * place));
    const again = await open(directory.path);
    const number = again.flushNumber;
    if (again.rebuilt === undefined) expect(again.appliedIndex).toBe(number * 10);
    else expect(again.appliedIndex).toBe(0);
    for (let at = 1; at <= number; at++) {
      const stored = again.store.getSync(`row/${at}`) as Uint8Array;
      expect(Buffer.from(openRow(`row/${at}`, stored)).toString()).toBe(String(at));
    }
    await again.store.close();
  }
});
