/** Bytes of an object for what the service makes of them: digests, and bodies of copies by value. */
import { createHash } from "node:crypto";
import { createChecksumHasher } from "../s3/checksums.ts";
import type { ChecksumAlgorithm, StoredChecksum } from "../state/attributes.ts";
import { CHUNK_BYTES_MAX } from "./api.ts";
import type { FoundObject, ObjectService } from "./api.ts";
import type { CopySource } from "../state/command.ts";
import type { StoredObject } from "../state/stored-object.ts";
import type { ChunkedBody } from "./body-writer.ts";
import type { ObjectPath } from "./copy-api.ts";

type Range = { readonly start: number; readonly end: number };

const { signal } = new AbortController();

/** For ranges that are small: all at once. */
export async function bytesOf(
  objects: ObjectService,
  object: FoundObject,
  range: Range,
): Promise<Uint8Array> {
  const isWhole = range.start === 0 && range.end === object.size;
  if (object.bytes !== undefined) {
    // A few bytes of their own: they must not keep the whole body in memory.
    return isWhole ? object.bytes : Buffer.from(object.bytes.subarray(range.start, range.end));
  }
  const pieces: Uint8Array[] = [];
  if (range.start < range.end) {
    for await (const piece of objects.read(object, range, { signal })) pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export type RangeDigest = { readonly etag: string; readonly checksum: StoredChecksum | undefined };

/** What S3 would have computed when the range was uploaded: MD5 and, if asked for, a checksum. */
export async function digestRange(
  objects: ObjectService,
  object: FoundObject,
  range: Range,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<RangeDigest> {
  const md5 = createHash("md5");
  const hasher = algorithm === undefined ? undefined : createChecksumHasher(algorithm);
  if (range.start < range.end) {
    for await (const piece of objects.read(object, range, { signal })) {
      md5.update(piece);
      hasher?.update(piece);
    }
  }
  const etag = md5.digest("hex");
  if (hasher === undefined) return { etag, checksum: undefined };
  const value = hasher.digestBase64();
  return { etag, checksum: { algorithm: hasher.algorithm, type: "FULL_OBJECT", value } };
}

/** A private body with the same bytes, in chunks of its own. */
export async function writeCopy(
  objects: ObjectService,
  object: FoundObject,
  range: Range,
  writer: ChunkedBody,
): Promise<void> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of objects.read(object, range, { signal })) {
    if (bytes + piece.length > CHUNK_BYTES_MAX) {
      await writer.write(gathered);
      gathered = [];
      bytes = 0;
    }
    gathered.push(piece);
    bytes += piece.length;
  }
  if (bytes > 0) await writer.write(gathered);
}

export function sourceOf(path: ObjectPath, source: StoredObject): CopySource {
  const { birthIndex, birthSub } = source;
  return { bucket: path.bucket, key: path.key, birthIndex, birthSub };
}
