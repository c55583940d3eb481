/**
 * The operations of a run, as plain data: what fast-check makes and shrinks, and what a regression test is
 * written in. Versions and uploads are picked by number among those that the run has made so far, so every
 * operation makes sense in every place, the more so in a shrunk run.
 */
import fc from "fast-check";

export const BUCKETS = ["model-one", "model-two"] as const;
/** A prefix of another, an empty segment, a group, beyond ASCII and beyond U+FFFF, what needs escapes. */
export const KEYS = ["a", "a/b", "a//b", "ä ü/\u{1f600}", "\uffee&<x>+", "z"] as const;
export const PREFIXES = ["", "a", "a/", "a//", "ä", "nothing"] as const;

export type Where = { readonly bucket: number; readonly key: number };

/** `nth`: of all versions that the key ever had, around and around; 7 is one that never was. */
export type VersionPick = { readonly nth: number } | "null" | undefined;

export type BodyPick = { readonly size: number; readonly fill: number };

/** `mine` wants what stands there, `differ` anything else; `other` wants an ETag that nothing has. */
export type Condition = "none" | "absent" | "mine" | "other" | "any" | "differ";

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
      readonly items: readonly { readonly key: number; readonly version: VersionPick }[];
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
      readonly range: { readonly first: number; readonly last: number } | undefined;
    } & CopyFrom)
  | {
      readonly kind: "complete";
      readonly upload: number;
      readonly how: "all" | "last" | "wrongEtag" | "unordered" | "missing" | "none";
      readonly condition: Condition;
    }
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
  /** Of the server, where it has a directory. */
  | { readonly kind: "restart" };

export const MIB = 1024 * 1024;
export const METADATA_MAX = 2;
export const TAGS_MAX = 2;

/** Few places, of which some are visited more often, or most requests would be for what is not there. */
const bucket = fc.constantFrom(0, 0, 0, 1);
const key = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4, 5);
const where = { bucket, key };
const details = {
  metadata: fc.integer({ min: 0, max: METADATA_MAX }),
  tags: fc.integer({ min: 0, max: TAGS_MAX }),
};
const version: fc.Arbitrary<VersionPick> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.record({ nth: fc.nat({ max: 7 }) }) },
  { weight: 1, arbitrary: fc.constant("null" as const) },
);
/** 64 KiB is where bodies leave their record; two parts need one of 5 MiB. */
const size = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(3, 0, 1, 10, 1000) },
  { weight: 2, arbitrary: fc.constantFrom(65_536, 65_537, 200_000) },
);
const body = fc.record({ size, fill: fc.nat({ max: 3 }) });
const partSize = fc.oneof({ weight: 5, arbitrary: size }, { weight: 1, arbitrary: fc.constant(5 * MIB) });
const partBody = fc.record({ size: partSize, fill: fc.nat({ max: 3 }) });
const none = { weight: 6, arbitrary: fc.constant("none" as const) };
const condition: fc.Arbitrary<Condition> = fc.oneof(none, {
  weight: 3,
  arbitrary: fc.constantFrom<Condition>("absent", "mine", "other"),
});
const readCondition: fc.Arbitrary<Condition> = fc.oneof(none, {
  weight: 3,
  arbitrary: fc.constantFrom<Condition>("mine", "other", "absent", "differ"),
});
const deleteCondition: fc.Arbitrary<Condition> = fc.oneof(none, {
  weight: 2,
  arbitrary: fc.constantFrom<Condition>("mine", "other", "any"),
});
const offset = fc.constantFrom(0, 1, 2, 500, 65_536, 100_000);
const range: fc.Arbitrary<RangePick> = fc.oneof(
  fc.record({ kind: fc.constant("fromTo" as const), first: offset, last: offset }),
  fc.record({ kind: fc.constant("from" as const), first: offset }),
  fc.record({ kind: fc.constant("suffix" as const), bytes: fc.constantFrom(1, 2, 500, 70_000) }),
);
const from = { from: fc.record(where), version, sourceCondition: readCondition };
const upload = fc.constantFrom(0, 0, 0, 0, 1, 2);
const number = fc.integer({ min: 1, max: 3 });
const is = <Kind extends Operation["kind"]>(kind: Kind): fc.Arbitrary<Kind> => fc.constant(kind);
const optional = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const weighted: readonly (readonly [number, fc.Arbitrary<Operation>])[] = [
  [20, fc.record({ kind: is("put"), ...where, body, ...details, condition })],
  [
    14,
    fc.record({
      kind: is("read"),
      ...where,
      head: fc.boolean(),
      version,
      range: optional(range),
      condition: readCondition,
    }),
  ],
  [8, fc.record({ kind: is("delete"), ...where, version, condition: deleteCondition })],
  [
    2,
    fc.record({
      kind: is("deleteMany"),
      bucket,
      quiet: fc.boolean(),
      items: fc.array(fc.record({ key, version }), { minLength: 1, maxLength: 4 }),
    }),
  ],
  [
    9,
    fc.record({
      kind: is("copy"),
      ...from,
      ...where,
      ...details,
      replaceMetadata: fc.boolean(),
      replaceTags: fc.boolean(),
      condition,
    }),
  ],
  [4, fc.record({ kind: is("rename"), ...where, fromKey: key, condition, sourceCondition: readCondition })],
  [6, fc.record({ kind: is("append"), ...where, ...details, body, off: fc.constantFrom(0, 0, 0, 1) })],
  [
    5,
    fc.record({
      kind: is("tagging"),
      ...where,
      method: fc.constantFrom("GET" as const, "PUT" as const, "DELETE" as const),
      version,
      tags: details.tags,
    }),
  ],
  [
    4,
    fc.record({
      kind: is("versioning"),
      bucket,
      status: fc.constantFrom("Enabled" as const, "Suspended" as const),
    }),
  ],
  [4, fc.record({ kind: is("createBucket"), bucket })],
  [1, fc.record({ kind: is("deleteBucket"), bucket, emptied: fc.boolean() })],
  [3, fc.record({ kind: is("createUpload"), ...where, ...details })],
  [9, fc.record({ kind: is("part"), upload, number, body: partBody })],
  [
    6,
    fc.record({
      kind: is("copyPart"),
      upload,
      number,
      ...from,
      range: optional(fc.record({ first: offset, last: offset })),
    }),
  ],
  [
    6,
    fc.record({
      kind: is("complete"),
      upload,
      how: fc.constantFrom("all", "all", "all", "last", "wrongEtag", "unordered", "missing", "none"),
      condition,
    }),
  ],
  [1, fc.record({ kind: is("abort"), upload })],
  [2, fc.record({ kind: is("listParts"), upload })],
  [1, fc.record({ kind: is("listUploads"), bucket })],
  [
    10,
    fc.record({
      kind: is("list"),
      bucket,
      how: fc.constantFrom("V2" as const, "V1" as const, "versions" as const),
      prefix: fc.integer({ min: 0, max: PREFIXES.length - 1 }),
      delimited: fc.boolean(),
      pageMax: fc.constantFrom(1000, 1, 2, 3),
      after: optional(key),
    }),
  ],
  [1, fc.record({ kind: is("restart") })],
];

const operation = fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })));

/** A run of that many operations; a shrunk one has gaps. */
export function runOf(length: number): fc.Arbitrary<readonly (Operation | undefined)[]> {
  // Generated almost never, an absent operation is what any other one shrinks to first.
  const step = fc.option(operation, { nil: undefined, freq: 10_000 });
  return fc.array(step, { minLength: length, maxLength: length });
}
