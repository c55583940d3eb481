/** Formats of what gives space back, as they were written first: bytes of version 1 are read for ever. */
import { expect, test } from "vitest";
import {
  encodePackedHead,
  encodePackedTable,
  encodePackedTrailer,
  readPackedTrailer,
} from "../../src/segment/packed-segment.ts";
import {
  decodeBlock,
  decodeSegmentTable,
  encodeSnapshotHead,
  encodeSnapshotTrailer,
  readSnapshotHead,
  readSnapshotTrailer,
} from "../../src/segment/snapshot-format.ts";
import { readFloor, writeFloor } from "../../src/store/floor-file.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import kept from "./space-v1.json" with { type: "json" };

const hex = (text: string): Buffer => Buffer.from(text, "hex");

const snapshotTrailer = { index: 123_456, rowCount: 789, tableOffset: 5000, digest: Buffer.alloc(32, 7) };
const packedTrailer = { segmentId: 42, dataBytes: 900, count: 2, tableBytes: 5, tableCheck: 6, dataCheck: 8 };
const floor = { segmentId: 42, lastIndex: 123_000, chain: { low: 0x01020304, high: 0xf1f2f3f4 } };
const segment = { id: 1, firstIndex: 1, entries: 300, bytes: 70_000, liveBytes: 300, cut: true };

test("heads, trailers and tables are written byte for byte as they were", () => {
  expect(encodeSnapshotHead(123_456).toString("hex")).toBe(kept.snapshotHead);
  expect(encodeSnapshotTrailer(snapshotTrailer).toString("hex")).toBe(kept.snapshotTrailer);
  expect(encodePackedHead(42).toString("hex")).toBe(kept.packedHead);
  expect(encodePackedTrailer(packedTrailer).toString("hex")).toBe(kept.packedTrailer);
  const table = encodePackedTable([
    { offset: 100, length: 300 },
    { offset: 70_000, length: 600 },
  ]);
  expect(table.toString("hex")).toBe(kept.packedTable);
});

test("they are read as they were", () => {
  expect(readSnapshotHead(hex(kept.snapshotHead))).toBe(123_456);
  expect(readSnapshotTrailer(hex(kept.snapshotTrailer))).toEqual(snapshotTrailer);
  expect(readPackedTrailer(hex(kept.packedHead), hex(kept.packedTrailer))).toEqual(packedTrailer);
});

test("compressed blocks of that time are read", () => {
  expect(decodeBlock(hex(kept.block)).toString()).toBe("rows of the index, rows of the index");
  const chain = { low: 0x01020304, high: 0xf1f2f3f4 };
  expect(decodeSegmentTable(hex(kept.segmentTable))).toEqual([{ ...segment, chain }]);
});

test("the floor is written and read as it was", async () => {
  const disk = new SimDisk();
  await writeFloor(disk, "data", floor);
  const bytes = Buffer.from((await disk.readFile("data/floor")) ?? []);
  expect(bytes.subarray(0, 64).toString("hex")).toBe(kept.floor);
  expect(await readFloor(disk, "data")).toEqual(floor);
});
