/** Promises of listings: UTF-8 order, exactly the keys of the prefix, a view of one moment, seeks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import { createUpload, listAll, md5, openService, put, remove } from "./service-world.ts";
import type { ServiceWorld } from "./service-world.ts";

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function withKeys(keys: readonly string[]): Promise<ServiceWorld> {
  const world = await openService();
  const bytes = Buffer.from("x");
  await world.service.objects.putMany(
    keys.map((key) => ({
      bucket: "b",
      key,
      etag: md5(bytes),
      attributes: NO_ATTRIBUTES,
      body: { kind: "bytes" as const, bytes },
      condition: { kind: "none" as const },
    })),
  );
  return world;
}

/** Characters at the borders of UTF-8 and UTF-16, and a skin tone whose last unit is the last of its kind. */
const unit = fc.constantFrom(
  "a",
  "b",
  "/",
  "\x01",
  "~",
  "é",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "😀",
  "\u{1f3ff}",
  "\u{10ffff}",
);
const someKeys = fc
  .sample(fc.string({ unit, minLength: 1, maxLength: 5 }), { numRuns: 400, seed: 21 })
  .filter((key, at, all) => all.indexOf(key) === at);

describe("a listing", () => {
  test("shows exactly the keys at or after `from` that begin with the prefix, in byte order", async () => {
    await using world = await withKeys(someKeys);
    const sorted = someKeys.toSorted(byBytes);
    const text = fc.string({ unit, maxLength: 3 });
    for (const [prefix, from] of fc.sample(fc.tuple(text, text), { numRuns: 120, seed: 22 })) {
      const wanted = sorted.filter((key) => key.startsWith(prefix) && byBytes(key, from) >= 0);
      const listed = await listAll(world.service, { prefix, from });
      expect(
        listed.map(({ key }) => key),
        `${prefix} from ${from}`,
      ).toEqual(wanted);
    }
  });

  test("has pages of the size asked for and an empty one at the end", async () => {
    await using world = await withKeys(Array.from({ length: 25 }, (_, at) => `k${at + 10}`));
    for (const page of [1, 7, 25, 26]) expect(await listAll(world.service, { page })).toHaveLength(25);
  });

  test("tells size, time, etag and checksum without reading the object", async () => {
    await using world = await openService();
    const checksum = { algorithm: "CRC64NVME", type: "FULL_OBJECT", value: "AAAAAAAAAAA=" } as const;
    const large = { ...NO_ATTRIBUTES, metadata: [["m", "x".repeat(1800)] as const], checksum };
    await put(world.service, "a", "small");
    await put(world.service, "b", Buffer.alloc(100_000), { attributes: large });
    const [a, b] = await listAll(world.service);
    expect(a).toMatchObject({ key: "a", size: 5, etag: md5(Buffer.from("small")), checksum: undefined });
    expect(b).toMatchObject({
      key: "b",
      size: 100_000,
      checksum: { algorithm: "CRC64NVME", type: "FULL_OBJECT" },
    });
    expect(a?.modifiedMs).toBeGreaterThan(1_600_000_000_000);
  });

  test("tells the storage class that was asked for, also of uploads and after a reopen", async () => {
    await using world = await openService();
    const attributes: Attributes = {
      headers: [["x-amz-storage-class", "ONEZONE_IA"]],
      metadata: [],
      checksum: undefined,
    };
    await put(world.service, "cool", "x", { attributes });
    await put(world.service, "plain", "x");
    const uploadId = await createUpload(world.service, "up", { attributes });
    await createUpload(world.service, "up2");
    for (const open of [async () => world.service, world.reopen]) {
      const service = await open();
      const objects = await listAll(service);
      expect(objects.map(({ storageClass }) => storageClass)).toEqual(["ONEZONE_IA", "STANDARD"]);
      const page = await service.uploads.list({ bucket: "b", prefix: "", after: undefined, limit: 10 });
      expect(page?.uploads.map(({ storageClass }) => storageClass)).toEqual(["ONEZONE_IA", "STANDARD"]);
      const found = await service.uploads.find({ bucket: "b", key: "up", uploadId });
      expect(found?.storageClass).toBe("ONEZONE_IA");
    }
  });

  test("shows what was acknowledged before it, and one moment only", async () => {
    await using world = await withKeys(["a", "b", "c"]);
    const { service } = world;
    await remove(service, "b");
    await put(service, "d", "x");
    const cursor = await service.objects.list({ bucket: "b", prefix: "", from: "" });
    const first = (await cursor?.next(1))?.map(({ key }) => key);
    await remove(service, "c");
    await put(service, "e", "x");
    const rest = (await cursor?.next(10))?.map(({ key }) => key);
    await cursor?.close();
    expect([first, rest]).toEqual([["a"], ["c", "d"]]);
  });

  test("goes where it is told to: past a common prefix, and back", async () => {
    await using world = await withKeys(["a/1", "a/2", "b", "c/1", "c/2", "d"]);
    const cursor = await world.service.objects.list({ bucket: "b", prefix: "", from: "" });
    const next = async (): Promise<string | undefined> => (await cursor?.next(1))?.[0]?.key;
    const seen = [await next()];
    cursor?.seek("a0");
    seen.push(await next(), await next());
    cursor?.seek("c0");
    seen.push(await next());
    cursor?.seek("a/2");
    seen.push(await next());
    await cursor?.close();
    expect(seen).toEqual(["a/1", "b", "c/1", "d", "a/2"]);
  });

  test("of one bucket never shows keys of another", async () => {
    await using world = await withKeys(["k"]);
    const { service } = world;
    for (const name of ["a", "c"]) {
      await service.buckets.create({ name, owner: "root", location: "" });
      await put(service, `of ${name}`, "x", { bucket: name });
    }
    expect((await listAll(service)).map(({ key }) => key)).toEqual(["k"]);
    expect(await service.objects.list({ bucket: "absent", prefix: "", from: "" })).toBeUndefined();
  });
});
