/**
 * Operations at random. The weights are what test/model/tally.ts counts: every kind has to succeed often,
 * so most keys that are asked for are there and most conditions hold.
 */
import fc from "fast-check";
import { EXISTING, KEYS, PREFIXES } from "./operations.ts";
import type {
  BatchPick,
  BodyPick,
  Condition,
  Operation,
  RangePick,
  VersionPick,
  Where,
} from "./operations.ts";

const MIB = 1024 * 1024;
const METADATA_MAX = 2;
const TAGS_MAX = 2;

/** Few places, of which some are visited more often, or most requests would be for what is not there. */
const bucket = fc.constantFrom(0, 0, 0, 1);
const plainKey = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4, 5);
const existing = fc.integer({ min: EXISTING, max: EXISTING + 5 });
const key = fc.oneof({ weight: 1, arbitrary: plainKey }, { weight: 1, arbitrary: existing });
/** Of what is read, copied, renamed or removed. */
const present = fc.oneof({ weight: 1, arbitrary: plainKey }, { weight: 6, arbitrary: existing });
const where = { bucket, key };
const wherePresent = { bucket, key: present };
const details = {
  metadata: fc.integer({ min: 0, max: METADATA_MAX }),
  tags: fc.integer({ min: 0, max: TAGS_MAX }),
};
const is = <Value extends string>(value: Value): fc.Arbitrary<Value> => fc.constant(value);
const oneOf = <Value>(
  ...choices: readonly (readonly [weight: number, value: Value])[]
): fc.Arbitrary<Value> =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
const optional = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
const version: fc.Arbitrary<VersionPick> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.record({ nth: fc.constantFrom(0, 0, 2, 2, 4, 4, 1, 3, 7) }) },
  { weight: 1, arbitrary: fc.constant("null" as const) },
);

/** 256 B stand in the row, 64 KiB in the record of their command; two parts need one of 5 MiB. */
const size = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(3, 0, 1, 10, 256, 257, 1000) },
  { weight: 4, arbitrary: fc.constantFrom(65_536, 65_537, 200_000) },
);
const fill = fc.nat({ max: 3 });
const body = fc.record({ size, fill });
const small = fc.record({ size: fc.constantFrom(3, 0, 256, 257, 1000, 65_536), fill });
const large = fc.record({ size: fc.constant(5 * MIB), fill });
const partBody = fc.oneof({ weight: 6, arbitrary: body }, { weight: 1, arbitrary: large });

const condition = oneOf<Condition>([12, "none"], [3, "absent"], [3, "mine"], [2, "other"]);
/** Of what comes less often. */
const rareCondition = oneOf<Condition>([6, "none"], [3, "absent"], [3, "mine"], [2, "other"]);
const sourceCondition = oneOf<Condition>(
  [16, "none"],
  [3, "mine"],
  [4, "unlike"],
  ...(["other", "absent", "differ"] as const).map((each) => [1, each] as const),
);
const readCondition = oneOf<Condition>(
  [8, "none"],
  [3, "mine"],
  ...(["other", "absent", "differ", "unlike"] as const).map((each) => [2, each] as const),
);
const deleteCondition = oneOf<Condition>([8, "none"], [3, "mine"], [2, "other"], [4, "any"]);
const offset = fc.constantFrom(0, 1, 2, 500, 65_536, 100_000);
const range: fc.Arbitrary<RangePick> = fc.oneof(
  fc.record({ kind: is("fromTo"), first: offset, last: offset }),
  fc.record({ kind: is("from"), first: offset }),
  fc.record({ kind: is("suffix"), bytes: fc.constantFrom(1, 2, 500, 70_000) }),
);
const from = { from: fc.record(wherePresent), version, sourceCondition };
const quarters = fc.record({
  from: fc.constantFrom(0, 0, 1, 2),
  to: fc.constantFrom(4, 3, 4, 3, 4, 3, 5, 0),
});
/** Of those that are open, mostly. */
const upload = oneOf([4, EXISTING], [1, EXISTING + 1], [1, 0], [1, 1]);
const number = fc.integer({ min: 1, max: 3 });
const some = { minLength: 1, maxLength: 4 };
const uploadParts: fc.Arbitrary<readonly (BodyPick | Where)[]> = fc
  .tuple(oneOf([3, true], [1, false]), large, fc.oneof(body, body, fc.record(wherePresent)))
  .map(([isOfTwo, first, last]) => (isOfTwo ? [first, last] : [last]));

/** Most batches have to succeed, so most steps ask for nothing. */
const stepCondition = oneOf<Condition>([10, "none"], [3, "mine"], [1, "absent"], [1, "any"], [1, "other"]);
const batchStep: fc.Arbitrary<BatchPick> = fc.oneof(
  fc.record({ op: is("put"), key, condition: stepCondition, body: small, metadata: details.metadata }),
  fc.record({ op: is("copy"), key, condition: stepCondition, fromKey: present }),
  fc.record({ op: is("delete"), key, condition: stepCondition.filter((picked) => picked !== "absent") }),
  fc.record({
    op: is("check"),
    key: present,
    condition: oneOf<Condition>([6, "mine"], [3, "any"], [1, "absent"]),
  }),
);
/** Within one request AWS promises no order: with conditions each key comes once. */
const doomed = fc.oneof(
  fc.array(fc.record({ key: present, version, condition: is("none") }), some),
  fc.array(fc.record({ key: present, version, condition: deleteCondition }), some),
);

const object = {
  put: fc.record({ kind: is("put"), ...where, body, ...details, condition }),
  read: fc.record({
    kind: is("read"),
    ...wherePresent,
    head: fc.boolean(),
    version,
    range: optional(range),
    condition: readCondition,
  }),
  delete: fc.record({ kind: is("delete"), ...wherePresent, version, condition: deleteCondition }),
  deleteMany: fc.record({ kind: is("deleteMany"), bucket, quiet: fc.boolean(), items: doomed }),
  copy: fc.record({
    kind: is("copy"),
    ...from,
    ...where,
    ...details,
    replaceMetadata: fc.boolean(),
    replaceTags: fc.boolean(),
    condition: rareCondition,
  }),
  rename: fc.record({
    kind: is("rename"),
    ...where,
    fromKey: present,
    condition: rareCondition,
    sourceCondition,
  }),
  append: fc.record({
    kind: is("append"),
    ...where,
    ...details,
    body,
    off: fc.constantFrom(0, 0, 0, 0, 1),
  }),
  tagging: fc.record({
    kind: is("tagging"),
    ...wherePresent,
    method: fc.constantFrom("GET" as const, "PUT" as const, "DELETE" as const),
    version,
    tags: details.tags,
  }),
  batch: fc.record({ kind: is("batch"), bucket, steps: fc.array(batchStep, { minLength: 1, maxLength: 5 }) }),
  getMany: fc.record({ kind: is("getMany"), bucket, keys: fc.array(present, some) }),
};

const multipart = {
  createUpload: fc.record({ kind: is("createUpload"), ...where, ...details }),
  part: fc.record({ kind: is("part"), upload, number, body: partBody }),
  copyPart: fc.record({ kind: is("copyPart"), upload, number, ...from, range: optional(quarters) }),
  complete: fc.record({
    kind: is("complete"),
    upload,
    how: fc.constantFrom("all", "all", "all", "last", "wrongEtag", "unordered", "missing", "none"),
    condition: rareCondition,
  }),
  upload: fc.record({
    kind: is("upload"),
    ...where,
    ...details,
    parts: uploadParts,
    condition: rareCondition,
  }),
  abort: fc.record({ kind: is("abort"), upload }),
  listParts: fc.record({ kind: is("listParts"), upload }),
  listUploads: fc.record({ kind: is("listUploads"), bucket }),
};

const inBucket = {
  versioning: fc.record({
    kind: is("versioning"),
    bucket,
    status: fc.constantFrom("Enabled" as const, "Suspended" as const),
  }),
  createBucket: fc.record({ kind: is("createBucket"), bucket: oneOf([4, EXISTING], [1, 0]) }),
  deleteBucket: fc.record({ kind: is("deleteBucket"), bucket, emptied: fc.boolean() }),
  list: fc.record({
    kind: is("list"),
    bucket,
    how: fc.constantFrom("V2" as const, "V1" as const, "versions" as const),
    prefix: fc.integer({ min: 0, max: PREFIXES.length - 1 }),
    delimited: fc.boolean(),
    pageMax: fc.constantFrom(1000, 1, 2, 3),
    after: optional(fc.nat({ max: KEYS.length - 1 })),
  }),
  restart: fc.record({ kind: is("restart") }),
};

const weights: readonly (readonly [number, fc.Arbitrary<Operation>])[] = [
  [16, object.put],
  [13, object.read],
  [8, object.delete],
  [5, object.deleteMany],
  [20, object.copy],
  [16, object.rename],
  [6, object.append],
  [6, object.tagging],
  [9, object.batch],
  [1, object.getMany],
  [7, multipart.createUpload],
  [11, multipart.part],
  [12, multipart.copyPart],
  [10, multipart.complete],
  [4, multipart.upload],
  [2, multipart.abort],
  [2, multipart.listParts],
  [1, multipart.listUploads],
  [6, inBucket.versioning],
  [3, inBucket.createBucket],
  [2, inBucket.deleteBucket],
  [5, inBucket.list],
  [1, inBucket.restart],
];

const operation = fc.oneof(...weights.map(([weight, arbitrary]) => ({ weight, arbitrary })));

/** A run of that many operations; a shrunk one has gaps. */
export function runOf(length: number): fc.Arbitrary<readonly (Operation | undefined)[]> {
  // Generated almost never, an absent operation is what any other one shrinks to first.
  const step = fc.option(operation, { nil: undefined, freq: 10_000 });
  return fc.array(step, { minLength: length, maxLength: length });
}
