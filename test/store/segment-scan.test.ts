/**
 * Promises of the scan: every record in order, whatever the window, and the first wrong byte ends it with a
 * reason.
 */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { CHAIN_START, RECORD_HEADER_BYTES, recordBytes } from "../../src/segment/record.ts";
import type { ChainValue } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../../src/segment/segment-head.ts";
import { scanSegment } from "../../src/store/segment-scan.ts";
import type { ScanEnd } from "../../src/store/segment-scan.ts";
import { patternBytes } from "../segment/records.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { flipBit, sizeOf } from "./bytes-of-files.ts";
import { makeLog } from "./log-world.ts";

type Scanned = {
  readonly payloads: readonly Buffer[];
  readonly offsets: readonly number[];
  readonly end: ScanEnd;
};

async function scanned(
  path: string,
  from: { readonly index: number; readonly chain: ChainValue; readonly offset?: number } = {
    index: 1,
    chain: CHAIN_START,
  },
): Promise<Scanned> {
  const file = await new NodeDisk().open(path, "read");
  try {
    const scan = scanSegment(file, from, await file.size());
    const payloads: Buffer[] = [];
    const offsets: number[] = [];
    for (;;) {
      const step = await scan.next();
      if (step.done) return { payloads, offsets, end: step.value };
      payloads.push(Buffer.from(step.value.payload));
      offsets.push(step.value.recordOffset);
    }
  } finally {
    await file.close();
  }
}

const sizes = [0, 10, 400_000, 700_000, 1, 1_100_000, 65_536, 3_000_000, 5];
const payloads = sizes.map((size, at) => patternBytes(size, at + 1));
const large = { segmentBytesMax: 64 * 1024 * 1024 };
const offsetOf = (record: number): number =>
  sizes.slice(0, record).reduce((sum, size) => sum + recordBytes(size), SEGMENT_HEAD_BYTES);

async function withSegment(work: (path: string) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  await makeLog({ directory: directory.path, ...large }, payloads);
  await work(`${directory.path}/0000000001.seg`);
}

describe("a scan", () => {
  test("gives every record with its place, also those that are larger than the window", async () => {
    await withSegment(async (path) => {
      const { payloads: read, offsets, end } = await scanned(path);
      expect(read.map((payload, at) => payload.equals(payloads[at] as Buffer))).toEqual(
        sizes.map(() => true),
      );
      expect(offsets).toEqual(sizes.map((_, at) => offsetOf(at)));
      expect(end).toEqual({ kind: "end", offset: await sizeOf(path) });
    });
  });

  test("can begin at any record", async () => {
    await withSegment(async (path) => {
      const bytes = await readFile(path);
      const offset = offsetOf(4);
      const chain = { low: bytes.readUInt32LE(offset + 28), high: bytes.readUInt32LE(offset + 32) };
      const { payloads: read } = await scanned(path, { index: 5, chain, offset });
      expect(read.map(({ length }) => length)).toEqual(sizes.slice(4));
    });
  });

  test.each([
    ["header", 3, "no valid record header"],
    ["first payload byte", RECORD_HEADER_BYTES, "the payload does not match its checksum"],
    ["last payload byte", RECORD_HEADER_BYTES + 399_999, "the payload does not match its checksum"],
    ["block table", RECORD_HEADER_BYTES + 400_000, "the payload does not match its checksum"],
  ])("ends at a damaged %s and says which entry is meant", async (_, within, reason) => {
    await withSegment(async (path) => {
      await flipBit(path, offsetOf(2) + within);
      const { offsets, end } = await scanned(path);
      expect(offsets).toHaveLength(2);
      expect(end).toEqual({ kind: "bad", offset: offsetOf(2), index: 3, reason });
    });
  });

  test("ends at once where another entry or another history stands", async () => {
    await withSegment(async (path) => {
      const { end } = await scanned(path, { index: 2, chain: CHAIN_START });
      expect(end).toMatchObject({ kind: "bad", index: 2, reason: "the record says it is entry 1" });
      const other = await scanned(path, { index: 1, chain: { low: 1, high: 1 } });
      expect(other.end).toMatchObject({ kind: "bad", reason: "the record continues another history" });
    });
  });
});
