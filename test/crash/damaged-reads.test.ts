/**
 * Bytes that rot under a running node: no read returns one of them (promise P4), whichever way it takes:
 * small bodies against the check in their row, chunks as a whole, ranges block by block, and always the
 * record that was meant.
 */
import { describe, expect, test } from "vitest";
import { DamageError } from "../../src/base/errors.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { md5 } from "./recorded-client.ts";
import { SimWorld } from "./sim-world.ts";

const SEGMENT = "data/log/0000000001.seg";
const options = { segmentBytes: 64 * 1024 * 1024, cacheBytesMax: 1 };

async function putStreamed(world: SimWorld, store: SimStore, key: string, bytes: Buffer): Promise<void> {
  const writer = store.service.objects.startBody();
  await world.clock.run(writer.write(Buffer.from(bytes)));
  const put = store.service.objects.put({
    bucket: "b",
    key,
    etag: md5(bytes),
    attributes: NO_ATTRIBUTES,
    body: { kind: "written", writer },
    condition: { kind: "none" },
  });
  expect((await world.clock.run(put)).kind).toBe("put");
}

async function readRange(
  world: SimWorld,
  { service }: SimStore,
  key: string,
  range: { readonly start: number; readonly end: number },
): Promise<Buffer> {
  const read = async (): Promise<Buffer> => {
    const found = await service.objects.find(`b/${key}`);
    if (found === undefined) throw new Error(`${key} is gone`);
    const pieces: Uint8Array[] = [];
    const { signal } = new AbortController();
    for await (const piece of service.objects.read(found, range, { signal })) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  return await world.clock.run(read());
}

/** Where `bytes` stand in the first segment. */
async function placeOf(world: SimWorld, bytes: Buffer): Promise<number> {
  const at = Buffer.from((await world.disk.readFile(SEGMENT)) as Uint8Array).indexOf(bytes);
  expect(at).toBeGreaterThan(0);
  return at;
}

function flip(world: SimWorld, position: number, byte: number): void {
  world.disk.damage(SEGMENT, position, Buffer.of(byte ^ 1));
}

describe("a rotten byte is named, not returned", () => {
  test("in a small body", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket(options);
    const bytes = world.bytes(3000);
    await world.clock.run(world.put(store, "k", bytes));
    flip(world, (await placeOf(world, bytes)) + 1500, bytes[1500] as number);
    await expect(world.get(store, "k")).rejects.toThrow(DamageError);
  });

  test("in a chunk that is read as a whole", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket(options);
    const bytes = world.bytes(300_000);
    await putStreamed(world, store, "k", bytes);
    flip(world, (await placeOf(world, bytes)) + 250_000, bytes[250_000] as number);
    await expect(readRange(world, store, "k", { start: 0, end: 300_000 })).rejects.toThrow(DamageError);
  });

  test("in a block of a chunk; the other blocks are still read", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket(options);
    const bytes = world.bytes(300_000);
    await putStreamed(world, store, "k", bytes);
    flip(world, (await placeOf(world, bytes)) + 250_000, bytes[250_000] as number);
    const sound = { start: 1000, end: 60_000 };
    expect(await readRange(world, store, "k", sound)).toEqual(bytes.subarray(sound.start, sound.end));
    await expect(readRange(world, store, "k", { start: 249_000, end: 249_100 })).rejects.toThrow(DamageError);
  });

  test("in the block table of a chunk", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket(options);
    const bytes = world.bytes(300_000);
    await putStreamed(world, store, "k", bytes);
    const tableAt = (await placeOf(world, bytes)) + bytes.length;
    const table = Buffer.from((await world.disk.readFile(SEGMENT)) as Uint8Array);
    flip(world, tableAt, table[tableAt] as number);
    await expect(readRange(world, store, "k", { start: 0, end: 100 })).rejects.toThrow(DamageError);
  });
});

test("a sound record in the place of another one is not taken for it", async () => {
  const world = new SimWorld();
  const store = await world.openWithBucket(options);
  const [one, two] = [world.bytes(200_000), world.bytes(200_000)];
  await putStreamed(world, store, "1", one);
  await putStreamed(world, store, "2", two);
  const segment = Buffer.from((await world.disk.readFile(SEGMENT)) as Uint8Array);
  const [at, otherAt] = [segment.indexOf(one), segment.indexOf(two)] as const;
  // From the header, which the row's offset names, to the end of the block table.
  const before = 200;
  const headerOf = (body: number): number => {
    for (let start = body - 40; start > body - before; start--) {
      if (segment.readUInt32LE(start) === body - start - 40 + 200_000) return start;
    }
    throw new Error("no header");
  };
  const [start, otherStart] = [headerOf(at), headerOf(otherAt)];
  const length = at - start + 200_000 + 4 * 4;
  expect(otherAt - otherStart).toBe(at - start);
  world.disk.damage(SEGMENT, start, segment.subarray(otherStart, otherStart + length));
  await expect(readRange(world, store, "1", { start: 0, end: 200_000 })).rejects.toThrow(DamageError);
  await expect(readRange(world, store, "1", { start: 0, end: 100 })).rejects.toThrow(DamageError);
});
