/**
 * A node whose first segments lie in the cold tier alone, with an object of every kind in them, and a cold
 * store that counts and fails as it is told.
 */
import { createHash } from "node:crypto";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { FoundObject } from "../../src/service/api.ts";
import type { VersionName } from "../../src/state/version-id.ts";
import { FailingColdStore } from "../sim/failing-cold-store.ts";
import { SimRandom } from "../sim/sim-random.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { LocalWorld } from "./local-world.ts";

const PART_BYTES = 5 * 1024 * 1024;
const NONE = { kind: "none" } as const;
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

export type ColdContent = { readonly key: string; readonly bytes: Buffer };

export class ColdWorld {
  readonly local: LocalWorld;
  readonly cold: FailingColdStore;
  readonly watched = { read: [] as number[], damaged: [] as number[] };
  readonly #contents = new Map<string, Buffer>();

  /** Segments with fewer live bytes are written anew, packed, before they go. */
  constructor(livePercentMin = 0) {
    this.local = new LocalWorld(livePercentMin);
    const { clock } = this.local.space.machine;
    const random = new SimRandom("cold");
    // As far away as a bucket.
    this.cold = new FailingColdStore(this.local.cold, { clock, random, chances: { slow: 1 }, slowMs: 20 });
    const { tier } = this.local;
    const watch = {
      onRead: (id: number) => void this.watched.read.push(id),
      onDamaged: (id: number) => void this.watched.damaged.push(id),
    };
    this.local.space.options = { tier, cold: this.cold, watch };
  }

  run<Result>(work: Promise<Result>): Promise<Result> {
    return this.local.space.run(work);
  }

  get contents(): readonly ColdContent[] {
    return [...this.#contents].map(([key, bytes]) => ({ key, bytes }));
  }

  contentOf(key: string): Buffer {
    const bytes = this.#contents.get(key);
    if (bytes === undefined) throw new Error(`nothing was written to ${key}`);
    return bytes;
  }

  /** GETs so far. */
  get gets(): number {
    return this.cold.calls.filter((call) => call.startsWith("get ")).length;
  }

  /** One of every kind, then what moves the floor above them, then all below it goes. */
  async cooled(): Promise<SimStore> {
    const store = await this.local.space.openWithBucket();
    await this.#writeAll(store);
    await this.local.space.overwrite(store, 40, 20);
    await this.coolAll(store);
    return store;
  }

  async write(store: SimStore, key: string, size: number): Promise<void> {
    const bytes = this.local.space.machine.bytes(size);
    await this.run(
      store.service.objects.put({ ...headOf(key, bytes), body: await this.#body(store, bytes) }),
    );
    this.#contents.set(key, bytes);
  }

  async #body(store: SimStore, bytes: Buffer) {
    if (bytes.length <= 64 * 1024) return { kind: "bytes", bytes: Buffer.from(bytes) } as const;
    const writer = store.service.objects.startBody();
    for (let at = 0; at < bytes.length; at += 1024 * 1024) {
      await this.run(writer.write(Buffer.from(bytes.subarray(at, at + 1024 * 1024))));
    }
    return { kind: "written", writer } as const;
  }

  async #writeAll(store: SimStore): Promise<void> {
    for (let at = 0; at < 10; at++) await this.write(store, `record-${at}`, 1000 + at);
    await this.write(store, "empty", 0);
    await this.write(store, "inline", 200);
    await this.write(store, "edge", 64 * 1024);
    await this.write(store, "stored", 2 * 1024 * 1024 + 777);
    await this.#upload(store, "parts");
    await this.#slice(store, "slice", { from: "stored", start: 1000, end: 1_500_000 });
    for (const size of [70_000, 500, 300_000]) await this.#append(store, "appended", size);
    await this.run(store.service.versions.setVersioning("b", "Enabled"));
    await this.write(store, "versioned", 3000);
  }

  async #upload(store: SimStore, key: string): Promise<void> {
    const { uploads } = store.service;
    const named = { bucket: "b", key };
    const create = { ...named, owner: "root", attributes: NO_ATTRIBUTES, checksum: undefined };
    const created = await this.run(uploads.create(create));
    if (created.kind !== "created") throw new Error(created.kind);
    const { uploadId } = created;
    const bodies = [this.#bytes(PART_BYTES), this.#bytes(PART_BYTES), this.#bytes(1234)];
    const parts = bodies.map((bytes, at) => ({ partNumber: at + 1, etag: md5(bytes), checksum: undefined }));
    for (const [at, bytes] of bodies.entries()) {
      const body = await this.#body(store, bytes);
      const part = parts[at] as (typeof parts)[number];
      await this.run(uploads.putPart({ uploadId, ...part, body }));
    }
    const end = { parts, condition: NONE, expectedChecksum: undefined, expectedSize: undefined };
    const { kind } = await this.run(uploads.complete({ ...named, uploadId, ...end }));
    if (kind !== "completed") throw new Error(kind);
    this.#contents.set(key, Buffer.concat(bodies));
  }

  /** An object whose only part is a stretch of another one. */
  async #slice(
    store: SimStore,
    key: string,
    { from, start, end }: { readonly from: string; readonly start: number; readonly end: number },
  ): Promise<void> {
    const { uploads, copies } = store.service;
    const named = { bucket: "b", key };
    const create = { ...named, owner: "root", attributes: NO_ATTRIBUTES, checksum: undefined };
    const created = await this.run(uploads.create(create));
    if (created.kind !== "created") throw new Error(created.kind);
    const { uploadId } = created;
    const source = { bucket: "b", key: from };
    const look = () => ({ start, end });
    const part = await this.run(
      copies.copyPart({ source, uploadId, partNumber: 1, checksum: undefined, look }),
    );
    if (part.kind !== "copied") throw new Error(part.kind);
    const parts = [{ partNumber: 1, etag: part.etag, checksum: undefined }];
    const ends = { parts, condition: NONE, expectedChecksum: undefined, expectedSize: undefined };
    await this.run(uploads.complete({ ...named, uploadId, ...ends }));
    this.#contents.set(key, Buffer.from(this.contentOf(from).subarray(start, end)));
  }

  async #append(store: SimStore, key: string, size: number): Promise<void> {
    const before = this.#contents.get(key) ?? Buffer.alloc(0);
    const bytes = this.#bytes(size);
    const outcome = await this.run(
      store.service.copies.append({
        target: { bucket: "b", key },
        offset: before.length,
        condition: NONE,
        body: await this.#body(store, bytes),
        bodyBytes: size,
        bodyEtag: md5(bytes),
        bodyChecksum: undefined,
        attributes: NO_ATTRIBUTES,
        tags: [],
      }),
    );
    if (outcome.kind !== "appended") throw new Error(outcome.kind);
    this.#contents.set(key, Buffer.concat([before, bytes]));
  }

  #bytes(size: number): Buffer {
    return this.local.space.machine.bytes(size);
  }

  /** Below the floor, whatever still has live bytes. Returns how many. */
  async coolAll(store: SimStore): Promise<number> {
    const { state, local } = store.node;
    let count = 0;
    for (const { id, liveBytes, firstIndex, entries } of [...state.segments.all]) {
      if (firstIndex + entries - 1 > local.floorIndex) break;
      if (liveBytes === 0 || local.bytesOf(id) === 0) continue;
      await this.local.offload(store, id);
      if (await this.local.free(store, id)) count++;
    }
    store.node.cache.clear();
    this.cold.calls.length = 0;
    return count;
  }

  async find(store: SimStore, key: string): Promise<FoundObject> {
    const found = await this.run(this.local.space.find(store, key));
    if (found === undefined) throw new Error(`${key} is not there`);
    return found;
  }

  async findVersion(store: SimStore, key: string, version: VersionName): Promise<FoundObject> {
    const found = await this.run(store.service.versions.find({ bucket: "b", key, version }));
    if (found.kind !== "object") throw new Error(found.kind);
    return found.object;
  }

  /** Not awaited: the clock has to run for it. */
  async readSoon(store: SimStore, found: FoundObject, start = 0, end = found.size): Promise<Buffer> {
    const { signal } = new AbortController();
    const pieces: Uint8Array[] = [];
    for await (const piece of store.service.objects.read(found, { start, end }, { signal })) {
      pieces.push(Uint8Array.from(piece));
    }
    return Buffer.concat(pieces);
  }

  read(store: SimStore, found: FoundObject, start = 0, end = found.size): Promise<Buffer> {
    return this.run(this.readSoon(store, found, start, end));
  }

  async get(store: SimStore, key: string): Promise<Buffer> {
    return await this.read(store, await this.find(store, key));
  }

  /** The error that reading the object ends with. */
  async failure(store: SimStore, key: string): Promise<Error> {
    const found = await this.find(store, key);
    const reading = this.readSoon(store, found).then(
      () => new Error(`${key} was read`),
      (error: unknown) => error as Error,
    );
    return await this.run(reading);
  }

  tierOf(store: SimStore, found: FoundObject, start = 0, end = found.size): Promise<"hot" | "cold"> {
    return this.run(Promise.resolve(store.service.objects.tierOf(found, { start, end })));
  }
}

function headOf(key: string, bytes: Buffer) {
  return { bucket: "b", key, etag: md5(bytes), attributes: NO_ATTRIBUTES, condition: NONE };
}
