/**
 * Multipart uploads of the fake service: part rules, checksums of both kinds, the repeated answer to
 * Complete.
 */
import { hash } from "node:crypto";
import { compositeChecksum, fullObjectChecksum } from "../../src/s3/checksums.ts";
import type { CompleteOutcome, CompletePart, UploadService } from "../../src/service/api.ts";
import { storageClassOf } from "../../src/state/attributes.ts";
import type { StoredChecksum } from "../../src/state/attributes.ts";
import { compareKeys, FakeObject, sizeOf } from "./fake-world.ts";
import type { FakePart, FakeUpload, FakeWorld } from "./fake-world.ts";

const PART_BYTES_MIN = 5 * 1024 * 1024;

type Target = { readonly bucket: string; readonly key: string; readonly uploadId: string };
type CompleteInput = Parameters<UploadService["complete"]>[0];
type Chosen = { readonly kind: "chosen"; readonly parts: readonly FakePart[] };

function uploadOf(world: FakeWorld, target: Target): FakeUpload | undefined {
  const upload = world.uploads.get(target.uploadId);
  return upload?.bucket === target.bucket && upload.key === target.key ? upload : undefined;
}

function choose(upload: FakeUpload, named: readonly CompletePart[]): CompleteOutcome | Chosen {
  const parts: FakePart[] = [];
  for (const [index, { partNumber, etag, checksum }] of named.entries()) {
    const part = upload.parts.get(partNumber);
    const isSame = part?.etag === etag && (checksum === undefined || checksum.value === part.checksum?.value);
    if (part === undefined || !isSame) return { kind: "invalidPart", partNumber };
    if (index < named.length - 1 && part.size < PART_BYTES_MIN) {
      return { kind: "entityTooSmall", partNumber, size: part.size, etag };
    }
    parts.push(part);
  }
  return { kind: "chosen", parts };
}

function wholeChecksum(upload: FakeUpload, parts: readonly FakePart[]): StoredChecksum | undefined {
  if (upload.checksum === undefined) return undefined;
  const { algorithm, type } = upload.checksum;
  const sums = parts.map((part) => ({ value: part.checksum?.value ?? "", size: part.size }));
  if (type === "COMPOSITE") return { algorithm, type, value: compositeChecksum(algorithm, sums) };
  if (algorithm === "SHA1" || algorithm === "SHA256") throw new Error("a full-object checksum of a hash");
  return { algorithm, type, value: fullObjectChecksum(algorithm, sums) };
}

function store(world: FakeWorld, upload: FakeUpload, parts: readonly FakePart[]): CompleteOutcome {
  const checksum = wholeChecksum(upload, parts);
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag, "hex")));
  const etag = `${hash("md5", digests, "hex")}-${parts.length}`;
  const object = new FakeObject({
    etag,
    modifiedMs: world.nowMs(),
    attributes: { ...upload.attributes, checksum },
    pieces: parts.flatMap((part) => part.pieces),
    partSizes: parts.map((part) => part.size),
  });
  world.objects.set(`${upload.bucket}/${upload.key}`, object);
  world.appliedIndex++;
  upload.completed = { kind: "completed", etag, size: object.size, checksum, versionId: undefined };
  return upload.completed;
}

function complete(world: FakeWorld, input: CompleteInput): CompleteOutcome {
  if (!world.buckets.has(input.bucket)) return { kind: "noSuchBucket" };
  const upload = uploadOf(world, input);
  if (upload === undefined) return { kind: "noSuchUpload" };
  if (upload.completed !== undefined) return upload.completed;
  const chosen = choose(upload, input.parts);
  if (chosen.kind !== "chosen") return chosen;
  const { parts } = chosen;
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  if (input.expectedSize !== undefined && input.expectedSize !== size) return { kind: "wrongSize", size };
  const checksum = wholeChecksum(upload, parts);
  const expected = input.expectedChecksum;
  if (expected !== undefined && checksum !== undefined && expected.value !== checksum.value) {
    return { kind: "badDigest", algorithm: checksum.algorithm };
  }
  const verdict = world.verdict(`${input.bucket}/${input.key}`, input.condition);
  return verdict === "holds" ? store(world, upload, parts) : { kind: verdict };
}

function isAfter(
  upload: FakeUpload,
  after: { readonly key: string; readonly uploadId: string } | undefined,
): boolean {
  if (after === undefined) return true;
  const order = compareKeys(upload.key, after.key);
  return order > 0 || (order === 0 && compareKeys(upload.uploadId, after.uploadId) > 0);
}

function openUploads(world: FakeWorld, bucket: string, prefix: string): readonly FakeUpload[] {
  return [...world.uploads.values()]
    .filter((upload) => upload.bucket === bucket && upload.completed === undefined)
    .filter((upload) => upload.key.startsWith(prefix))
    .toSorted((a, b) => compareKeys(a.key, b.key) || compareKeys(a.uploadId, b.uploadId));
}

export function fakeUploads(world: FakeWorld): UploadService {
  const { uploads } = world;
  return {
    create: async (input) => {
      if (!world.buckets.has(input.bucket)) return { kind: "noSuchBucket" };
      const uploadId = `upload${String(++world.appliedIndex).padStart(8, "0")}`;
      const initiatedMs = world.nowMs();
      const storageClass = storageClassOf(input.attributes);
      const facts = { ...input, uploadId, initiatedMs, storageClass };
      uploads.set(uploadId, { ...facts, parts: new Map(), completed: undefined });
      return { kind: "created", uploadId };
    },
    find: async (target) => {
      const upload = uploadOf(world, target);
      return upload?.completed === undefined ? upload : undefined;
    },
    putPart: async ({ uploadId, partNumber, etag, checksum, body }) => {
      world.failOn("put");
      const upload = uploads.get(uploadId);
      if (upload === undefined || upload.completed !== undefined) return { kind: "noSuchUpload" };
      const pieces = world.takeBody(body);
      const modifiedMs = world.nowMs();
      upload.parts.set(partNumber, { partNumber, size: sizeOf(pieces), etag, modifiedMs, checksum, pieces });
      world.appliedIndex++;
      return { kind: "put" };
    },
    listParts: async ({ uploadId, after, limit }) => {
      const parts = [...(uploads.get(uploadId)?.parts.values() ?? [])]
        .filter((part) => part.partNumber > after)
        .toSorted((left, right) => left.partNumber - right.partNumber);
      return { parts: parts.slice(0, limit), truncated: parts.length > limit };
    },
    complete: async (input) => complete(world, input),
    abort: async (target) => {
      const upload = uploadOf(world, target);
      if (upload === undefined || upload.completed !== undefined) return { kind: "noSuchUpload" };
      uploads.delete(target.uploadId);
      return { kind: "aborted" };
    },
    list: async ({ bucket, prefix, after, limit }) => {
      if (!world.buckets.has(bucket)) return undefined;
      const open = openUploads(world, bucket, prefix).filter((upload) => isAfter(upload, after));
      return { uploads: open.slice(0, limit), truncated: open.length > limit };
    },
  };
}
