/** What the disk in memory has beyond the contract of all disks: an account of its bytes. */
import { expect, test } from "vitest";
import { MemoryDisk } from "../../src/adapters/memory-disk.ts";
import { MemoryIndex } from "../../src/adapters/memory-index-store.ts";
import { MemorySpace } from "../../src/adapters/memory-space.ts";
import { isOutOfSpace } from "../../src/ports/disk.ts";

const MIB = 1024 * 1024;

test("a write past the space fails as on a full disk, and takes nothing", async () => {
  const space = new MemorySpace({ bytesMax: 2 * MIB });
  const disk = new MemoryDisk(space);
  const file = await disk.open("/a", "durable");
  await file.write(Buffer.alloc(MIB, 1), 0);
  const refusal = await file.write(Buffer.alloc(MIB + 1, 2), MIB).catch((error: unknown) => error);
  expect(isOutOfSpace(refusal)).toBe(true);
  expect(await file.size()).toBe(MIB);
  expect(await disk.space()).toEqual({ freeBytes: MIB, totalBytes: 2 * MIB });
  await file.write(Buffer.alloc(MIB, 3), MIB);
  expect(space.freeBytes).toBe(0);
});

test("space comes back with the last name and the last handle", async () => {
  const space = new MemorySpace({ bytesMax: 4 * MIB });
  const disk = new MemoryDisk(space);
  const file = await disk.open("/a", "write");
  await file.write(Buffer.alloc(MIB, 1), 0);
  await disk.remove("/a");
  expect(space.freeBytes).toBe(3 * MIB);
  await file.close();
  expect(space.freeBytes).toBe(4 * MIB);
  for (const path of ["/b", "/c"]) {
    const other = await disk.open(path, "write");
    await other.write(Buffer.alloc(MIB, 1), 0);
    await other.close();
  }
  await disk.rename("/b", "/c");
  expect(space.freeBytes).toBe(3 * MIB);
  const left = await disk.open("/c", "write");
  await left.truncate(0);
  expect(space.freeBytes).toBe(4 * MIB);
});

test("zeros are counted and take no memory; what is written between them is kept", async () => {
  const space = new MemorySpace({ bytesMax: 1024 * MIB });
  const disk = new MemoryDisk(space);
  const before = process.memoryUsage().arrayBuffers;
  const file = await disk.open("/reserve", "write");
  const zeros = Buffer.alloc(MIB);
  for (let at = 0; at < 256; at++) await file.write(zeros, at * MIB);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB);
  expect(space.freeBytes).toBe(768 * MIB);
  await file.write(Buffer.from("here"), 100 * MIB + 5);
  const around = Buffer.alloc(8, 1);
  await file.read(around, 100 * MIB + 3);
  expect(around.toString("latin1")).toBe("\0\0here\0\0");
});

test("rows are counted beside the files, never refused, and given back", async () => {
  const space = new MemorySpace({ bytesMax: MIB });
  const index = new MemoryIndex(space);
  const store = await index.open();
  const write = async (value: Uint8Array | undefined): Promise<void> => {
    const batch = store.batch();
    if (value === undefined) batch.delete("key");
    else batch.put("key", value);
    await batch.write();
  };
  await write(Buffer.alloc(MIB / 2));
  expect(space.freeBytes).toBeLessThanOrEqual(MIB / 2);
  await write(Buffer.alloc(2 * MIB));
  expect(space.freeBytes).toBe(0);
  expect(store.getSync("key")).toHaveLength(2 * MIB);
  const file = await new MemoryDisk(space).open("/a", "write");
  expect(isOutOfSpace(await file.write(Buffer.alloc(1), 0).catch((error: unknown) => error))).toBe(true);
  await write(undefined);
  expect(space.freeBytes).toBe(MIB);
});
