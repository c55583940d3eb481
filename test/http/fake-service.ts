/**
 * The service of src/service/api.ts over plain maps, for tests of the edge: honest semantics (conditions, part
 * rules, byte order, checksums of whole objects), no storage. Bodies above SMALL_BODY_BYTES_MAX do not come along
 * with `find`, as in the real one. `counts` tells what is left over, so tests can show that nothing was stored.
 */
import { hash } from "node:crypto";
import { compositeChecksum, fullObjectChecksum } from "../../src/s3/checksums.ts";
import { CHUNK_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "../../src/service/api.ts";
import type {
  BodyWriter,
  BucketInfo,
  BucketService,
  CompleteOutcome,
  CompletePart,
  DeleteOutcome,
  FoundObject,
  Identity,
  ListedObject,
  NodeStatus,
  ObjectCursor,
  ObjectService,
  PartInfo,
  PutBody,
  PutObjectInput,
  PutOutcome,
  Service,
  UploadInfo,
  UploadService,
} from "../../src/service/api.ts";
import type { Attributes, StoredChecksum } from "../../src/state/attributes.ts";
import type { WriteCondition } from "../../src/state/command.ts";

export const ROOT: Identity = { accountId: "root", displayName: "root", accessKey: "rootkey" };
export const ROOT_SECRET = "root-secret-key";
export const OTHER: Identity = { accountId: "other", displayName: "Other", accessKey: "otherkey" };
export const OTHER_SECRET = "other-secret-key";

const PART_BYTES_MIN = 5 * 1024 * 1024;

type StoredPart = PartInfo & { readonly bytes: Buffer };
type StoredObject = FoundObject & { readonly body: Buffer; readonly parts: readonly number[] };
type Upload = UploadInfo & {
  readonly bucket: string;
  readonly attributes: Attributes;
  readonly parts: Map<number, StoredPart>;
  completed: CompleteOutcome | undefined;
};

class FakeWriter implements BodyWriter {
  readonly pieces: Buffer[] = [];
  size = 0;
  state: "open" | "aborted" | "named" = "open";

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length > CHUNK_BYTES_MAX) throw new Error("a piece larger than CHUNK_BYTES_MAX");
    this.pieces.push(Buffer.from(bytes));
    this.size += bytes.length;
    await new Promise((resolve) => setImmediate(resolve));
  }

  abort(): void {
    if (this.state === "open") this.state = "aborted";
  }
}

function compareKeys(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

export type FakeService = Service & {
  /** What `thermocline` would have on disk: for asserting that nothing was stored. */
  counts(): { readonly objects: number; readonly uploads: number; readonly openWriters: number };
  /** Makes every later call of the named kind throw, until set to undefined. */
  failure: { readonly on: "find" | "put" | "read" | "list"; readonly error: Error } | undefined;
  /** Lets `find` answer with a promise, as on a miss. */
  slowFind: boolean;
  /** Called between the pieces of a read. */
  onRead: (() => Promise<void>) | undefined;
  ready: boolean;
  appliedIndex(): number;
};

export function createFakeService(options: { readonly nowMs?: () => number } = {}): FakeService {
  const nowMs = options.nowMs ?? ((): number => Date.now());
  const buckets = new Map<string, BucketInfo>();
  const objects = new Map<string, StoredObject>();
  const uploads = new Map<string, Upload>();
  const writers = new Set<FakeWriter>();
  let applied = 0;
  let nextUpload = 1;

  function failOn(kind: "find" | "put" | "read" | "list"): void {
    if (fake.failure?.on === kind) throw fake.failure.error;
  }

  function bodyOf(body: PutBody): Buffer {
    if (body.kind === "bytes") {
      if (body.bytes.length > SMALL_BODY_BYTES_MAX) throw new Error("a small body that is not small");
      return Buffer.from(body.bytes);
    }
    const writer = body.writer as FakeWriter;
    if (writer.state !== "open") throw new Error(`the writer is ${writer.state}`);
    writer.state = "named";
    return Buffer.concat(writer.pieces);
  }

  function holds(path: string, condition: WriteCondition): "holds" | "noSuchKey" | "preconditionFailed" {
    const current = objects.get(path);
    if (condition.kind === "none") return "holds";
    if (condition.kind === "absent") return current === undefined ? "holds" : "preconditionFailed";
    if (current === undefined) return "noSuchKey";
    return condition.etag === "*" || current.etag === condition.etag ? "holds" : "preconditionFailed";
  }

  function store(
    path: string,
    object: Omit<StoredObject, "edge" | "bytes" | "modifiedMs" | "size">,
  ): StoredObject {
    applied++;
    const stored: StoredObject = {
      ...object,
      size: object.body.length,
      modifiedMs: nowMs(),
      bytes: object.body.length <= SMALL_BODY_BYTES_MAX ? object.body : undefined,
      edge: undefined,
    };
    objects.set(path, stored);
    return stored;
  }

  function putOne(input: PutObjectInput): PutOutcome {
    failOn("put");
    if (!buckets.has(input.bucket)) return { kind: "noSuchBucket" };
    const path = `${input.bucket}/${input.key}`;
    const verdict = holds(path, input.condition);
    if (verdict !== "holds") return { kind: verdict };
    const { etag, attributes } = input;
    const stored = store(path, { etag, attributes, body: bodyOf(input.body), partCount: 0, parts: [] });
    return { kind: "put", etag, modifiedMs: stored.modifiedMs };
  }

  function deleteOne(bucket: string, key: string, condition: WriteCondition): DeleteOutcome {
    if (!buckets.has(bucket)) return { kind: "noSuchBucket" };
    const path = `${bucket}/${key}`;
    const verdict = holds(path, condition);
    if (verdict !== "holds") return { kind: verdict };
    applied++;
    objects.delete(path);
    return { kind: "deleted" };
  }

  function keysOf(bucket: string): readonly string[] {
    const prefix = `${bucket}/`;
    const keys = [...objects.keys()].filter((path) => path.startsWith(prefix));
    return keys.map((path) => path.slice(prefix.length)).toSorted(compareKeys);
  }

  const bucketService: BucketService = {
    create: (bucket) => {
      const existing = buckets.get(bucket.name);
      if (existing !== undefined) return Promise.resolve({ kind: "exists", owner: existing.owner });
      applied++;
      buckets.set(bucket.name, { ...bucket, createdMs: nowMs() });
      return Promise.resolve({ kind: "created" });
    },
    delete: (name) => {
      if (!buckets.has(name)) return Promise.resolve({ kind: "noSuchBucket" });
      if (keysOf(name).length > 0) return Promise.resolve({ kind: "bucketNotEmpty" });
      applied++;
      buckets.delete(name);
      return Promise.resolve({ kind: "deleted" });
    },
    find: (name) => buckets.get(name),
    list: ({ prefix, after, limit }) => {
      const names = [...buckets.keys()].toSorted().filter((name) => name.startsWith(prefix) && name > after);
      const found = names.slice(0, limit).map((name) => buckets.get(name) as BucketInfo);
      return Promise.resolve({ buckets: found, truncated: names.length > limit });
    },
  };

  function cursorOver(bucket: string, prefix: string, from: string): ObjectCursor {
    const keys = keysOf(bucket).filter((key) => key.startsWith(prefix));
    let at = keys.findIndex((key) => compareKeys(key, from) >= 0);
    if (at < 0) at = keys.length;
    return {
      next: (limit) => {
        const batch = keys.slice(at, at + limit).map((key): ListedObject => {
          const { size, modifiedMs, etag, attributes } = objects.get(`${bucket}/${key}`) as StoredObject;
          return { key, size, modifiedMs, etag, checksum: attributes.checksum };
        });
        at += batch.length;
        return Promise.resolve(batch);
      },
      seek: (key) => {
        while (at < keys.length && compareKeys(keys[at] as string, key) < 0) at++;
      },
      close: () => Promise.resolve(),
    };
  }

  const objectService: ObjectService = {
    find: (path) => {
      failOn("find");
      const found = objects.get(path);
      return fake.slowFind ? Promise.resolve(found) : found;
    },
    read: async function* (object, range, { signal }) {
      const { body } = object as StoredObject;
      for (let at = range.start; at < range.end;) {
        failOn("read");
        signal.throwIfAborted();
        if (fake.onRead !== undefined) await fake.onRead();
        const end = Math.min(range.end, at + CHUNK_BYTES_MAX);
        yield body.subarray(at, end);
        at = end;
      }
    },
    partRange: (object, partNumber) => {
      const { parts } = object as StoredObject;
      const size = parts[partNumber - 1];
      if (size === undefined) return undefined;
      const start = parts.slice(0, partNumber - 1).reduce((sum, part) => sum + part, 0);
      return { start, end: start + size };
    },
    startBody: () => {
      const writer = new FakeWriter();
      writers.add(writer);
      return writer;
    },
    put: async (input) => putOne(input),
    putMany: async (inputs) => inputs.map(putOne),
    delete: async ({ bucket, key, condition }) => deleteOne(bucket, key, condition),
    deleteMany: async (bucket, keys) => keys.map((key) => deleteOne(bucket, key, { kind: "none" })),
    list: async ({ bucket, prefix, from }) => {
      failOn("list");
      return buckets.has(bucket) ? cursorOver(bucket, prefix, from) : undefined;
    },
  };

  function openUpload(bucket: string, key: string, uploadId: string): Upload | undefined {
    const upload = uploads.get(uploadId);
    return upload !== undefined && upload.bucket === bucket && upload.key === key ? upload : undefined;
  }

  function checkParts(
    upload: Upload,
    parts: readonly CompletePart[],
  ): CompleteOutcome | readonly StoredPart[] {
    const chosen: StoredPart[] = [];
    for (const [index, named] of parts.entries()) {
      const part = upload.parts.get(named.partNumber);
      const isSame =
        part !== undefined &&
        part.etag === named.etag &&
        (named.checksum === undefined || named.checksum.value === part.checksum?.value);
      if (!isSame) return { kind: "invalidPart", partNumber: named.partNumber };
      if (index < parts.length - 1 && part.size < PART_BYTES_MIN) {
        return { kind: "entityTooSmall", partNumber: part.partNumber, size: part.size, etag: part.etag };
      }
      chosen.push(part);
    }
    return chosen;
  }

  function wholeChecksum(upload: Upload, parts: readonly StoredPart[]): StoredChecksum | undefined {
    if (upload.checksum === undefined) return undefined;
    const { algorithm, type } = upload.checksum;
    const sums = parts.map((part) => ({ value: part.checksum?.value ?? "", size: part.size }));
    if (type === "COMPOSITE") return { algorithm, type, value: compositeChecksum(algorithm, sums) };
    if (algorithm === "SHA1" || algorithm === "SHA256") throw new Error("a full-object checksum of a hash");
    return { algorithm, type, value: fullObjectChecksum(algorithm, sums) };
  }

  function complete(input: Parameters<UploadService["complete"]>[0]): CompleteOutcome {
    const upload = openUpload(input.bucket, input.key, input.uploadId);
    if (!buckets.has(input.bucket)) return { kind: "noSuchBucket" };
    if (upload === undefined) return { kind: "noSuchUpload" };
    if (upload.completed !== undefined) return upload.completed;
    const chosen = checkParts(upload, input.parts);
    if (!Array.isArray(chosen)) return chosen as CompleteOutcome;
    const parts = chosen as readonly StoredPart[];
    const checksum = wholeChecksum(upload, parts);
    const expected = input.expectedChecksum;
    if (expected !== undefined && checksum !== undefined && expected.value !== checksum.value) {
      return { kind: "badDigest", algorithm: checksum.algorithm };
    }
    const verdict = holds(`${input.bucket}/${input.key}`, input.condition);
    if (verdict !== "holds") return { kind: verdict };
    const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag, "hex")));
    const etag = `${hash("md5", digests, "hex")}-${parts.length}`;
    const body = Buffer.concat(parts.map((part) => part.bytes));
    const attributes = { ...upload.attributes, checksum };
    const sizes = parts.map((part) => part.size);
    store(`${input.bucket}/${input.key}`, { etag, attributes, body, partCount: parts.length, parts: sizes });
    upload.completed = { kind: "completed", etag, size: body.length, checksum };
    return upload.completed;
  }

  const uploadService: UploadService = {
    create: async (input) => {
      if (!buckets.has(input.bucket)) return { kind: "noSuchBucket" };
      applied++;
      const uploadId = `upload${String(nextUpload++).padStart(8, "0")}`;
      uploads.set(uploadId, {
        ...input,
        uploadId,
        initiatedMs: nowMs(),
        parts: new Map(),
        completed: undefined,
      });
      return { kind: "created", uploadId };
    },
    find: async ({ bucket, key, uploadId }) => {
      const upload = openUpload(bucket, key, uploadId);
      return upload?.completed === undefined ? upload : undefined;
    },
    putPart: async ({ uploadId, partNumber, etag, checksum, body }) => {
      failOn("put");
      const upload = uploads.get(uploadId);
      if (upload === undefined || upload.completed !== undefined) return { kind: "noSuchUpload" };
      const bytes = bodyOf(body);
      applied++;
      const modifiedMs = nowMs();
      upload.parts.set(partNumber, { partNumber, size: bytes.length, etag, modifiedMs, checksum, bytes });
      return { kind: "put" };
    },
    listParts: async ({ uploadId, after, limit }) => {
      const parts = [...(uploads.get(uploadId)?.parts.values() ?? [])]
        .filter((part) => part.partNumber > after)
        .toSorted((left, right) => left.partNumber - right.partNumber);
      return { parts: parts.slice(0, limit), truncated: parts.length > limit };
    },
    complete: async (input) => complete(input),
    abort: async ({ bucket, key, uploadId }) => {
      const upload = openUpload(bucket, key, uploadId);
      if (upload === undefined || upload.completed !== undefined) return { kind: "noSuchUpload" };
      uploads.delete(uploadId);
      return { kind: "aborted" };
    },
    list: async ({ bucket, prefix, after, limit }) => {
      if (!buckets.has(bucket)) return undefined;
      const open = [...uploads.values()]
        .filter((upload) => upload.bucket === bucket && upload.completed === undefined)
        .filter((upload) => upload.key.startsWith(prefix))
        .toSorted((a, b) => compareKeys(a.key, b.key) || compareKeys(a.uploadId, b.uploadId))
        .filter((upload) => {
          if (after === undefined) return true;
          const order = compareKeys(upload.key, after.key);
          return order > 0 || (order === 0 && compareKeys(upload.uploadId, after.uploadId) > 0);
        });
      return { uploads: open.slice(0, limit), truncated: open.length > limit };
    },
  };

  const identities = new Map([
    [ROOT.accessKey, { identity: ROOT, secretKey: ROOT_SECRET }],
    [OTHER.accessKey, { identity: OTHER, secretKey: OTHER_SECRET }],
  ]);

  function status(): NodeStatus {
    return {
      nodeId: "n1",
      ready: fake.ready,
      reason: fake.ready ? undefined : "the fake is told not to be",
      term: 1,
      commitIndex: applied,
      appliedIndex: applied,
      segments: 1,
      logBytes: 0,
      liveBytes: 0,
      overlayRows: 0,
      cacheBytes: 0,
      cacheEntries: objects.size,
      diskFreeBytes: 1,
      writesRefused: "none",
    };
  }

  const fake: FakeService = {
    buckets: bucketService,
    objects: objectService,
    uploads: uploadService,
    identities: { find: (accessKey) => identities.get(accessKey) },
    status,
    counts: () => ({
      objects: objects.size,
      uploads: uploads.size,
      openWriters: [...writers].filter((writer) => writer.state === "open").length,
    }),
    failure: undefined,
    slowFind: false,
    onRead: undefined,
    ready: true,
    appliedIndex: () => applied,
  };
  return fake;
}
