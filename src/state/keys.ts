/**
 * The key layout of the applied state: one function per kind of row, and nothing else in the project spells a
 * key. The table in src/README.md names each prefix with its value, its writer and how it is reaped; places
 * of rows that later work brings (versions, accounts, bucket settings) are there already, so nothing
 * migrates. Order is that of the UTF-8 bytes. NUL separates a key from what follows it: S3 keys never hold
 * one.
 */
import type { BucketSettingName } from "./setting-command.ts";
import { invertedBirth } from "./version-id.ts";
import type { Birth } from "./version-id.ts";

/** Bucket ids are fixed width, so that one bucket's keys never stand inside another's range. */
function bucketIdText(bucketId: number): string {
  return bucketId.toString(36).padStart(6, "0");
}

export const keys = {
  /** Counters and switches of the state machine itself. */
  meta: (name: "nextBucketId" | "logTime" | "dates" | "dataKey" | "lineage") => `meta/${name}`,
  bucket: (name: string) => `bucket/${name}`,
  bucketCounters: (bucketId: number) => `count/${bucketIdText(bucketId)}`,
  setting: (bucketId: number, name: BucketSettingName) => `setting/${bucketIdText(bucketId)}/${name}`,
  account: (accountId: string) => `account/${accountId}`,
  objectPrefix: (bucketId: number) => `object/${bucketIdText(bucketId)}/`,
  object: (bucketId: number, key: string) => `object/${bucketIdText(bucketId)}/${key}`,
  markerPrefix: (bucketId: number) => `marker/${bucketIdText(bucketId)}/`,
  /** The current delete marker of a key: then there is no object row. */
  marker: (bucketId: number, key: string) => `marker/${bucketIdText(bucketId)}/${key}`,
  versionPrefix: (bucketId: number) => `version/${bucketIdText(bucketId)}/`,
  /** A version that is not current, in key order and then newest first. */
  version: (bucketId: number, key: string, birth: Birth) =>
    `version/${bucketIdText(bucketId)}/${key}\0${invertedBirth(birth)}`,
  /** Where the list of the noncurrent versions of a key begins. */
  history: (bucketId: number, key: string) => `history/${bucketIdText(bucketId)}/${key}`,
  /** Attributes too large for the listing row, by the log position at which the object was born. */
  detail: (birthIndex: number, birthSub: number) =>
    `detail/${birthIndex.toString(36).padStart(10, "0")}.${birthSub}`,
  /** Tags of an object, by its birth too. */
  tags: (birthIndex: number, birthSub: number) =>
    `tags/${birthIndex.toString(36).padStart(10, "0")}.${birthSub}`,
  /** A list of appends; its pieces are parts under the same id. */
  append: (listId: string) => `append/${listId}`,
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
  /** By its key in the cold tier. */
  condemned: (coldKey: string) => `condemned/${coldKey}`,
} as const;

const HISTORY = "history/";

export function isHistoryKey(rowKey: string): boolean {
  return rowKey.startsWith(HISTORY);
}

/** Of the same key of the same bucket. */
export function versionKeyBeside(historyKey: string, birth: Birth): string {
  return `version/${historyKey.slice(HISTORY.length)}\0${invertedBirth(birth)}`;
}

const OBJECT_PREFIX_LENGTH = keys.objectPrefix(0).length;

/** Takes the key of an object's row apart; `undefined` for every other row. */
export function splitObjectKey(
  rowKey: string,
): { readonly prefix: string; readonly key: string } | undefined {
  if (!rowKey.startsWith("object/")) return undefined;
  return { prefix: rowKey.slice(0, OBJECT_PREFIX_LENGTH), key: rowKey.slice(OBJECT_PREFIX_LENGTH) };
}

/**
 * The range of all keys that start with `prefix`. Its end is the successor in code points, which is that of
 * the UTF-8 bytes: surrogates are no characters, and behind the last character the one before it counts.
 */
export function prefixRange(prefix: string): { readonly from: string; readonly to: string } {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop() as number;
  const next = last === 0xd7ff ? 0xe000 : last + 1;
  return { from: prefix, to: String.fromCodePoint(...points, next) };
}

export const ranges = {
  accounts: prefixRange("account/"),
  buckets: prefixRange("bucket/"),
  stages: prefixRange("stage/"),
  reaps: prefixRange("reap/"),
  segments: prefixRange("segment/"),
  condemned: prefixRange("condemned/"),
  openUploads: prefixRange("uploads/"),
} as const;
