/**
 * What the service offers to its callers (the HTTP edge, the library, the benches), as types: buckets,
 * objects, multipart uploads. Outcomes that a caller has to handle are unions; everything else is thrown:
 * `BusyError` (a bound was reached: 503 SlowDown), `UnknownOutcomeError` (the write may or may not happen),
 * `DamageError` (bytes at rest do not match their checksum), `UnavailableError` (the node stopped itself).
 * Names and keys are checked by the caller; etags are without quotes.
 */
import type { TierStatus } from "../offload/tier-status.ts";
import type { Attributes, ChecksumAlgorithm, StoredChecksum } from "../state/attributes.ts";
import type { WriteCondition } from "../state/command.ts";
import type { UploadChecksum, Versioning } from "../state/rows.ts";
import type { TagSet } from "../state/tags.ts";
import type { Tier } from "../store/object-reader.ts";
import type { ColdFigures } from "../store/record-reader.ts";
import type { BatchService } from "./batch-api.ts";
import type { BodyWriter, FoundObject, PutBody } from "./body-api.ts";
import type { CopyService, DetailService } from "./copy-api.ts";
import type { BucketSettingName } from "../state/setting-command.ts";
import type { DeleteOutcome, KeyVersion, VersionService } from "./version-api.ts";

export type { Tier } from "../store/object-reader.ts";
export type { DeleteOutcome, DeletedVersion, KeyVersion } from "./version-api.ts";
export type { BodyWriter, FoundObject, PutBody } from "./body-api.ts";

export type BucketInfo = {
  readonly name: string;
  readonly owner: string;
  readonly createdMs: number;
  /** LocationConstraint given at creation, empty for none. */
  readonly location: string;
  /** `undefined` until versioning was switched on for the first time. */
  readonly versioning: Versioning | undefined;
};

export type { BucketSettingName } from "../state/setting-command.ts";

export interface BucketService {
  create(bucket: {
    readonly name: string;
    readonly owner: string;
    readonly location: string;
  }): Promise<{ readonly kind: "created" } | { readonly kind: "exists"; readonly owner: string }>;
  delete(name: string): Promise<{ readonly kind: "deleted" | "noSuchBucket" | "bucketNotEmpty" }>;
  /** Synchronous: the bucket table is in memory or one local read away. */
  find(name: string): BucketInfo | undefined;
  /** The document of a setting, `undefined` if it was never made. One local read, like `find`. */
  setting(bucket: string, name: BucketSettingName): string | undefined;
  /** `document` is kept as it is: the caller has checked it. */
  putSetting(
    bucket: string,
    name: BucketSettingName,
    document: string,
  ): Promise<{ readonly kind: "put" | "noSuchBucket" }>;
  /** Deleting one that is absent is a success. */
  deleteSetting(
    bucket: string,
    name: BucketSettingName,
  ): Promise<{ readonly kind: "deleted" | "noSuchBucket" }>;
  /** In byte order of the names, those after `after`. */
  list(query: {
    readonly prefix: string;
    readonly after: string;
    readonly limit: number;
  }): Promise<{ readonly buckets: readonly BucketInfo[]; readonly truncated: boolean }>;
}

/** Bodies up to this size travel inside the command and are put in one step. */
export const SMALL_BODY_BYTES_MAX = 64 * 1024;
/**
 * The most a single `write` of a BodyWriter takes; all but the last write of a body should be of this size.
 */
export const CHUNK_BYTES_MAX = 1024 * 1024;

export type PutObjectInput = {
  readonly bucket: string;
  readonly key: string;
  /** Hex MD5 of the body. */
  readonly etag: string;
  readonly attributes: Attributes;
  readonly body: PutBody;
  readonly condition: WriteCondition;
  /** Absent for none. */
  readonly tags?: TagSet | undefined;
};

export type PutOutcome =
  | {
      readonly kind: "put";
      readonly etag: string;
      readonly modifiedMs: number;
      /** `undefined` in a bucket that never had versioning. */
      readonly versionId: string | undefined;
    }
  | { readonly kind: "noSuchBucket" }
  | { readonly kind: "noSuchKey" }
  | { readonly kind: "preconditionFailed" };

export type ListedObject = {
  readonly key: string;
  readonly size: number;
  readonly modifiedMs: number;
  readonly etag: string;
  /** Of a stored checksum; its value is not part of listings. */
  readonly checksum: UploadChecksum | undefined;
  readonly storageClass: string;
};

/** Batches of a listing, in UTF-8 byte order of the keys, over one consistent view. */
export interface ObjectCursor {
  /** Up to `limit` entries; empty at the end. */
  next(limit: number): Promise<readonly ListedObject[]>;
  /** Continues at the first key that is not below `key`. */
  seek(key: string): void;
  close(): Promise<void>;
}

export interface ObjectService {
  /**
   * The current object at bucket + "/" + key: the value itself on a hit in memory, else a promise.
   * Absent objects (and buckets) are `undefined`.
   */
  find(path: string): FoundObject | undefined | Promise<FoundObject | undefined>;
  /**
   * Bytes [start, end) of a body in verified pieces; throws DamageError before a wrong byte leaves. Pieces of
   * an object without `bytes` are the caller's, who may free their memory.
   */
  read(
    object: FoundObject,
    range: { readonly start: number; readonly end: number },
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /**
   * Where the bytes of a range of its body lie now: `cold` if some of them have to come from the cold tier.
   * The value itself unless rows have to be read for it.
   */
  tierOf(object: FoundObject, range: { readonly start: number; readonly end: number }): Tier | Promise<Tier>;
  /**
   * Byte range [start, end) of part `partNumber` (1-based) of an object, or `undefined` if it has no such
   * part.
   */
  partRange(
    object: FoundObject,
    partNumber: number,
  ): { readonly start: number; readonly end: number } | undefined;
  startBody(): BodyWriter;
  put(input: PutObjectInput): Promise<PutOutcome>;
  /** All in one log entry, in order; one outcome each. */
  putMany(inputs: readonly PutObjectInput[]): Promise<readonly PutOutcome[]>;
  delete(target: {
    readonly bucket: string;
    readonly key: string;
    readonly condition: WriteCondition;
  }): Promise<DeleteOutcome>;
  /** All in one log entry, in order; one outcome each. */
  deleteMany(bucket: string, keys: readonly (string | KeyVersion)[]): Promise<readonly DeleteOutcome[]>;
  /** Keys at or after `from` that start with `prefix`. `undefined`: no such bucket. */
  list(query: {
    readonly bucket: string;
    readonly prefix: string;
    readonly from: string;
  }): Promise<ObjectCursor | undefined>;
}

export type PartInfo = {
  readonly partNumber: number;
  readonly size: number;
  readonly etag: string;
  readonly modifiedMs: number;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
};

export type UploadInfo = {
  readonly uploadId: string;
  readonly key: string;
  readonly owner: string;
  readonly initiatedMs: number;
  readonly checksum: UploadChecksum | undefined;
  readonly storageClass: string;
};

export type CompletePart = {
  readonly partNumber: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
};

export type CompleteOutcome =
  | {
      readonly kind: "completed";
      readonly etag: string;
      readonly size: number;
      readonly checksum: StoredChecksum | undefined;
      /** `undefined` in a bucket that never had versioning. */
      readonly versionId: string | undefined;
    }
  | { readonly kind: "noSuchBucket" | "noSuchKey" | "noSuchUpload" | "preconditionFailed" }
  /** A named part is absent or another than named. */
  | { readonly kind: "invalidPart"; readonly partNumber: number }
  /** All parts but the last must have 5 MiB. */
  | {
      readonly kind: "entityTooSmall";
      readonly partNumber: number;
      readonly size: number;
      readonly etag: string;
    }
  /** The parts add up to more than an object may have. */
  | { readonly kind: "entityTooLarge"; readonly size: number }
  /** The parts add up to another size than the client expected. */
  | { readonly kind: "wrongSize"; readonly size: number }
  /** The checksum that the client expected of the whole object is another. */
  | { readonly kind: "badDigest"; readonly algorithm: ChecksumAlgorithm };

export interface UploadService {
  create(input: {
    readonly bucket: string;
    readonly key: string;
    readonly owner: string;
    readonly attributes: Attributes;
    readonly checksum: UploadChecksum | undefined;
    readonly tags?: TagSet | undefined;
  }): Promise<{ readonly kind: "created"; readonly uploadId: string } | { readonly kind: "noSuchBucket" }>;
  /** An open upload of exactly this bucket and key; completed ones are `undefined`. */
  find(target: {
    readonly bucket: string;
    readonly key: string;
    readonly uploadId: string;
  }): Promise<(UploadInfo & { readonly attributes: Attributes }) | undefined>;
  putPart(input: {
    readonly uploadId: string;
    readonly partNumber: number;
    readonly etag: string;
    readonly checksum: StoredChecksum | undefined;
    readonly body: PutBody;
  }): Promise<{ readonly kind: "put" } | { readonly kind: "noSuchUpload" }>;
  /** Parts with numbers above `after`, in order. */
  listParts(query: {
    readonly uploadId: string;
    readonly after: number;
    readonly limit: number;
  }): Promise<{ readonly parts: readonly PartInfo[]; readonly truncated: boolean }>;
  /** Parts must be in ascending order (checked by the caller). A repeated Complete gets the same answer. */
  complete(input: {
    readonly bucket: string;
    readonly key: string;
    readonly uploadId: string;
    readonly parts: readonly CompletePart[];
    readonly condition: WriteCondition;
    /** What the client expects of the whole object, base64. */
    readonly expectedChecksum: StoredChecksum | undefined;
    readonly expectedSize: number | undefined;
  }): Promise<CompleteOutcome>;
  abort(target: {
    readonly bucket: string;
    readonly key: string;
    readonly uploadId: string;
  }): Promise<{ readonly kind: "aborted" | "noSuchUpload" }>;
  /**
   * Open uploads of a bucket in order of (key, upload id), after the given pair, keys starting with `prefix`.
   */
  list(query: {
    readonly bucket: string;
    readonly prefix: string;
    readonly after: { readonly key: string; readonly uploadId: string } | undefined;
    readonly limit: number;
  }): Promise<{ readonly uploads: readonly UploadInfo[]; readonly truncated: boolean } | undefined>;
}

export type Identity = {
  readonly accountId: string;
  readonly displayName: string;
  readonly accessKey: string;
};

export interface IdentityService {
  /** The account and secret behind an access key. */
  find(accessKey: string): { readonly identity: Identity; readonly secretKey: string } | undefined;
  /** `undefined` for an account that is not there (any more). */
  displayName(accountId: string): string | undefined;
}

/** Facts for readiness and metrics. */
export type NodeStatus = {
  readonly nodeId: string;
  readonly ready: boolean;
  /** Why not, or what is wrong although it serves. */
  readonly reason: string | undefined;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly segments: number;
  /** Everything that was ever written. */
  readonly logBytes: number;
  /** Of the segments that are there. */
  readonly fileBytes: number;
  readonly liveBytes: number;
  /** Given back since the start. */
  readonly reclaimedBytes: number;
  /** The log is whole behind this entry; before it only what is still named is kept. */
  readonly floorIndex: number;
  readonly snapshotIndex: number;
  readonly snapshotBytes: number;
  readonly overlayRows: number;
  readonly cacheBytes: number;
  readonly cacheEntries: number;
  /** Of bodies from the cold tier, since the start; `undefined` without one. */
  readonly coldReads?: ColdFigures | undefined;
  readonly diskFreeBytes: number;
  readonly writesRefused: "none" | "bodies" | "allButDeletes" | "all";
  /** How far the wall clock moved ahead of the monotonic one since the start; negative if it fell behind. */
  readonly clockSkewMs: number;
  /** Only of a node that was started with `--salvage` and reads what is left. */
  readonly salvage?: SalvageStatus;
  /** Only where there is a cold tier. */
  readonly tier?: TierStatus;
};

export type SalvageStatus = {
  readonly appliedIndex: number;
  readonly source: "index" | "log";
  /** Places of the log that are damaged, as far as the start looked. */
  readonly damages: number;
  /** Entries that are not in what is served; `lastIndex` is undefined where nothing tells it. */
  readonly lost:
    | { readonly firstIndex: number; readonly lastIndex: number | undefined; readonly bytes: number }
    | undefined;
  /** The same and all else that was found, for people. */
  readonly report: readonly string[];
};

export interface Service {
  readonly buckets: BucketService;
  readonly objects: ObjectService;
  readonly uploads: UploadService;
  readonly versions: VersionService;
  readonly copies: CopyService;
  readonly details: DetailService;
  readonly batches: BatchService;
  readonly identities: IdentityService;
  status(): NodeStatus;
}
