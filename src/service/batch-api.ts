/**
 * What the service offers of batches, as types: writes of many keys of one bucket of which all are done, or
 * none.
 */
import type { Attributes } from "../state/attributes.ts";
import type { WriteCondition } from "../state/command.ts";
import type { TagSet } from "../state/tags.ts";
import type { VersionName } from "../state/version-id.ts";
import type { DeletedVersion } from "./version-api.ts";

type AtKey = { readonly key: string; readonly condition: WriteCondition };

export type BatchInput =
  | (AtKey & {
      readonly kind: "put";
      /** Hex MD5 of the body. */
      readonly etag: string;
      readonly attributes: Attributes;
      readonly tags: TagSet;
      /** At most SMALL_BODY_BYTES_MAX; they become the store's. */
      readonly bytes: Uint8Array;
    })
  | (AtKey & {
      readonly kind: "copy";
      /** Of no key whose versions an operation before it deletes by their ids. */
      readonly source: string;
      /** `undefined`: those of the source. */
      readonly tags: TagSet | undefined;
    })
  | (AtKey & { readonly kind: "delete" })
  /** Exactly this version, for good. */
  | { readonly kind: "deleteVersion"; readonly key: string; readonly version: VersionName }
  | (AtKey & { readonly kind: "check" });

export type BatchResult =
  /** Of a put or a copy; `versionId` is `undefined` in a bucket that never had versioning. */
  | { readonly kind: "put"; readonly etag: string; readonly versionId: string | undefined }
  | { readonly kind: "deleted"; readonly version: DeletedVersion | undefined }
  | { readonly kind: "checked" };

export type BatchOutcome =
  | { readonly kind: "done"; readonly results: readonly BatchResult[] }
  /** The operation that cannot be done; nothing was. */
  | {
      readonly kind: "refused";
      readonly at: number;
      readonly reason: "preconditionFailed" | "noSuchKey" | "noSuchSource";
    }
  /** Small objects are copied by value, and these bring more bytes than a batch may have. */
  | { readonly kind: "tooLarge"; readonly at: number }
  | { readonly kind: "noSuchBucket" };

export interface BatchService {
  /** One log entry. Each operation meets what those before it leave. */
  write(batch: {
    readonly bucket: string;
    readonly operations: readonly BatchInput[];
    /** Of all bodies, those of copies by value among them. */
    readonly bytesMax: number;
  }): Promise<BatchOutcome>;
}
