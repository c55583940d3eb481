/**
 * The segments that hold something of some keys: whatever body they have, no segment is missed, and none is
 * named for nothing. The truth is what is still live once everything else was deleted.
 */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { segmentsOfKeys } from "../../src/offload/key-segments.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import {
  KIB,
  MIB,
  bodyOf,
  completeInput,
  createUpload,
  md5,
  openService,
  put,
  putPart,
  remove,
} from "../service/service-world.ts";
import type { ServiceWorld } from "../service/service-world.ts";

const PLAN = { attributes: NO_ATTRIBUTES, tags: undefined, checksum: undefined };
const target = (key: string): { readonly bucket: string; readonly key: string } => ({ bucket: "b", key });

async function upload(service: StoreService, key: string): Promise<void> {
  const uploadId = await createUpload(service, key);
  const parts = [
    await putPart(service, uploadId, 1, randomBytes(5 * MIB)),
    await putPart(service, uploadId, 7, randomBytes(200 * KIB)),
  ];
  await service.uploads.complete(completeInput(key, uploadId, parts));
}

async function append(service: StoreService, key: string, sizes: readonly number[]): Promise<void> {
  let offset = 0;
  for (const size of sizes) {
    const bytes = randomBytes(size);
    await service.copies.append({
      target: target(key),
      offset,
      condition: { kind: "none" },
      body: await bodyOf(service, bytes),
      bodyBytes: size,
      bodyEtag: md5(bytes),
      bodyChecksum: undefined,
      attributes: NO_ATTRIBUTES,
      tags: [],
    });
    offset += size;
  }
}

async function copy(service: StoreService, from: string, to: string): Promise<void> {
  const condition = { kind: "none" } as const;
  await service.copies.copy({ source: target(from), target: target(to), condition, look: () => PLAN });
}

/** A part that is a stretch of another object. */
async function stretch(service: StoreService, from: string, to: string): Promise<void> {
  const uploadId = await createUpload(service, to);
  const part = { uploadId, partNumber: 1, checksum: undefined };
  const look = () => ({ start: 100 * KIB, end: 200 * KIB });
  const copied = await service.copies.copyPart({ source: target(from), ...part, look });
  if (copied.kind !== "copied") throw new Error(copied.kind);
  const parts = [{ partNumber: 1, etag: copied.etag, checksum: undefined }];
  await service.uploads.complete(completeInput(to, uploadId, parts));
}

/** One of each kind of body, in segments of their own. */
async function fill(service: StoreService, prefix: string): Promise<void> {
  await put(service, `${prefix}inline`, randomBytes(100));
  await put(service, `${prefix}record`, randomBytes(40 * KIB));
  await put(service, `${prefix}stored`, randomBytes(2 * MIB + 5));
  await upload(service, `${prefix}parts`);
  await append(service, `${prefix}appended`, [60 * KIB, 70 * KIB, 300 * KIB, 10]);
  await copy(service, `${prefix}stored`, `${prefix}copy`);
}

async function keysFound(world: ServiceWorld, prefix: string): Promise<readonly number[]> {
  const { node } = world.store();
  const bucketId = node.state.buckets.find("b")?.row.id ?? 0;
  const { signal } = new AbortController();
  const parts = { index: node.index, segments: node.state.segments };
  return [...(await segmentsOfKeys(parts, { bucketId, prefix }, { signal }))].toSorted((a, b) => a - b);
}

function live(world: ServiceWorld): readonly number[] {
  const { all } = world.store().node.state.segments;
  return all.filter(({ liveBytes }) => liveBytes > 0).map(({ id }) => id);
}

async function removeAll(service: StoreService, prefix: string): Promise<void> {
  const cursor = await service.objects.list({ bucket: "b", prefix, from: "" });
  for (const { key } of (await cursor?.next(1000)) ?? []) await remove(service, key);
  await cursor?.close();
}

const small = { segmentBytes: 64 * KIB };
const REAPED = { timeout: 15_000, interval: 100 };

describe("segments of keys", () => {
  test("are those that stay live when all others go, for every kind of body", async () => {
    await using world = await openService(small);
    const { service } = world;
    await fill(service, "other/");
    await fill(service, "keep/");
    await fill(service, "keepsake/");
    const found = await keysFound(world, "keep/");
    expect(found.length).toBeGreaterThan(8);
    expect((await keysFound(world, "")).length).toBeGreaterThan(3 * found.length - 5);
    await removeAll(service, "other/");
    await removeAll(service, "keepsake/");
    await expect.poll(() => live(world), REAPED).toEqual(found);
    expect(await keysFound(world, "")).toEqual(found);
    expect(await keysFound(world, "absent")).toEqual([]);
  }, 60_000);

  test("are those of older versions too, behind a delete marker and behind another object", async () => {
    await using world = await openService(small);
    const { service } = world;
    await service.versions.setVersioning("b", "Enabled");
    await put(service, "keep/overwritten", randomBytes(300 * KIB));
    await put(service, "keep/overwritten", randomBytes(60 * KIB));
    await put(service, "keep/removed", randomBytes(60 * KIB));
    await upload(service, "keep/removed");
    await remove(service, "keep/removed");
    const found = await keysFound(world, "keep/");
    await put(service, "last", randomBytes(60 * KIB));
    expect(live(world).slice(0, -1)).toEqual(found);
  });

  test("are those of what a copied stretch is a part of", async () => {
    await using world = await openService(small);
    const { service } = world;
    await put(service, "other/source", randomBytes(3 * MIB));
    await put(service, "other/more", randomBytes(60 * KIB));
    await stretch(service, "other/source", "keep/stretch");
    const found = await keysFound(world, "keep/");
    await removeAll(service, "other/");
    const more = await keysFound(world, "other/");
    expect(more).toEqual([]);
    await expect.poll(() => live(world).every((id) => found.includes(id)), REAPED).toBe(true);
    expect(live(world).length).toBeGreaterThan(0);
  }, 30_000);

  test("are looked for no longer once nobody waits, and how far it is can be heard", async () => {
    await using world = await openService(small);
    const { node, service } = world.store();
    for (let at = 0; at < 1200; at += 100) {
      const puts = Array.from({ length: 100 }, (_, next) => put(service, `k${at + next}`, "x".repeat(300)));
      await Promise.all(puts);
    }
    const bucketId = node.state.buckets.find("b")?.row.id ?? 0;
    const parts = { index: node.index, segments: node.state.segments };
    const heard: number[] = [];
    const ended = new AbortController();
    const onRows = (count: number): void => {
      heard.push(count);
      if (count === 1000) ended.abort(new Error("nobody waits"));
    };
    const looking = segmentsOfKeys(parts, { bucketId, prefix: "" }, { signal: ended.signal, onRows });
    await expect(looking).rejects.toThrow("nobody waits");
    expect(heard).toEqual([500, 1000]);
    // The iterator was given back: as many as there may be can be opened.
    for (let times = 0; times < 65; times++) expect(await keysFound(world, "k1199")).toHaveLength(1);
  });
});
