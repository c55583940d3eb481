/**
 * The operations of a run, as plain data: what is made at random and shrunk, and what a regression test is
 * written in. Versions and uploads are picked by number among those that the run has made so far, so every
 * operation makes sense in every place, the more so in a shrunk run.
 */

export const BUCKETS = ["model-one", "model-two"] as const;
/** A prefix of another, an empty segment, a group, beyond ASCII and beyond U+FFFF, what needs escapes. */
export const KEYS = ["a", "a/b", "a//b", "ä ü/\u{1f600}", "\uffee&<x>+", "z"] as const;
export const PREFIXES = ["", "a", "a/", "a//", "ä", "nothing"] as const;

export type Where = { readonly bucket: number; readonly key: number };

/** From here on keys are picked among those that have an object; see resolve.ts. */
export const EXISTING = 10;

/** Even: of the versions that are there; odd: of all that the key ever had; 7 is one that never was. */
export type VersionPick = { readonly nth: number } | "null" | undefined;

export type BodyPick = { readonly size: number; readonly fill: number };

/** `mine` wants what stands there, `differ` anything else; `other` and `unlike` name what nothing has. */
export type Condition = "none" | "absent" | "mine" | "other" | "any" | "differ" | "unlike";

/** Half-open. */
export type RangePick =
  | { readonly kind: "fromTo"; readonly first: number; readonly last: number }
  | { readonly kind: "from"; readonly first: number }
  | { readonly kind: "suffix"; readonly bytes: number };

export type Details = { readonly metadata: number; readonly tags: number };

export type CopyFrom = {
  readonly from: Where;
  readonly version: VersionPick;
  readonly sourceCondition: Condition;
};

export type BatchPick = { readonly key: number; readonly condition: Condition } & (
  | { readonly op: "put"; readonly body: BodyPick; readonly metadata: number }
  | { readonly op: "copy"; readonly fromKey: number }
  | { readonly op: "delete" | "check" }
);

export type Operation =
  | ({ readonly kind: "put"; readonly body: BodyPick; readonly condition: Condition } & Where & Details)
  | ({
      readonly kind: "read";
      readonly head: boolean;
      readonly version: VersionPick;
      readonly range: RangePick | undefined;
      readonly condition: Condition;
    } & Where)
  | ({ readonly kind: "delete"; readonly version: VersionPick; readonly condition: Condition } & Where)
  | {
      readonly kind: "deleteMany";
      readonly bucket: number;
      readonly quiet: boolean;
      readonly items: readonly {
        readonly key: number;
        readonly version: VersionPick;
        readonly condition: Condition;
      }[];
    }
  | ({
      readonly kind: "copy";
      readonly replaceMetadata: boolean;
      readonly replaceTags: boolean;
      readonly condition: Condition;
    } & CopyFrom &
      Where &
      Details)
  | ({
      readonly kind: "rename";
      readonly fromKey: number;
      readonly condition: Condition;
      readonly sourceCondition: Condition;
    } & Where)
  | ({ readonly kind: "append"; readonly body: BodyPick; readonly off: number } & Where & Details)
  | ({
      readonly kind: "tagging";
      readonly method: "GET" | "PUT" | "DELETE";
      readonly version: VersionPick;
      readonly tags: number;
    } & Where)
  | { readonly kind: "versioning"; readonly bucket: number; readonly status: "Enabled" | "Suspended" }
  | { readonly kind: "createBucket"; readonly bucket: number }
  | { readonly kind: "deleteBucket"; readonly bucket: number; readonly emptied: boolean }
  | ({ readonly kind: "createUpload" } & Where & Details)
  | { readonly kind: "part"; readonly upload: number; readonly number: number; readonly body: BodyPick }
  | ({
      readonly kind: "copyPart";
      readonly upload: number;
      readonly number: number;
      /** In quarters of the source, half-open; the fifth of them is beyond its end. */
      readonly range: { readonly from: number; readonly to: number } | undefined;
    } & CopyFrom)
  | {
      readonly kind: "complete";
      readonly upload: number;
      readonly how: "all" | "last" | "wrongEtag" | "unordered" | "missing" | "none";
      readonly condition: Condition;
    }
  /** An upload from its beginning to its end; without a body a part is a copy of what stands there. */
  | ({
      readonly kind: "upload";
      readonly parts: readonly (BodyPick | Where)[];
      readonly condition: Condition;
    } & Where &
      Details)
  | { readonly kind: "abort"; readonly upload: number }
  | { readonly kind: "listParts"; readonly upload: number }
  | { readonly kind: "listUploads"; readonly bucket: number }
  | {
      readonly kind: "list";
      readonly bucket: number;
      readonly how: "V1" | "V2" | "versions";
      readonly prefix: number;
      readonly delimited: boolean;
      readonly pageMax: number;
      /** Listed is what comes behind this key. */
      readonly after: number | undefined;
    }
  | { readonly kind: "batch"; readonly bucket: number; readonly steps: readonly BatchPick[] }
  | { readonly kind: "getMany"; readonly bucket: number; readonly keys: readonly number[] }
  /** Of the server, where it has a directory. */
  | { readonly kind: "restart" };
