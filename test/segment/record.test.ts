/** Promises of a record: it comes back whole, and no changed bit in it goes unnoticed. */
import { describe, expect, test } from "vitest";
import {
  BLOCK_BYTES,
  CHAIN_START,
  PAYLOAD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RecordType,
  blockTableBytes,
  blocksMatch,
  payloadMatches,
  readRecordHeader,
  recordBytes,
  sameChain,
} from "../../src/segment/record.ts";
import { chainOf, forgeHeader, makeChain, makeRecord, patternBytes } from "./records.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const sizes = [
  0,
  1,
  2,
  40,
  64 * KIB - 1,
  64 * KIB,
  64 * KIB + 1,
  128 * KIB,
  MIB - 1,
  MIB,
  MIB + 1,
  5 * MIB + 17,
];

/** Header and payload both sound: what every reader asks. */
function isSound(record: Buffer): boolean {
  const header = readRecordHeader(record, 0);
  return header !== undefined && payloadMatches(record, RECORD_HEADER_BYTES, header);
}

describe("round trip", () => {
  test.each(sizes)("a payload of %d bytes comes back with its identity", (size) => {
    const payload = patternBytes(size);
    const { bytes } = makeRecord(payload, { index: 77, term: 5, type: RecordType.chunk, margin: 13 });
    expect(bytes.length).toBe(recordBytes(size));
    const header = readRecordHeader(bytes, 0);
    expect(header).toMatchObject({ type: RecordType.chunk, term: 5, index: 77, payloadBytes: size });
    expect(isSound(bytes)).toBe(true);
    expect(bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + size).equals(payload)).toBe(true);
  });

  test("sealing touches nothing outside the record", () => {
    const margin = 32;
    const { bytes } = makeRecord(patternBytes(100), { margin });
    const around = Buffer.from(bytes.buffer, bytes.byteOffset - margin, bytes.length + 2 * margin);
    expect(around.subarray(0, margin).every((byte) => byte === 0xee)).toBe(true);
    expect(around.subarray(-margin).every((byte) => byte === 0xee)).toBe(true);
  });

  test("numbers up to 48 bits fit", () => {
    const large = 2 ** 48 - 1;
    const { bytes } = makeRecord(Buffer.alloc(3), { index: large, term: large });
    expect(readRecordHeader(bytes, 0)).toMatchObject({ index: large, term: large });
  });

  test("only payloads beyond one block have a table", () => {
    const blocks = [0, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, MIB].map((size) =>
      blockTableBytes(size),
    );
    expect(blocks).toEqual([0, 0, 8, 8, 64]);
  });
});

describe("damage", () => {
  test.each([0, 1, 33])("every flipped bit of a record with %d payload bytes is noticed", (size) => {
    const { bytes } = makeRecord(patternBytes(size), { index: 9, term: 2 });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(isSound(damaged), `bit ${bit}`).toBe(false);
    }
  });

  test("a flipped bit anywhere in a record of several blocks is noticed", () => {
    const { bytes } = makeRecord(patternBytes(3 * BLOCK_BYTES + 100));
    const tableStart = RECORD_HEADER_BYTES + 3 * BLOCK_BYTES + 100;
    const edges = [0, 35, 39, 40, 40 + BLOCK_BYTES - 1, 40 + BLOCK_BYTES, tableStart - 1, tableStart];
    for (const offset of [...edges, tableStart + 7, bytes.length - 1]) {
      const damaged = Buffer.from(bytes);
      damaged[offset] = (damaged[offset] as number) ^ 0x10;
      expect(isSound(damaged), `offset ${offset}`).toBe(false);
    }
  });

  test("a record that was cut short anywhere is not sound", () => {
    const { bytes } = makeRecord(patternBytes(50));
    for (let length = 0; length < bytes.length; length++) {
      expect(isSound(bytes.subarray(0, length)), `${length} bytes`).toBe(false);
    }
  });

  test("zeros are no record", () => {
    expect(readRecordHeader(Buffer.alloc(4096), 0)).toBeUndefined();
  });

  test("an unknown type, another version or an absurd length is no record, even with a good check", () => {
    const { bytes } = makeRecord(patternBytes(10));
    expect(forgeHeader(bytes, () => undefined)).toBeDefined();
    expect(forgeHeader(bytes, (header) => header.writeUInt8(0, 4))).toBeUndefined();
    expect(forgeHeader(bytes, (header) => header.writeUInt8(RecordType.seal + 1, 4))).toBeUndefined();
    expect(forgeHeader(bytes, (header) => header.writeUInt8(2, 5))).toBeUndefined();
    expect(forgeHeader(bytes, (header) => header.writeUInt32LE(PAYLOAD_BYTES_MAX + 1, 0))).toBeUndefined();
  });

  test("a payload that no reader would accept is not sealed", () => {
    expect(() => makeRecord(Buffer.alloc(PAYLOAD_BYTES_MAX + 1))).toThrow("payload");
    expect(isSound(makeRecord(Buffer.alloc(PAYLOAD_BYTES_MAX)).bytes)).toBe(true);
  });
});

describe("blocks", () => {
  test("any run of blocks is verified with the table alone, the last one short", () => {
    const size = 3 * BLOCK_BYTES + 5;
    const { bytes } = makeRecord(patternBytes(size));
    const payload = bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + size);
    const table = bytes.subarray(RECORD_HEADER_BYTES + size);
    for (let first = 0; first < 4; first++) {
      for (let end = first + 1; end <= 4; end++) {
        const run = payload.subarray(first * BLOCK_BYTES, Math.min(end * BLOCK_BYTES, size));
        expect(blocksMatch(run, table, first)).toBe(true);
        if (first > 0) expect(blocksMatch(run, table, first - 1)).toBe(false);
      }
    }
  });
});

describe("chain", () => {
  test("each record names the history before it", () => {
    const records = makeChain([patternBytes(1), patternBytes(2), patternBytes(3)]);
    const headers = records.map(({ bytes }) => readRecordHeader(bytes, 0));
    expect(headers[0]?.chain).toEqual(CHAIN_START);
    expect(headers[1]?.chain).toEqual(records[0]?.chain);
    expect(headers[2]?.chain).toEqual(records[1]?.chain);
    expect(records.map(({ bytes }) => chainOf(bytes))).toEqual(records.map(({ chain }) => chain));
  });

  test("another payload, term, type or past gives another chain value", () => {
    const payload = patternBytes(20);
    const variants = [
      makeRecord(payload),
      makeRecord(patternBytes(20, 2)),
      makeRecord(payload, { term: 2 }),
      makeRecord(payload, { type: RecordType.chunk }),
      makeRecord(payload, { index: 2 }),
      makeRecord(payload, { chain: { low: 1, high: 0 } }),
      makeRecord(payload, { chain: { low: 0, high: 1 } }),
    ].map(({ chain }) => chain);
    for (const [at, chain] of variants.entries()) {
      for (const other of variants.slice(at + 1)) expect(sameChain(chain, other)).toBe(false);
      expect(sameChain(chain, { ...chain })).toBe(true);
    }
  });
});
