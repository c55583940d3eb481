/**
 * Promises of reading bytes back: exactly what was written, for any range, verified before it is handed out;
 * a changed bit anywhere on the way is a DamageError that names file and entry.
 */
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { crc32c } from "../../src/base/crc.ts";
import { DamageError } from "../../src/base/errors.ts";
import { BLOCK_BYTES, RECORD_HEADER_BYTES } from "../../src/segment/record.ts";
import type { Extent } from "../../src/state/rows.ts";
import { SegmentTable } from "../../src/state/segment-table.ts";
import type { EntryPosition } from "../../src/state/segment-table.ts";
import { RecordReader } from "../../src/store/record-reader.ts";
import type { RecordBody } from "../../src/store/record-reader.ts";
import { SegmentFiles } from "../../src/store/segment-files.ts";
import { patternBytes } from "../segment/records.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { cutTo, flipBit, sizeOf } from "./bytes-of-files.ts";
import { addEntry, openLog } from "./log-world.ts";

/** Bytes before the body within a payload, as the owner of a chunk takes them. */
const OWNER_BYTES = 37;

type Written = { readonly body: Buffer; readonly position: EntryPosition };
type World = AsyncDisposable & {
  readonly reader: RecordReader;
  readonly written: readonly Written[];
  readonly path: (segmentId: number) => string;
};

/** A log of these bodies in segments of 256 KiB, and a reader on it. */
async function openWorld(sizes: readonly number[]): Promise<World> {
  const directory = await temporaryDirectory();
  const table = new SegmentTable();
  const written: Written[] = [];
  {
    await using opened = await openLog({ directory: directory.path, segmentBytesMax: 256 * 1024 });
    for (const [at, size] of sizes.entries()) {
      const body = patternBytes(size, at + 1);
      const position = addEntry(opened.log, Buffer.concat([Buffer.alloc(OWNER_BYTES, 0x2e), body]));
      await opened.log.write();
      table.append(position, () => ({ timeMs: 0, dateMs: 0 }));
      written.push({ body, position });
    }
  }
  const files = new SegmentFiles(new NodeDisk(), directory.path);
  const close = async (): Promise<void> => {
    await files.close();
    await directory[Symbol.asyncDispose]();
  };
  const reader = new RecordReader(files, table, { readsMax: 2 });
  return { reader, written, path: (id) => files.path(id), [Symbol.asyncDispose]: close };
}

function extentOf({ body, position }: Written): Extent {
  const { index, recordOffset } = position;
  return { index, recordOffset, bodyStart: OWNER_BYTES, length: body.length };
}

function bodyOf({ body, position }: Written): RecordBody {
  const offset = position.payloadOffset + OWNER_BYTES;
  return { index: position.index, offset, length: body.length, crc32c: crc32c(body) };
}

const MIB = 1024 * 1024;

describe("small bodies", () => {
  test("come back, at once when the file is open and through a thread before", async () => {
    await using world = await openWorld([1, 300, 65_536]);
    for (const each of world.written) {
      const body = bodyOf(each);
      expect(Buffer.from(await world.reader.read(body)).equals(each.body)).toBe(true);
      expect(Buffer.from(world.reader.readNow(body) ?? []).equals(each.body)).toBe(true);
    }
  });

  test("are not waited for: no open file, no answer", async () => {
    await using world = await openWorld([300]);
    expect(world.reader.readNow(bodyOf(world.written[0] as Written))).toBeUndefined();
  });

  test("with a flipped bit are damage, and file and entry are named", async () => {
    await using world = await openWorld([300, 300]);
    const second = world.written[1] as Written;
    const body = bodyOf(second);
    await flipBit(world.path(1), body.offset + 299);
    const reading = world.reader.read(body);
    await expect(reading).rejects.toThrow(DamageError);
    await expect(reading).rejects.toThrow("entry 2");
    await expect(reading).rejects.toThrow(world.path(1));
    expect(() => world.reader.readNow(body)).toThrow(DamageError);
    expect(await world.reader.read(bodyOf(world.written[0] as Written))).toHaveLength(300);
  });

  test("behind the end of a file that was cut are damage", async () => {
    await using world = await openWorld([300]);
    await cutTo(world.path(1), -1);
    await expect(world.reader.read(bodyOf(world.written[0] as Written))).rejects.toThrow(DamageError);
  });

  test("of an entry that no segment holds are damage", async () => {
    await using world = await openWorld([300]);
    const lost = { ...bodyOf(world.written[0] as Written), index: 99 };
    await expect(world.reader.read(lost)).rejects.toThrow("entry 99");
  });
});

describe("ranges of chunks", () => {
  test("come back at every edge of a block, short and long", async () => {
    await using world = await openWorld([3 * BLOCK_BYTES + 1000]);
    const [only] = world.written as [Written];
    const extent = extentOf(only);
    // Blocks are counted in the payload, so their edges in the body lie before those of the body.
    const edges = [1, 2, 3].map((block) => block * BLOCK_BYTES - OWNER_BYTES);
    const points = [
      0,
      1,
      ...edges.flatMap((edge) => [edge - 1, edge, edge + 1]),
      extent.length - 1,
      extent.length,
    ];
    for (const start of points) {
      for (const end of points.filter((point) => point > start)) {
        const bytes = Buffer.from(await world.reader.readExtent(extent, start, end));
        expect(bytes.equals(only.body.subarray(start, end)), `${start}..${end}`).toBe(true);
      }
    }
  });

  test.each([1, 10, BLOCK_BYTES - OWNER_BYTES, BLOCK_BYTES, BLOCK_BYTES + 1, MIB])(
    "of a chunk of %d bytes come back whole, and each half of it",
    async (size) => {
      await using world = await openWorld([10, size]);
      const chunk = world.written[1] as Written;
      const half = Math.ceil(size / 2);
      for (const [start, end] of [
        [0, size],
        [0, half],
        [size - half, size],
        [size - 1, size],
      ] as const) {
        const bytes = Buffer.from(await world.reader.readExtent(extentOf(chunk), start, end));
        expect(bytes.equals(chunk.body.subarray(start, end))).toBe(true);
      }
    },
  );

  test("in segments behind the first one come back too", async () => {
    await using world = await openWorld([200_000, 200_000, 200_000, 200_000]);
    for (const each of world.written) {
      const bytes = Buffer.from(await world.reader.readExtent(extentOf(each), 100, 300));
      expect(bytes.equals(each.body.subarray(100, 300))).toBe(true);
    }
    expect(world.written.at(-1)?.position.segmentId).toBeGreaterThan(1);
  });

  test("over a damaged block are damage; ranges that do not touch it come back", async () => {
    await using world = await openWorld([4 * BLOCK_BYTES]);
    const [only] = world.written as [Written];
    const extent = extentOf(only);
    await flipBit(world.path(1), only.position.payloadOffset + 2 * BLOCK_BYTES + 5);
    const second = [BLOCK_BYTES, BLOCK_BYTES + 100] as const;
    expect(
      Buffer.from(await world.reader.readExtent(extent, ...second)).equals(only.body.subarray(...second)),
    ).toBe(true);
    await expect(world.reader.readExtent(extent, 2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 1)).rejects.toThrow(
      DamageError,
    );
    await expect(world.reader.readExtent(extent, 0, extent.length)).rejects.toThrow("chunk in entry 1");
  });

  test("of a record with a damaged header or table are damage", async () => {
    const sizes = [2 * BLOCK_BYTES];
    const places = [0, 30, RECORD_HEADER_BYTES + OWNER_BYTES + 2 * BLOCK_BYTES + 1];
    for (const place of places) {
      await using world = await openWorld(sizes);
      const [only] = world.written as [Written];
      await flipBit(world.path(1), only.position.recordOffset + place);
      for (const [start, end] of [
        [0, 10],
        [0, 2 * BLOCK_BYTES],
      ] as const) {
        await expect(world.reader.readExtent(extentOf(only), start, end)).rejects.toThrow(DamageError);
      }
    }
  });

  test("of a row that names another record are damage, never that record's bytes", async () => {
    await using world = await openWorld([1000, 1000, 1200]);
    const [first, second, third] = world.written as [Written, Written, Written];
    const wrong = [
      { ...extentOf(first), recordOffset: second.position.recordOffset },
      { ...extentOf(third), recordOffset: second.position.recordOffset },
      { ...extentOf(first), length: 999 },
      { ...extentOf(first), recordOffset: first.position.recordOffset + 1 },
      { ...extentOf(third), recordOffset: (await sizeOf(world.path(1))) + 10 },
    ];
    for (const extent of wrong) {
      await expect(world.reader.readExtent(extent, 0, 10)).rejects.toThrow(DamageError);
    }
  });
});

test("many readers at once get their own bytes", async () => {
  await using world = await openWorld(Array.from({ length: 30 }, (_, at) => 20_000 + at * 1000));
  const reads = world.written.flatMap((each) => [
    world.reader
      .readExtent(extentOf(each), 10, 5000)
      .then((bytes) => [bytes, each.body.subarray(10, 5000)] as const),
    world.reader.read(bodyOf(each)).then((bytes) => [bytes, each.body] as const),
  ]);
  for (const [bytes, wanted] of await Promise.all(reads))
    expect(Buffer.from(bytes).equals(wanted)).toBe(true);
});
