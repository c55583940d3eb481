/**
 * What the service offers beside plain objects and uploads: copies, renames, appends, tags, parts of an
 * object. A source is looked at before the proposal and named in it by its birth; where another object stands
 * there by then, it is looked at again, and `look` is called for each one that is found.
 */
import type { Attributes, ChecksumAlgorithm, StoredChecksum } from "../state/attributes.ts";
import type { WriteCondition } from "../state/command.ts";
import type { TagSet } from "../state/tags.ts";
import type { Birth, VersionName } from "../state/version-id.ts";
import type { FoundObject, PutBody } from "./body-api.ts";

export type ObjectPath = { readonly bucket: string; readonly key: string };

/** A version of it if one is named, else the current object. */
export type SourcePath = ObjectPath & { readonly version?: VersionName | undefined };

/** What the copy of a source shall have. */
export type CopyPlan = {
  readonly attributes: Attributes;
  /** `undefined`: those of the source. */
  readonly tags: TagSet | undefined;
  /** The checksum it shall have; `undefined` for the source's own. Another one is computed from the bytes. */
  readonly checksum: ChecksumAlgorithm | undefined;
};

export type CopyOutcome =
  | {
      readonly kind: "copied";
      readonly etag: string;
      readonly modifiedMs: number;
      readonly checksum: StoredChecksum | undefined;
      readonly source: FoundObject;
      /** `undefined` in a bucket that never had versioning. */
      readonly versionId: string | undefined;
    }
  | {
      readonly kind: "noSuchSource" | "sourceIsMarker" | "noSuchBucket" | "noSuchKey" | "preconditionFailed";
    };

export type CopyPartOutcome =
  | {
      readonly kind: "copied";
      readonly etag: string;
      readonly modifiedMs: number;
      readonly checksum: StoredChecksum | undefined;
      readonly source: FoundObject;
    }
  | { readonly kind: "noSuchSource" | "sourceIsMarker" | "noSuchUpload" };

export type RenameOutcome =
  | { readonly kind: "renamed"; readonly versionId: string | undefined }
  | { readonly kind: "noSuchSource" | "noSuchBucket" | "noSuchKey" | "preconditionFailed" };

export type AppendOutcome =
  | {
      readonly kind: "appended";
      readonly versionId: string | undefined;
      readonly etag: string;
      readonly size: number;
      readonly checksum: StoredChecksum | undefined;
    }
  /** The object, `undefined` for none, has another size than was said. */
  | { readonly kind: "wrongOffset"; readonly size: number | undefined }
  | { readonly kind: "noSuchBucket" | "noSuchKey" | "preconditionFailed" }
  | { readonly kind: "tooManyPieces" | "entityTooLarge" };

export interface CopyService {
  /** `look` throws what is wrong with a source; so do the others'. */
  copy(input: {
    readonly source: SourcePath;
    readonly target: ObjectPath;
    readonly condition: WriteCondition;
    readonly look: (source: FoundObject) => CopyPlan;
  }): Promise<CopyOutcome>;
  /** `look` says which bytes. */
  copyPart(input: {
    readonly source: SourcePath;
    readonly uploadId: string;
    readonly partNumber: number;
    /** Of the upload: its parts must have it. */
    readonly checksum: ChecksumAlgorithm | undefined;
    readonly look: (source: FoundObject) => { readonly start: number; readonly end: number };
  }): Promise<CopyPartOutcome>;
  rename(input: {
    readonly bucket: string;
    readonly sourceKey: string;
    readonly key: string;
    readonly condition: WriteCondition;
    readonly look: (source: FoundObject) => void;
  }): Promise<RenameOutcome>;
  /** An absent object begins at offset 0, with `attributes` and `tags`; others keep theirs. */
  append(input: {
    readonly target: ObjectPath;
    readonly offset: number;
    readonly condition: WriteCondition;
    readonly body: PutBody;
    readonly bodyBytes: number;
    /** Hex MD5 of the body, and its checksum. */
    readonly bodyEtag: string;
    readonly bodyChecksum: StoredChecksum | undefined;
    readonly attributes: Attributes;
    readonly tags: TagSet;
  }): Promise<AppendOutcome>;
}

export type ObjectPart = {
  /** Counted from 1 within the object. */
  readonly partNumber: number;
  readonly size: number;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
};

export interface DetailService {
  /** Of the object that `look` finds; it is called again if that changes meanwhile. */
  tags(look: () => Promise<FoundObject>): Promise<{ readonly object: FoundObject; readonly tags: TagSet }>;
  /** Of exactly this version of the object. */
  putTags(
    path: ObjectPath,
    version: Birth,
    tags: TagSet,
  ): Promise<{ readonly kind: "put" | "noSuchBucket" | "noSuchVersion" }>;
  /** Of an object that was uploaded in parts, those after number `after`. */
  parts(
    object: FoundObject,
    page: { readonly after: number; readonly limit: number },
  ): Promise<readonly ObjectPart[]>;
}
