/** Appends: content, offsets, races, checksums, and lists of pieces that copies share. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { AppendOutcome } from "../../src/service/copy-api.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { checksumOf } from "../../src/s3/checksums.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes, StoredChecksum } from "../../src/state/attributes.ts";
import type { WriteCondition } from "../../src/state/command.ts";
import { checkRows } from "../crash/check-rows.ts";
import { KIB, MIB, bodyOf, bytesOf, find, md5, openService, put, remove } from "./service-world.ts";

const target = { bucket: "b", key: "log" };
const crcOf = (bytes: Uint8Array): StoredChecksum => ({
  algorithm: "CRC32",
  type: "FULL_OBJECT",
  value: checksumOf("CRC32", bytes).toString("base64"),
});

async function append(
  service: StoreService,
  offset: number,
  bytes: Uint8Array,
  changes: {
    readonly condition?: WriteCondition;
    readonly checksum?: StoredChecksum;
    readonly attributes?: Attributes;
    readonly key?: string;
  } = {},
): Promise<AppendOutcome> {
  return await service.copies.append({
    target: { bucket: "b", key: changes.key ?? target.key },
    offset,
    condition: changes.condition ?? { kind: "none" },
    body: await bodyOf(service, bytes),
    bodyBytes: bytes.length,
    bodyEtag: md5(bytes),
    bodyChecksum: changes.checksum,
    attributes: changes.attributes ?? NO_ATTRIBUTES,
    tags: [],
  });
}

async function content(service: StoreService, key = "log"): Promise<Buffer> {
  const object = await find(service, key);
  if (object === undefined) throw new Error(`no ${key}`);
  return await bytesOf(service, object);
}

describe("appends", () => {
  test("add up, whatever their sizes, in whole and in ranges, also after a reopen", async () => {
    await using world = await openService();
    let { service } = world;
    let whole = Buffer.alloc(0);
    const sizes = [10, 300, 0, 70_000, 1, MIB + 5, 256, 100_000, 64 * KIB, 3];
    for (let round = 0; round < 40; round++) {
      const bytes = randomBytes(sizes[round % sizes.length] as number);
      const outcome = await append(service, whole.length, bytes);
      whole = Buffer.concat([whole, bytes]);
      expect(outcome).toMatchObject({ kind: "appended", size: whole.length });
      if (round === 20) service = await world.reopen();
    }
    const object = await find(service, "log");
    expect(object?.size).toBe(whole.length);
    expect((await content(service)).equals(whole)).toBe(true);
    const { signal } = new AbortController();
    for (let start = 0; start < whole.length; start += 200_003) {
      const pieces: Uint8Array[] = [];
      const end = Math.min(whole.length, start + 90_001);
      for await (const piece of service.objects.read(
        object as NonNullable<typeof object>,
        { start, end },
        { signal },
      ))
        pieces.push(piece);
      expect(Buffer.concat(pieces).equals(whole.subarray(start, end))).toBe(true);
    }
    expect(await checkRows(world.store().node)).toEqual([]);
    await remove(service, "log");
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("at another offset than the end are refused and say where the end is", async () => {
    await using world = await openService();
    const { service } = world;
    expect(await append(service, 5, Buffer.from("x"))).toEqual({ kind: "wrongOffset", size: undefined });
    await append(service, 0, randomBytes(100 * KIB));
    for (const offset of [0, 1, 100 * KIB - 1, 100 * KIB + 1]) {
      expect(await append(service, offset, Buffer.from("x"))).toEqual({
        kind: "wrongOffset",
        size: 100 * KIB,
      });
    }
    expect((await find(service, "log"))?.size).toBe(100 * KIB);
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test.each([
    ["nothing", 0],
    ["a small object", 10],
    ["a large object", 100 * KIB],
  ])("of 20 that race for one offset of %s one wins each time", async (_, start) => {
    await using world = await openService();
    const { service } = world;
    if (start > 0) await put(service, "log", randomBytes(start));
    let end = start;
    for (let round = 0; round < 5; round++) {
      const bodies = Array.from({ length: 20 }, (_unused, number) =>
        randomBytes(number % 2 === 0 ? 9 : 70 * KIB),
      );
      const outcomes = await Promise.all(bodies.map((bytes) => append(service, end, bytes)));
      const winners = outcomes.filter(({ kind }) => kind === "appended");
      expect(winners).toHaveLength(1);
      expect(outcomes.filter(({ kind }) => kind === "wrongOffset")).toHaveLength(19);
      const winner = bodies[outcomes.findIndex(({ kind }) => kind === "appended")] as Buffer;
      const whole = await content(service);
      expect(whole.subarray(end).equals(winner)).toBe(true);
      end = whole.length;
    }
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("leave copies of the object as they are, and copies leave the object", async () => {
    await using world = await openService();
    const { service } = world;
    const first = randomBytes(80 * KIB);
    const look = () => ({ attributes: NO_ATTRIBUTES, tags: undefined, checksum: undefined });
    const copyTo = (key: string) =>
      service.copies.copy({
        source: target,
        target: { bucket: "b", key },
        condition: { kind: "none" },
        look,
      });
    await append(service, 0, first);
    await append(service, first.length, Buffer.from("one"));
    await copyTo("copy");
    await append(service, first.length + 3, Buffer.from("two"));
    await copyTo("later");
    expect((await content(service, "copy")).equals(Buffer.concat([first, Buffer.from("one")]))).toBe(true);
    expect((await content(service)).equals(Buffer.concat([first, Buffer.from("onetwo")]))).toBe(true);
    expect(await checkRows(world.store().node)).toEqual([]);
    await remove(service, "copy");
    await remove(service, "log");
    expect((await content(service, "later")).equals(Buffer.concat([first, Buffer.from("onetwo")]))).toBe(
      true,
    );
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("to an object and to its copy do not mix", async () => {
    await using world = await openService();
    const { service } = world;
    const first = randomBytes(80 * KIB);
    await append(service, 0, first);
    await append(service, first.length, Buffer.from("both"));
    const look = () => ({ attributes: NO_ATTRIBUTES, tags: undefined, checksum: undefined });
    const copy = { bucket: "b", key: "copy" };
    await service.copies.copy({ source: target, target: copy, condition: { kind: "none" }, look });
    const end = first.length + 4;
    await append(service, end, Buffer.from("one"));
    await append(service, end, Buffer.from("other"), { key: "copy" });
    expect((await content(service)).subarray(first.length).toString()).toBe("bothone");
    expect((await content(service, "copy")).subarray(first.length).toString()).toBe("bothother");
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("and copies in turn do not nest without bound", async () => {
    await using world = await openService();
    const { service } = world;
    let whole = randomBytes(80 * KIB);
    await append(service, 0, whole);
    const look = () => ({ attributes: NO_ATTRIBUTES, tags: undefined, checksum: undefined });
    for (let round = 0; round < 12; round++) {
      const copied = { source: target, target: { bucket: "b", key: `copy${round}` }, look };
      await service.copies.copy({ ...copied, condition: { kind: "none" } });
      const bytes = Buffer.from(`round ${round}`);
      expect((await append(service, whole.length, bytes)).kind).toBe("appended");
      whole = Buffer.concat([whole, bytes]);
    }
    expect((await content(service)).equals(whole)).toBe(true);
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("keep attributes, and the checksum as long as it can be continued", async () => {
    await using world = await openService();
    const { service } = world;
    const [first, second, third] = [randomBytes(90 * KIB), randomBytes(10), randomBytes(90 * KIB)];
    const attributes: Attributes = { ...NO_ATTRIBUTES, metadata: [["m", "kept"]] };
    await append(service, 0, first, { attributes, checksum: crcOf(first) });
    await append(service, first.length, second, { checksum: crcOf(second) });
    const both = Buffer.concat([first, second]);
    expect((await find(service, "log"))?.attributes).toMatchObject({
      metadata: [["m", "kept"]],
      checksum: crcOf(both),
    });
    await append(service, both.length, third);
    expect((await find(service, "log"))?.attributes).toEqual({ ...attributes, checksum: undefined });
  });

  test("hold their condition against the object that grows", async () => {
    await using world = await openService();
    const { service } = world;
    const none = { condition: { kind: "absent" } } as const;
    expect((await append(service, 0, Buffer.from("a"), none)).kind).toBe("appended");
    expect((await append(service, 1, Buffer.from("b"), none)).kind).toBe("preconditionFailed");
    const etag = md5(Buffer.from("a"));
    const matching = { condition: { kind: "etag", etag } } as const;
    expect((await append(service, 1, Buffer.from("b"), matching)).kind).toBe("appended");
    expect((await append(service, 2, Buffer.from("c"), matching)).kind).toBe("preconditionFailed");
    expect((await content(service)).toString()).toBe("ab");
  });
});
