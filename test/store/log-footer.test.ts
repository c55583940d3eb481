/**
 * Promises of sealing: a cut segment gets its footer sooner or later, whatever happened to the first
 * attempt, and a footer that is damaged never costs an entry, wherever its segment stands.
 */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { createHash } from "node:crypto";
import { logIndex } from "../../src/base/units.ts";
import { TRAILER_BYTES, readOffsetTable, readTrailer } from "../../src/segment/footer.ts";
import type { Trailer } from "../../src/segment/footer.ts";
import { RECORD_HEADER_BYTES, recordBytes } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../../src/segment/segment-head.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { cutTo, flipBit, overwrite, sizeOf } from "./bytes-of-files.ts";
import { FailingDisk, systemError } from "./failing-disk.ts";
import { makeLog, numbered, openLog, payloadsIn, writeEntries } from "./log-world.ts";

const segment = (directory: string, id: number): string => `${directory}/${String(id).padStart(10, "0")}.seg`;
/** Entries of `numbered` that fill one segment. */
const FULL = 6;

/** The whole log before and after one more entry and another open. */
async function goesOnAfter(directory: string, wanted: readonly string[]): Promise<void> {
  {
    await using opened = await openLog({ directory, ackedIndex: wanted.length });
    expect(await payloadsIn(opened)).toEqual(wanted);
    await writeEntries(opened.log, ["one more"]);
    await opened.log.sealThrough(opened.log.lastIndex);
  }
  await using again = await openLog({ directory, ackedIndex: wanted.length + 1 });
  expect(await payloadsIn(again)).toEqual([...wanted, "one more"]);
}

async function trailerOf(path: string): Promise<{ trailer: Trailer; table: Buffer; records: Buffer }> {
  const bytes = await readFile(path);
  const trailer = readTrailer(bytes.subarray(-TRAILER_BYTES)) as Trailer;
  const tableStart = bytes.length - TRAILER_BYTES - trailer.tableBytes;
  const table = bytes.subarray(tableStart, -TRAILER_BYTES);
  return { trailer, table, records: bytes.subarray(SEGMENT_HEAD_BYTES, tableStart) };
}

describe("a footer", () => {
  test("tells every record's length and the digest of all headers", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(FULL));
    const { trailer, table, records } = await trailerOf(segment(directory.path, 1));
    expect(trailer).toMatchObject({ firstIndex: 1, lastIndex: FULL });
    const lengths = readOffsetTable(table, trailer);
    const digest = createHash("sha256");
    let at = 0;
    for (const length of lengths) {
      digest.update(records.subarray(at, at + RECORD_HEADER_BYTES));
      at += recordBytes(length);
    }
    expect(at).toBe(records.length);
    expect(Buffer.from(trailer.headersDigest)).toEqual(digest.digest());
  });

  test("waits for the commit of the last entry of its segment", async () => {
    await using directory = await temporaryDirectory();
    await using opened = await openLog({ directory: directory.path });
    for (const payload of numbered(FULL + 1)) await writeEntries(opened.log, [payload]);
    await opened.log.sealThrough(logIndex(FULL - 1));
    const unsealed = await sizeOf(segment(directory.path, 1));
    await opened.log.sealThrough(logIndex(FULL));
    expect(await sizeOf(segment(directory.path, 1))).toBeGreaterThan(unsealed);
  });

  test("is written at the next start if the segment was cut and not sealed", async () => {
    await using directory = await temporaryDirectory();
    {
      await using opened = await openLog({ directory: directory.path });
      for (const payload of numbered(FULL * 2)) await writeEntries(opened.log, [payload]);
    }
    await using opened = await openLog({ directory: directory.path });
    expect(opened.recovered.unsealed.map(({ id, cut }) => [id, cut])).toEqual([
      [1, true],
      [2, true],
    ]);
    await opened.log.sealThrough(opened.log.lastIndex);
    for (const id of [1, 2]) expect((await trailerOf(segment(directory.path, id))).trailer).toBeDefined();
  });

  test("is the same whether it was written at once or after a restart", async () => {
    await using one = await temporaryDirectory();
    await using other = await temporaryDirectory();
    await makeLog({ directory: one.path }, numbered(FULL));
    {
      await using opened = await openLog({ directory: other.path });
      await writeEntries(opened.log, numbered(FULL));
    }
    await makeLog({ directory: other.path }, []);
    const files = [one, other].map(({ path }) => readFile(segment(path, 1)));
    const [a, b] = await Promise.all(files);
    expect(a?.equals(b as Buffer)).toBe(true);
  });

  test("meets a full disk: nothing is lost, and the next call tries again", async () => {
    await using directory = await temporaryDirectory();
    const disk = new FailingDisk();
    await using opened = await openLog({ directory: directory.path, disk });
    await writeEntries(opened.log, numbered(FULL * 3));
    disk.before = ({ kind }) => {
      if (kind === "write") throw systemError("ENOSPC");
    };
    await opened.log.sealThrough(opened.log.lastIndex);
    disk.before = () => undefined;
    await opened.log.sealThrough(opened.log.lastIndex);
    for (const id of [1, 2, 3]) expect((await trailerOf(segment(directory.path, id))).trailer).toBeDefined();
  });

  test("meets a broken disk: that is told", async () => {
    await using directory = await temporaryDirectory();
    const disk = new FailingDisk();
    const opened = await openLog({ directory: directory.path, disk });
    await writeEntries(opened.log, numbered(FULL));
    disk.before = ({ kind }) => {
      if (kind === "write") throw systemError("EIO");
    };
    await expect(opened.log.sealThrough(opened.log.lastIndex)).rejects.toThrow("EIO");
  });
});

describe("damage to a footer costs nothing", () => {
  const segments = 3;
  const wanted = numbered(FULL * segments);

  /** Every segment sealed, nothing behind them, then a change to the file of one. */
  async function withDamage(id: number, change: (path: string) => Promise<void>): Promise<void> {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, wanted);
    await change(segment(directory.path, id));
    await goesOnAfter(directory.path, wanted);
  }

  test.each([1, 2, 3])("a flipped bit in the trailer of segment %d of 3", async (id) => {
    await withDamage(id, (path) => flipBit(path, -10));
  });

  test.each([1, 2, 3])("a flipped bit in the offset table of segment %d of 3", async (id) => {
    await withDamage(id, (path) => flipBit(path, -TRAILER_BYTES - 1));
  });

  test.each([1, 2, 3])("a trailer of segment %d of 3 that was cut off, or cut short", async (id) => {
    await withDamage(id, (path) => cutTo(path, -TRAILER_BYTES));
    await withDamage(id, (path) => cutTo(path, -1));
  });

  test.each([1, 2, 3])("a trailer of segment %d of 3 that was replaced by zeros", async (id) => {
    await withDamage(id, async (path) => overwrite(path, (await sizeOf(path)) - 96, Buffer.alloc(96)));
  });

  test("damage in two of them at once, and an open segment behind", async () => {
    await using directory = await temporaryDirectory();
    const more = numbered(FULL * 3 + 2);
    await makeLog({ directory: directory.path }, more);
    await flipBit(segment(directory.path, 1), -10);
    await cutTo(segment(directory.path, 3), -20);
    await goesOnAfter(directory.path, more);
  });
});
