/**
 * Buckets and objects of the fake service.
 */
import { CHUNK_BYTES_MAX } from "../../src/service/api.ts";
import type {
  BucketInfo,
  BucketService,
  DeleteOutcome,
  FoundObject,
  KeyVersion,
  ListedObject,
  ObjectCursor,
  ObjectService,
  PutObjectInput,
  PutOutcome,
} from "../../src/service/api.ts";
import { storageClassOf } from "../../src/state/attributes.ts";
import type { VersionTarget } from "../../src/service/version-api.ts";
import type { WriteCondition } from "../../src/state/command.ts";
import { compareKeys, FakeObject, FakeWriter } from "./fake-world.ts";
import type { FakeWorld, Pieces } from "./fake-world.ts";

export function fakeBuckets(world: FakeWorld): BucketService {
  const { buckets } = world;
  return {
    create: async (bucket) => {
      const existing = buckets.get(bucket.name);
      if (existing !== undefined) return { kind: "exists", owner: existing.owner };
      world.appliedIndex++;
      buckets.set(bucket.name, { ...bucket, createdMs: world.nowMs(), versioning: undefined });
      return { kind: "created" };
    },
    delete: async (name) => {
      if (!buckets.has(name)) return { kind: "noSuchBucket" };
      if (world.keysOf(name).length > 0) return { kind: "bucketNotEmpty" };
      world.appliedIndex++;
      buckets.delete(name);
      return { kind: "deleted" };
    },
    find: (name) => buckets.get(name),
    setting: (bucket, name) => world.settings.get(`${bucket}/${name}`),
    putSetting: async (bucket, name, document) => {
      if (!buckets.has(bucket)) return { kind: "noSuchBucket" };
      world.settings.set(`${bucket}/${name}`, document);
      return { kind: "put" };
    },
    deleteSetting: async (bucket, name) => {
      if (!buckets.has(bucket)) return { kind: "noSuchBucket" };
      world.settings.delete(`${bucket}/${name}`);
      return { kind: "deleted" };
    },
    list: async ({ prefix, after, limit }) => {
      const all: readonly BucketInfo[] = [...buckets.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const found = all.filter(({ name }) => name.startsWith(prefix) && name > after);
      return { buckets: found.slice(0, limit), truncated: found.length > limit };
    },
  };
}

class FakeCursor implements ObjectCursor {
  readonly #world: FakeWorld;
  readonly #bucket: string;
  readonly #keys: readonly string[];
  #at = 0;

  constructor(world: FakeWorld, query: { readonly bucket: string; readonly prefix: string }) {
    this.#world = world;
    this.#bucket = query.bucket;
    this.#keys = world.keysOf(query.bucket).filter((key) => key.startsWith(query.prefix));
  }

  async next(limit: number): Promise<readonly ListedObject[]> {
    const batch = this.#keys.slice(this.#at, this.#at + limit);
    this.#at += batch.length;
    return batch.flatMap((key) => {
      const object = this.#world.objects.get(`${this.#bucket}/${key}`);
      if (object === undefined) return [];
      const { size, modifiedMs, etag, attributes } = object;
      const storageClass = storageClassOf(attributes);
      return [{ key, size, modifiedMs, etag, checksum: attributes.checksum, storageClass }];
    });
  }

  seek(key: string): void {
    this.#at = this.#keys.findIndex((candidate) => compareKeys(candidate, key) >= 0);
    if (this.#at < 0) this.#at = this.#keys.length;
  }

  async close(): Promise<void> {
    this.#at = this.#keys.length;
  }
}

function* slices(
  pieces: Pieces,
  range: { readonly start: number; readonly end: number },
): Generator<Uint8Array> {
  let offset = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += CHUNK_BYTES_MAX) {
      const start = Math.max(at, range.start - offset);
      const end = Math.min(piece.length, at + CHUNK_BYTES_MAX, range.end - offset);
      if (start < end) yield piece.subarray(start, end);
    }
    offset += piece.length;
  }
}

function fakeObject(object: FoundObject): FakeObject {
  if (object instanceof FakeObject) return object;
  throw new Error("not an object of this service");
}

export class FakeObjects implements ObjectService {
  readonly #world: FakeWorld;

  constructor(world: FakeWorld) {
    this.#world = world;
  }

  find(path: string): FoundObject | undefined | Promise<FoundObject | undefined> {
    const world = this.#world;
    world.failOn("find");
    const found = world.objects.get(path);
    return world.slowFind ? Promise.resolve(found) : found;
  }

  async *read(
    object: FoundObject,
    range: { readonly start: number; readonly end: number },
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    for (const slice of slices(fakeObject(object).pieces, range)) {
      this.#world.failOn("read");
      signal.throwIfAborted();
      if (this.#world.onRead !== undefined) await this.#world.onRead();
      // Pieces are the reader's, who may free them.
      const own = Buffer.allocUnsafeSlow(slice.length);
      own.set(slice);
      this.#world.handedOut.push(own);
      yield own;
    }
  }

  tierOf(): "hot" {
    return "hot";
  }

  partRange(
    object: FoundObject,
    partNumber: number,
  ): { readonly start: number; readonly end: number } | undefined {
    const { partSizes } = fakeObject(object);
    const size = partSizes[partNumber - 1];
    if (size === undefined) return undefined;
    const start = partSizes.slice(0, partNumber - 1).reduce((sum, part) => sum + part, 0);
    return { start, end: start + size };
  }

  startBody(): FakeWriter {
    const writer = new FakeWriter(this.#world.writeGate, this.#world.chunksAhead);
    this.#world.writers.add(writer);
    return writer;
  }

  async put(input: PutObjectInput): Promise<PutOutcome> {
    return this.#put(input);
  }

  async putMany(inputs: readonly PutObjectInput[]): Promise<readonly PutOutcome[]> {
    return inputs.map((input) => this.#put(input));
  }

  async delete(target: {
    readonly bucket: string;
    readonly key: string;
    readonly condition: WriteCondition;
  }): Promise<DeleteOutcome> {
    return this.#delete(target);
  }

  async deleteMany(
    bucket: string,
    doomed: readonly (string | KeyVersion)[],
  ): Promise<readonly DeleteOutcome[]> {
    const condition = { kind: "none" } as const;
    return doomed.map((each) =>
      typeof each === "string"
        ? this.#delete({ bucket, key: each, condition })
        : this.deleteVersion({ bucket, ...each }),
    );
  }

  /** Every object is its own null version: versioning is what this fake does not know. */
  deleteVersion(target: VersionTarget): DeleteOutcome {
    if (target.version.kind === "null") return this.#delete({ ...target, condition: { kind: "none" } });
    return { kind: "deleted", version: undefined };
  }

  async list(query: {
    readonly bucket: string;
    readonly prefix: string;
    readonly from: string;
  }): Promise<ObjectCursor | undefined> {
    this.#world.failOn("list");
    if (!this.#world.buckets.has(query.bucket)) return undefined;
    const cursor = new FakeCursor(this.#world, query);
    cursor.seek(query.from);
    return cursor;
  }

  #put(input: PutObjectInput): PutOutcome {
    const world = this.#world;
    world.failOn("put");
    if (!world.buckets.has(input.bucket)) return { kind: "noSuchBucket" };
    const path = `${input.bucket}/${input.key}`;
    const verdict = world.verdict(path, input.condition);
    if (verdict !== "holds") return { kind: verdict };
    const { etag, attributes } = input;
    const modifiedMs = world.nowMs();
    const pieces = world.takeBody(input.body);
    world.objects.set(path, new FakeObject({ modifiedMs, etag, attributes, pieces, partSizes: [] }));
    world.appliedIndex++;
    return { kind: "put", etag, modifiedMs, versionId: undefined };
  }

  #delete(target: {
    readonly bucket: string;
    readonly key: string;
    readonly condition: WriteCondition;
  }): DeleteOutcome {
    const world = this.#world;
    if (!world.buckets.has(target.bucket)) return { kind: "noSuchBucket" };
    const path = `${target.bucket}/${target.key}`;
    const verdict = world.verdict(path, target.condition);
    if (verdict !== "holds") return { kind: verdict };
    world.appliedIndex++;
    world.objects.delete(path);
    return { kind: "deleted", version: undefined };
  }
}
