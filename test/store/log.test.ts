/** Promises of the log's writer: order, bounds of a batch, cuts that follow the entries alone, full disks. */
import { readFile, readdir } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { logIndex, term } from "../../src/base/units.ts";
import { RECORD_HEADER_BYTES, RecordType, recordBytes } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../../src/segment/segment-head.ts";
import { patternBytes } from "../segment/records.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { FailingDisk, systemError } from "./failing-disk.ts";
import { addEntry, numbered, openLog, payloadsIn, writeEntries } from "./log-world.ts";

/** Every non-empty segment file by name. */
async function filesOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(directory)).toSorted();
  const files = await Promise.all(
    names.map(async (name) => [name, (await readFile(`${directory}/${name}`)).toString("base64")] as const),
  );
  return Object.fromEntries(files.filter(([, bytes]) => bytes.length > 0));
}

describe("entries", () => {
  test("lie where `add` says, and the chain of each is that of the record before it", async () => {
    await using directory = await temporaryDirectory();
    await using opened = await openLog({ directory: directory.path });
    const places = numbered(8).map((payload) => addEntry(opened.log, payload));
    await opened.log.write();
    for (const [at, { segmentId, payloadOffset, recordOffset, segmentBytes, cut }] of places.entries()) {
      const name = `${String(segmentId).padStart(10, "0")}.seg`;
      const bytes = await readFile(`${directory.path}/${name}`);
      expect(bytes.toString("latin1", payloadOffset, payloadOffset + 300)).toBe(numbered(8)[at]);
      expect(payloadOffset).toBe(recordOffset + RECORD_HEADER_BYTES);
      expect(segmentBytes).toBe(recordOffset + recordBytes(300));
      expect(cut).toBe(at === 5);
    }
    expect(places[0]?.recordOffset).toBe(SEGMENT_HEAD_BYTES);
    expect(places[6]).toMatchObject({ segmentId: 2, recordOffset: SEGMENT_HEAD_BYTES });
  });

  test("that are not the next one are a bug", async () => {
    await using directory = await temporaryDirectory();
    await using opened = await openLog({ directory: directory.path });
    const entry = { type: RecordType.noop, index: logIndex(2), term: term(1) };
    expect(() => opened.log.add(entry)).toThrow(InvariantError);
  });

  test("are not stable before `write` returned", async () => {
    await using directory = await temporaryDirectory();
    await using opened = await openLog({ directory: directory.path });
    const { log } = opened;
    addEntry(log, "a", 3);
    expect([log.lastIndex, log.stableIndex, log.gatheredEntries]).toEqual([1, 0, 1]);
    const writing = log.write();
    expect([log.writing, log.stableIndex, log.gatheredEntries]).toEqual([true, 0, 0]);
    addEntry(log, "b", 3);
    await writing;
    expect([log.writing, log.stableIndex, log.stableTerm, log.gatheredEntries]).toEqual([false, 1, 3, 1]);
    await log.write();
    expect(log.stableIndex).toBe(2);
  });

  test("of every size from nothing to several MiB come back", async () => {
    await using directory = await temporaryDirectory();
    const sizes = [0, 1, 65_535, 65_536, 65_537, 1024 * 1024, 3 * 1024 * 1024 + 1];
    const payloads = sizes.map((size) => patternBytes(size));
    const segmentBytesMax = 2 * 1024 * 1024;
    {
      await using opened = await openLog({ directory: directory.path, segmentBytesMax });
      await writeEntries(opened.log, payloads);
    }
    await using opened = await openLog({ directory: directory.path, segmentBytesMax, ackedIndex: 7 });
    const read = (await payloadsIn(opened)).map((payload) => Buffer.from(payload, "latin1"));
    expect(read.map((payload, at) => payload.equals(payloads[at] as Buffer))).toEqual(sizes.map(() => true));
  });
});

describe("cuts", () => {
  test("follow the entries alone: any grouping into batches and any restarts make equal files", async () => {
    const payload = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0, max: 900 }).map((size) => "x".repeat(size)) },
      { weight: 1, arbitrary: fc.constant("seal") },
      { weight: 1, arbitrary: fc.constant("y".repeat(5000)) },
    );
    const cuts = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 });
    const property = fc.asyncProperty(
      fc.array(payload, { minLength: 1, maxLength: 30 }),
      cuts,
      fc.nat(5),
      async (payloads, groups, restartEvery) => {
        await using one = await temporaryDirectory();
        await using other = await temporaryDirectory();
        {
          await using opened = await openLog({ directory: one.path });
          for (const each of payloads) await writeEntries(opened.log, [each]);
          await opened.log.sealThrough(opened.log.lastIndex);
        }
        let at = 0;
        for (let batch = 0; at < payloads.length; batch++) {
          await using opened = await openLog({ directory: other.path });
          for (let round = 0; round <= restartEvery && at < payloads.length; round++) {
            const size = groups[(batch + round) % groups.length] as number;
            await writeEntries(opened.log, payloads.slice(at, at + size));
            at += size;
          }
          await opened.log.sealThrough(opened.log.lastIndex);
        }
        expect(await filesOf(other.path)).toEqual(await filesOf(one.path));
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });

  test("a seal entry ends its segment, however small", async () => {
    await using directory = await temporaryDirectory();
    await using opened = await openLog({ directory: directory.path });
    await writeEntries(opened.log, ["a", "seal", "b"]);
    await opened.log.sealThrough(opened.log.lastIndex);
    await using again = await openLog({ directory: directory.path });
    expect(again.recovered.sealed).toMatchObject([{ id: 1, firstIndex: 1, lastIndex: 2 }]);
    expect(again.recovered.unsealed.map(({ id }) => id)).toEqual([2]);
  });

  test("one batch may fill several segments, each stable before the next one begins", async () => {
    await using directory = await temporaryDirectory();
    const disk = new FailingDisk();
    await using opened = await openLog({ directory: directory.path, disk });
    await writeEntries(opened.log, numbered(20));
    const writes = disk.written.map(({ path }) => path.slice(-5));
    expect(writes).toEqual(["1.seg", "2.seg", "3.seg", "4.seg"]);
  });
});

describe("a full disk", () => {
  const full = (): never => {
    throw systemError("ENOSPC");
  };

  test.each([1, 2, 3])(
    "before file %d of a batch is waited for, and the batch goes on where it stopped",
    async (nth) => {
      await using directory = await temporaryDirectory();
      const disk = new FailingDisk();
      await using opened = await openLog({ directory: directory.path, disk });
      for (const payload of numbered(16)) addEntry(opened.log, payload);
      let writes = 0;
      disk.before = ({ kind }) => {
        if (kind === "write" && ++writes >= nth) full();
      };
      for (let attempt = 0; attempt < 3; attempt++)
        await expect(opened.log.write()).rejects.toThrow("ENOSPC");
      expect(opened.log.stableIndex).toBe(0);
      disk.before = () => undefined;
      await opened.log.write();
      expect(opened.log.stableIndex).toBe(16);
      expect(disk.written.map(({ path }) => path.slice(-5))).toEqual(["1.seg", "2.seg", "3.seg"]);
      await using again = await openLog({ directory: directory.path, ackedIndex: 16 });
      expect(await payloadsIn(again)).toEqual(numbered(16));
    },
  );

  test("while a file is made ahead is noticed when the file is needed, and then tried again", async () => {
    await using directory = await temporaryDirectory();
    const disk = new FailingDisk();
    disk.before = ({ kind, path }) => {
      if (kind === "open" && path.endsWith("2.seg")) full();
    };
    await using opened = await openLog({ directory: directory.path, disk });
    await writeEntries(opened.log, numbered(6));
    addEntry(opened.log, "next");
    await expect(opened.log.write()).rejects.toThrow("ENOSPC");
    disk.before = () => undefined;
    await opened.log.write();
    await using again = await openLog({ directory: directory.path, ackedIndex: 7 });
    expect(await payloadsIn(again)).toEqual([...numbered(6), "next"]);
  });

  test("entries that gather meanwhile come after those that wait", async () => {
    await using directory = await temporaryDirectory();
    const disk = new FailingDisk();
    await using opened = await openLog({ directory: directory.path, disk });
    addEntry(opened.log, "first");
    disk.before = ({ kind }) => {
      if (kind === "write") full();
    };
    await expect(opened.log.write()).rejects.toThrow("ENOSPC");
    addEntry(opened.log, "second");
    disk.before = () => undefined;
    await opened.log.write();
    expect([opened.log.stableIndex, opened.log.gatheredEntries]).toEqual([1, 1]);
    await opened.log.write();
    await using again = await openLog({ directory: directory.path, ackedIndex: 2 });
    expect(await payloadsIn(again)).toEqual(["first", "second"]);
  });
});

test("closing leaves no file open", async () => {
  await using directory = await temporaryDirectory();
  const disk = new FailingDisk();
  const opened = await openLog({ directory: directory.path, disk });
  await writeEntries(opened.log, numbered(20));
  await opened.log.sealThrough(logIndex(12));
  await opened[Symbol.asyncDispose]();
  expect(disk.openFiles).toBe(0);
});
