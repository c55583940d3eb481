/**
 * The key layout of the applied state: one function per kind of row, and nothing else in the project spells a
 * key. The table in src/README.md names each prefix with its value, its writer and how it is reaped; places of
 * rows that later work brings (versions, accounts, bucket settings) are there already, so nothing migrates.
 * Order is that of the UTF-8 bytes. NUL separates a key from what follows it: S3 keys never hold one.
 */

/** Bucket ids are fixed width, so that one bucket's keys never stand inside another's range. */
function bucketIdText(bucketId: number): string {
  return bucketId.toString(36).padStart(6, "0");
}

export const keys = {
  /** Counters and switches of the state machine itself. */
  meta: (name: "nextBucketId" | "logTime") => `meta/${name}`,
  bucket: (name: string) => `bucket/${name}`,
  bucketCounters: (bucketId: number) => `count/${bucketIdText(bucketId)}`,
  objectPrefix: (bucketId: number) => `object/${bucketIdText(bucketId)}/`,
  object: (bucketId: number, key: string) => `object/${bucketIdText(bucketId)}/${key}`,
  /** Attributes too large for the listing row, by the log position at which the object was born. */
  detail: (birthIndex: number, birthSub: number) =>
    `detail/${birthIndex.toString(36).padStart(10, "0")}.${birthSub}`,
  body: (bodyId: string) => `body/${bodyId}`,
  /** Extents beyond the first 256. */
  bodyExtents: (bodyId: string, page: number) => `body/${bodyId}/${page.toString(36).padStart(4, "0")}`,
  stage: (bodyId: string) => `stage/${bodyId}`,
  uploadsPrefix: (bucketId: number) => `uploads/${bucketIdText(bucketId)}/`,
  /** Listing row of an open upload, in key order and then in order of the ids (which start with the time). */
  uploads: (bucketId: number, key: string, uploadId: string) =>
    `uploads/${bucketIdText(bucketId)}/${key}\0${uploadId}`,
  upload: (uploadId: string) => `upload/${uploadId}`,
  partPrefix: (uploadId: string) => `part/${uploadId}/`,
  part: (uploadId: string, partNumber: number) => `part/${uploadId}/${String(partNumber).padStart(5, "0")}`,
  reap: (kind: "body" | "parts", id: string) => `reap/${kind}/${id}`,
  segment: (id: number) => `segment/${id.toString(36).padStart(8, "0")}`,
} as const;

/** The range of all keys that start with `prefix`, which must end in a character below U+D7FF. */
export function prefixRange(prefix: string): { readonly from: string; readonly to: string } {
  const last = prefix.charCodeAt(prefix.length - 1);
  return { from: prefix, to: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}

export const ranges = {
  buckets: prefixRange("bucket/"),
  stages: prefixRange("stage/"),
  reaps: prefixRange("reap/"),
  segments: prefixRange("segment/"),
  openUploads: prefixRange("uploads/"),
} as const;
