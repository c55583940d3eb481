/** The digest of a file that was read in passing is that of its bytes, however they were asked for. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { DigestedFile } from "../../src/offload/digested-file.ts";
import { patternBytes } from "../segment/records.ts";

const MIB = 1024 * 1024;

function fileOf(bytes: Buffer) {
  const read = (target: Uint8Array, position: number): Promise<number> =>
    Promise.resolve(bytes.copy(target, 0, Math.min(position, bytes.length)));
  return { read };
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test.each([0, 1, 1000, 3 * MIB + 5])("%d bytes: overlaps, gaps and the rest", async (count) => {
  const bytes = patternBytes(count);
  const file = new DigestedFile(fileOf(bytes), () => Promise.resolve());
  const at = async (position: number, length: number): Promise<void> => {
    const target = Buffer.alloc(length);
    const got = await file.read(target, position);
    expect(target.subarray(0, got).equals(bytes.subarray(position, position + length))).toBe(true);
  };
  await at(0, 40);
  await at(Math.max(0, count - 100), 100);
  await at(20, 100);
  await at(20, 50);
  await at(120, MIB + 500_000);
  await at(500_000, 2 * MIB);
  expect(await file.digest(count)).toBe(sha256Of(bytes));
});

test("never more than a mebibyte is hashed in one go", async () => {
  const bytes = patternBytes(3 * MIB + 5);
  let breaths = 0;
  const file = new DigestedFile(fileOf(bytes), () => Promise.resolve(void breaths++));
  await file.read(Buffer.alloc(bytes.length), 0);
  expect(breaths).toBe(4);
  expect(await file.digest(bytes.length)).toBe(sha256Of(bytes));
});

test("a file that became shorter has no digest", async () => {
  const file = new DigestedFile(fileOf(patternBytes(1000)), () => Promise.resolve());
  await expect(file.digest(1001)).rejects.toThrow(/ends at 1000, not at 1001/);
});
