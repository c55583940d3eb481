/**
 * The words of the model: what a bucket holds, what is asked of it and what may be answered.
 */

export type Tags = readonly (readonly [string, string])[];

/** What the writer of an object says about it. */
export type Details = {
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Tags;
};

export type Version = {
  readonly isMarker: boolean;
  readonly body: Buffer;
  details: Details;
  /** Without quotes; `undefined` until an answer has told. */
  etag: string | undefined;
  /** Likewise; that of the null version is "null". */
  name: string | undefined;
  lastModified: string | undefined;
};

export type Part = { readonly body: Buffer; etag: string | undefined };

export type Upload = {
  readonly bucket: Bucket;
  readonly key: string;
  readonly details: Details;
  readonly parts: Map<number, Part>;
  /** The server's, from its answer. */
  id: string;
  state: "open" | "completed" | "aborted";
};

export type Bucket = {
  versioning: "never" | "Enabled" | "Suspended";
  /** The newest first; no key is there without a version. */
  readonly keys: Map<string, Version[]>;
};

export type Condition =
  | { readonly kind: "none" }
  | { readonly kind: "absent" }
  /** `*` is any. */
  | { readonly kind: "match"; readonly etag: string }
  | { readonly kind: "differ"; readonly etag: string };

/** What a request may be answered. */
export type Answer =
  | {
      readonly kind: "done";
      /** Named by x-amz-version-id, where there is versioning. */
      readonly version?: Version | undefined;
      /** Of a copy's source. */
      readonly source?: Version | undefined;
      readonly upload?: Upload;
      readonly part?: Part;
    }
  | { readonly kind: "refused"; readonly codes: readonly string[]; readonly marker?: Version | undefined }
  /** AWS leaves open whether it is done once more or refused; nothing changes either way. */
  | { readonly kind: "idle"; readonly codes: readonly string[] };

export type Place = { readonly bucket: string; readonly key: string };
/** Without a name: the current one. */
export type VersionPlace = Place & { readonly name: string | undefined };

export type Listed = { readonly key: string; readonly version: Version; readonly isLatest: boolean };

/** Of a batch: a copy's source is in the same bucket. */
export type BatchStep = { readonly key: string; readonly condition: Condition } & (
  | { readonly op: "put"; readonly body: Buffer; readonly details: Omit<Details, "tags"> }
  | { readonly op: "copy"; readonly source: string }
  | { readonly op: "delete" | "check" }
);

/** All or nothing; which of several steps that cannot be done is named is the server's affair. */
export type BatchAnswer =
  | { readonly kind: "done"; readonly versions: readonly (Version | undefined)[] }
  | { readonly kind: "noSuchBucket" }
  | {
      readonly kind: "refused";
      readonly by: readonly {
        readonly at: number;
        readonly status: number;
        readonly codes: readonly string[];
      }[];
    };
