/** Objects come into a file window by window: goes on where it was interrupted, and believes nothing. */
import { createHash } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { DamagedObjectError, digestOfObject, fetchInto } from "../../src/offload/fetch-object.ts";
import type { FetchPart, FetchParts } from "../../src/offload/fetch-object.ts";
import type { ColdGet } from "../../src/ports/cold-store.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";

const MIB = 1024 * 1024;
const SIZES = [9 * MIB + 5, 4 * MIB, 7];

const disk = new SimDisk();
const clock = new ManualClock(0);
const random = new SimRandom("objects");
const contents = SIZES.map((size) => random.bytes(size));
const sha256 = contents.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
const objects = SIZES.map((bytes, at) => ({ key: `object/${at}`, bytes, sha256: sha256[at] }));
const whole = Buffer.concat(contents);

let path = "";
let round = 0;
beforeEach(() => {
  path = `data/file-${++round}`;
});

type Watched = { readonly parts: FetchParts; readonly got: { bytes: number; atOnce: number } };

async function watched(failAt = Infinity): Promise<Watched> {
  const store = new SimColdStore({ disk, clock });
  for (const [at, bytes] of contents.entries()) await store.put(`object/${at}`, bytes, { kind: "segment" });
  const got = { bytes: 0, atOnce: 0 };
  let calls = 0;
  let running = 0;
  const get = store.get.bind(store);
  store.get = async (key: string, options: ColdGet) => {
    if (++calls >= failAt) throw new Error("no answer");
    got.atOnce = Math.max(got.atOnce, ++running);
    const bytes = await get(key, options);
    running--;
    got.bytes += bytes.length;
    return bytes;
  };
  const ignored = (): void => undefined;
  return { parts: { store, disk, arrived: ignored, finished: ignored }, got };
}

async function fileBytes(): Promise<Buffer> {
  return Buffer.from((await disk.readFile(path)) ?? []);
}

test("stand one behind the other, each with its digest, and few are on their way", async () => {
  const { parts, got } = await watched();
  expect(await fetchInto(parts, path, objects)).toEqual(sha256);
  expect((await fileBytes()).equals(whole)).toBe(true);
  expect(got.bytes).toBe(whole.length);
  expect(got.atOnce).toBeLessThanOrEqual(4);
});

test("an interrupted fetch goes on where it was", async () => {
  const first = await watched(4);
  await expect(fetchInto(first.parts, path, objects)).rejects.toThrow("no answer");
  const there = (await fileBytes()).length;
  expect(there).toBeGreaterThan(4 * MIB);
  const second = await watched();
  expect(await fetchInto(second.parts, path, objects)).toEqual(sha256);
  expect((await fileBytes()).equals(whole)).toBe(true);
  expect(second.got.bytes).toBeLessThanOrEqual(whole.length - 4 * MIB);
});

test("what an attempt has left is not believed: one bit of it, and all is fetched again", async () => {
  const first = await watched(4);
  await expect(fetchInto(first.parts, path, objects)).rejects.toThrow();
  disk.damage(path, 77, Buffer.from([255 ^ (whole[77] as number)]));
  const second = await watched();
  expect(await fetchInto(second.parts, path, objects)).toEqual(sha256);
  expect((await fileBytes()).equals(whole)).toBe(true);
});

test("a longer file than that is cut", async () => {
  const { parts } = await watched();
  const file = await disk.open(path, "write");
  await file.write(random.bytes(whole.length + 100), 0);
  await file.close();
  await fetchInto(parts, path, objects);
  expect((await fileBytes()).equals(whole)).toBe(true);
});

test("without a digest nothing that is there is kept", async () => {
  const file = await disk.open(path, "write");
  await file.write(random.bytes(whole.length), 0);
  await file.close();
  const { parts, got } = await watched();
  const unknown = objects.map((object) => ({ ...object, sha256: undefined }));
  expect(await fetchInto(parts, path, unknown)).toEqual(sha256);
  expect((await fileBytes()).equals(whole)).toBe(true);
  expect(got.bytes).toBe(whole.length);
});

test("an object that is wrong twice, shorter, or not there is to blame, by its key", async () => {
  const { parts } = await watched();
  const [digest = ""] = sha256;
  const sound = { key: "object/0", bytes: SIZES[0] ?? 0, sha256: digest };
  const cases: readonly (readonly FetchPart[])[] = [
    [sound, { key: "object/1", bytes: 4 * MIB, sha256: digest }],
    [sound, { key: "object/1", bytes: 4 * MIB + 1, sha256: sha256[1] }],
    [{ key: "object/9", bytes: 3, sha256: undefined }],
  ];
  for (const [at, given] of cases.entries()) {
    const error: unknown = await fetchInto(parts, path, given).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DamagedObjectError);
    expect((error as DamagedObjectError).key).toBe(at === 2 ? "object/9" : "object/1");
  }
});

test("the digest of an object is told without a file", async () => {
  const { parts } = await watched();
  expect(await digestOfObject(parts, { key: "object/0", bytes: SIZES[0] ?? 0, sha256: undefined })).toBe(
    sha256[0],
  );
});
