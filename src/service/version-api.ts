/**
 * What the service offers of versions, as types. Objects without a version id are found, put and deleted as
 * in any bucket (api.ts); a bucket that never had versioning has versions too: each object is its own, called
 * "null".
 */
import type { UploadChecksum, Versioning } from "../state/rows.ts";
import type { VersionName } from "../state/version-id.ts";
import type { FoundObject } from "./body-api.ts";

/** One version of a key. */
export type KeyVersion = { readonly key: string; readonly version: VersionName };

/** In a bucket that never had versioning there is none. */
export type DeletedVersion = {
  /** Of the delete marker that was made, or of the version that was removed. */
  readonly versionId: string;
  /** Whether it is, or was, a delete marker. */
  readonly isMarker: boolean;
};

export type DeleteOutcome =
  | { readonly kind: "deleted"; readonly version: DeletedVersion | undefined }
  | { readonly kind: "noSuchBucket" }
  | { readonly kind: "noSuchKey" }
  | { readonly kind: "preconditionFailed" };

export type FoundMarker = { readonly versionId: string; readonly modifiedMs: number };

export type FoundVersion =
  | { readonly kind: "object"; readonly object: FoundObject }
  | { readonly kind: "marker"; readonly marker: FoundMarker }
  | { readonly kind: "noSuchVersion" };

export type VersionTarget = {
  readonly bucket: string;
  readonly key: string;
  readonly version: VersionName;
};

export type ListedVersion = {
  readonly key: string;
  /** Sorts the versions of a key, newest first, and names a place among them. */
  readonly id: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly modifiedMs: number;
  /** `undefined`: a delete marker. */
  readonly object:
    | {
        readonly size: number;
        readonly etag: string;
        readonly checksum: UploadChecksum | undefined;
        readonly storageClass: string;
      }
    | undefined;
};

export type VersionPlace = {
  readonly key: string;
  /** Of this very key, only what comes after. */
  readonly afterId?: string | undefined;
};

/** Versions in UTF-8 byte order of their keys, those of a key newest first, over one consistent view. */
export interface VersionCursor {
  /** Up to `limit` entries; empty at the end. */
  next(limit: number): Promise<readonly ListedVersion[]>;
  /** Continues at the first version that is not before the place. */
  seek(place: VersionPlace): void;
  close(): Promise<void>;
}

export interface VersionService {
  setVersioning(bucket: string, versioning: Versioning): Promise<{ readonly kind: "done" | "noSuchBucket" }>;
  find(target: VersionTarget): Promise<FoundVersion>;
  /** The delete marker that is why an object is not found, if one is. */
  currentMarker(target: { readonly bucket: string; readonly key: string }): FoundMarker | undefined;
  /** Removes exactly this version; that it is not there is a success. */
  delete(target: VersionTarget): Promise<DeleteOutcome>;
  /** The place in a listing that a version has, by the name that a listing showed; `undefined`: unknown. */
  placeOf(target: VersionTarget): string | undefined;
  /** Versions of keys that start with `prefix`, at or after the place. `undefined`: no such bucket. */
  list(query: {
    readonly bucket: string;
    readonly prefix: string;
    readonly from: VersionPlace;
  }): Promise<VersionCursor | undefined>;
}
