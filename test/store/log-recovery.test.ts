/**
 * Promises of coming back: what was written is there after any stop; above the acknowledged mark a torn tail
 * is dropped; at or below it damage is refused, with the file and the entry in the message.
 */
import { mkdir, rm, rename, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc.ts";
import { RefusedError } from "../../src/base/errors.ts";
import { RECORD_HEADER_BYTES, recordBytes } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../../src/segment/segment-head.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { append, cutTo, flipBit, overwrite, sizeOf } from "./bytes-of-files.ts";
import { makeLog, numbered, openLog, payloadsIn, writeEntries } from "./log-world.ts";
import { makeRecord } from "../segment/records.ts";

const segment = (directory: string, id: number): string => `${directory}/${String(id).padStart(10, "0")}.seg`;
const RECORD = recordBytes(300);

/** Opens, reads everything, appends one more entry, opens again: the log is whole and goes on. */
async function comesBackWith(directory: string, wanted: readonly string[], ackedIndex = 0): Promise<void> {
  {
    await using opened = await openLog({ directory, ackedIndex });
    expect(opened.recovered.lastIndex).toBe(wanted.length);
    expect(await payloadsIn(opened)).toEqual(wanted);
    await writeEntries(opened.log, ["one more"]);
    await opened.log.sealThrough(opened.log.lastIndex);
  }
  await using again = await openLog({ directory, ackedIndex: wanted.length + 1 });
  expect(await payloadsIn(again)).toEqual([...wanted, "one more"]);
}

describe("without damage", () => {
  test.each([0, 1, 5, 6, 7, 12, 13, 40])(
    "%d entries come back, in as many segments as they take",
    async (count) => {
      await using directory = await temporaryDirectory();
      await makeLog({ directory: directory.path }, numbered(count));
      await comesBackWith(directory.path, numbered(count), count);
    },
  );

  test("a log that is opened after every single entry is the log that was written at once", async () => {
    await using one = await temporaryDirectory();
    await using other = await temporaryDirectory();
    for (const payload of numbered(20)) await makeLog({ directory: one.path }, [payload]);
    await makeLog({ directory: other.path }, numbered(20));
    await using a = await openLog({ directory: one.path });
    await using b = await openLog({ directory: other.path });
    expect(await payloadsIn(a)).toEqual(await payloadsIn(b));
    expect(a.recovered.endChain).toEqual(b.recovered.endChain);
  });

  test("a segment file that was made ahead and never written is not part of the log", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(3));
    await writeFile(segment(directory.path, 2), "");
    await comesBackWith(directory.path, numbered(3), 3);
  });

  test("a segment file of zeros, as a power cut leaves one, is not part of the log", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(6));
    await writeFile(segment(directory.path, 2), Buffer.alloc(4096));
    await comesBackWith(directory.path, numbered(6), 6);
  });

  test("foreign files in the directory are left alone", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(2));
    await writeFile(`${directory.path}/notes.txt`, "mine");
    await comesBackWith(directory.path, numbered(2), 2);
    expect(await sizeOf(`${directory.path}/notes.txt`)).toBe(4);
  });

  test("terms come back: the log's last term is that of its last entry, sealed or not", async () => {
    for (const count of [3, 6, 9]) {
      await using directory = await temporaryDirectory();
      await makeLog({ directory: directory.path }, numbered(count));
      await using opened = await openLog({ directory: directory.path });
      expect(opened.recovered.lastTerm).toBe(1);
    }
  });
});

describe("above the mark", () => {
  test("a record with a torn tail is dropped at recovery, cut at any byte", async () => {
    await using directory = await temporaryDirectory();
    for (const [at, left] of [1, 39, 40, 41, RECORD - 1].entries()) {
      const path = `${directory.path}/${at}`;
      await mkdir(path);
      await makeLog({ directory: path }, numbered(3));
      await cutTo(segment(path, 1), SEGMENT_HEAD_BYTES + 2 * RECORD + left);
      await comesBackWith(path, numbered(2), 2);
    }
  });

  test("a torn record with a good one behind it takes that one along: no hole in the history", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(5));
    await flipBit(segment(directory.path, 1), SEGMENT_HEAD_BYTES + 2 * RECORD + RECORD_HEADER_BYTES + 5);
    await comesBackWith(directory.path, numbered(2), 2);
  });

  test("whole segments behind a torn record are dropped with it", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(16));
    await cutTo(segment(directory.path, 2), SEGMENT_HEAD_BYTES + RECORD + 10);
    await comesBackWith(directory.path, numbered(7), 7);
  });

  test("zeros behind the last record are dropped", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(3));
    await append(segment(directory.path, 1), Buffer.alloc(1000));
    await comesBackWith(directory.path, numbered(3), 3);
  });

  test("garbage behind the last record is dropped, even if it is a record of another history", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(3));
    await append(segment(directory.path, 1), makeRecord(Buffer.from("foreign"), { index: 4 }).bytes);
    await comesBackWith(directory.path, numbered(3), 3);
  });

  test("a torn head of a new segment is dropped", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(7));
    await cutTo(segment(directory.path, 2), 30);
    await comesBackWith(directory.path, numbered(6), 6);
  });

  test("how many bytes were dropped is told", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(3));
    await append(segment(directory.path, 1), Buffer.alloc(77, 1));
    await using opened = await openLog({ directory: directory.path });
    expect(opened.recovered.droppedBytes).toBe(77);
  });
});

describe("at or below the mark", () => {
  async function refuses(directory: string, ackedIndex: number, ...words: readonly string[]): Promise<void> {
    const opening = openLog({ directory, ackedIndex });
    await expect(opening).rejects.toThrow(RefusedError);
    for (const word of words) await expect(opening).rejects.toThrow(word);
  }

  test("a damaged record is refused with file and entry, whatever the mark is from there on", async () => {
    await using directory = await temporaryDirectory();
    const path = segment(directory.path, 1);
    await makeLog({ directory: directory.path }, numbered(5));
    await flipBit(path, SEGMENT_HEAD_BYTES + 2 * RECORD + 100);
    for (const mark of [3, 4, 5]) await refuses(directory.path, mark, path, "entry 3");
    await comesBackWith(directory.path, numbered(2), 2);
  });

  test("a record that was cut short is refused", async () => {
    await using directory = await temporaryDirectory();
    const path = segment(directory.path, 1);
    await makeLog({ directory: directory.path }, numbered(5));
    await cutTo(path, -1);
    await refuses(directory.path, 5, path, "entry 5");
  });

  test("a log that ends before the mark is refused, also at the border of a record or a file", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(7));
    await refuses(directory.path, 8, "ends at entry 7", "up to 8", directory.path);
    await cutTo(segment(directory.path, 2), 0);
    await refuses(directory.path, 7, "ends at entry 6");
    await rm(segment(directory.path, 2));
    await rm(segment(directory.path, 3));
    await refuses(directory.path, 7, "ends at entry 6");
  });

  test("a refused start changes nothing: every byte stays for whoever can help", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(16));
    await flipBit(segment(directory.path, 3), SEGMENT_HEAD_BYTES + 50);
    const before = await Promise.all([1, 2, 3].map((id) => sizeOf(segment(directory.path, id))));
    await refuses(directory.path, 16, segment(directory.path, 3), "entry 13");
    expect(await Promise.all([1, 2, 3].map((id) => sizeOf(segment(directory.path, id))))).toEqual(before);
  });

  test("a damaged head is refused", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(8));
    await flipBit(segment(directory.path, 2), 20);
    await refuses(directory.path, 8, segment(directory.path, 2), "entry 7");
  });
});

describe("wrong files", () => {
  test("a missing segment in the middle is refused by name, whatever the mark", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(22));
    await rm(segment(directory.path, 2));
    await expect(openLog({ directory: directory.path })).rejects.toThrow(segment(directory.path, 2));
    await expect(openLog({ directory: directory.path })).rejects.toThrow(RefusedError);
  });

  test("a segment of another log is refused", async () => {
    await using directory = await temporaryDirectory();
    await using other = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(16));
    await makeLog({ directory: other.path }, numbered(16, 100));
    await rename(segment(other.path, 2), segment(directory.path, 2));
    await expect(openLog({ directory: directory.path })).rejects.toThrow("belongs to another log");
  });

  test("a segment under another number is refused", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(16));
    await rename(segment(directory.path, 1), segment(directory.path, 2));
    await rename(segment(directory.path, 3), segment(directory.path, 1));
    await expect(openLog({ directory: directory.path })).rejects.toThrow(RefusedError);
  });

  test("a segment of a newer format is refused with its version", async () => {
    await using directory = await temporaryDirectory();
    await makeLog({ directory: directory.path }, numbered(2));
    const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
    head.write("THERMSEG", 0, "latin1");
    head.writeUInt32LE(9, 8);
    head.writeUInt32LE(crc32c(head.subarray(0, 60)), 60);
    await overwrite(segment(directory.path, 1), 0, head);
    await expect(openLog({ directory: directory.path })).rejects.toThrow("format version 9");
  });
});
