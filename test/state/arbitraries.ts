/** Arbitrary values of the state's own types, edge cases included. */
import fc from "fast-check";
import { CHECKSUM_ALGORITHMS, STORED_HEADERS } from "../../src/state/attributes.ts";
import type { Attributes, StoredChecksum } from "../../src/state/attributes.ts";
import type { BatchStep, Chunk, Command, CommandBody, WriteCondition } from "../../src/state/command.ts";
import type { BodyReference, PartRun, SharedBody } from "../../src/state/object-row.ts";
import type { TagSet } from "../../src/state/tags.ts";
import { COLD_COPY_KINDS } from "../../src/state/rows.ts";
import type { ColdCopy } from "../../src/state/rows.ts";
import { BUCKET_SETTING_NAMES } from "../../src/state/setting-command.ts";
import type { Birth, VersionName } from "../../src/state/version-id.ts";

/** Text of whole characters, as S3 names and keys are; short ones more often. */
export const text = fc.oneof(
  fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom("a", "é", "€", "😀"), minLength: 40, maxLength: 300 }),
);
export const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
export const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ minLength: 250, maxLength: 300, size: "max" }),
);

export const coldCopy: fc.Arbitrary<ColdCopy> = fc.record({
  kind: fc.constantFrom(...COLD_COPY_KINDS),
  key: text,
  bytes: count,
  sha256: text,
});

const algorithm = fc.constantFrom(...CHECKSUM_ALGORITHMS);
const checksumType = fc.constantFrom("FULL_OBJECT" as const, "COMPOSITE" as const);

export const checksum: fc.Arbitrary<StoredChecksum | undefined> = fc.option(
  fc.record({ algorithm, type: checksumType, value: text }),
  { nil: undefined },
);

export const attributes: fc.Arbitrary<Attributes> = fc.record({
  headers: fc.array(fc.tuple(fc.constantFrom(...STORED_HEADERS), text), { maxLength: 3 }),
  metadata: fc.array(fc.tuple(text, text), { maxLength: 3 }),
  checksum,
});

export const condition: fc.Arbitrary<WriteCondition> = fc.oneof(
  fc.constant({ kind: "none" as const }),
  fc.constant({ kind: "absent" as const }),
  fc.record({ kind: fc.constant("etag" as const), etag: text }),
);

export const commandBody: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.constant({ kind: "empty" as const }),
  fc.record({ kind: fc.constant("bytes" as const), bytes, crc32c: fc.nat(0xffffffff) }),
  fc.record({ kind: fc.constant("stored" as const), bodyId: text, size: count }),
);

const sharedBody: fc.Arbitrary<SharedBody> = fc.oneof(
  fc.record({ kind: fc.constant("stored" as const), bodyId: text }),
  fc.record({ kind: fc.constant("parts" as const), uploadId: text }),
  fc.record({ kind: fc.constant("appended" as const), listId: text, pieces: fc.nat(10_000) }),
);

export const bodyReference: fc.Arbitrary<BodyReference> = fc.oneof(
  sharedBody,
  fc.record({ kind: fc.constant("slice" as const), base: sharedBody, start: count }),
  fc.constant({ kind: "empty" as const }),
  fc.record({ kind: fc.constant("inline" as const), bytes }),
  fc.record({ kind: fc.constant("record" as const), offset: count, crc32c: fc.nat(0xffffffff) }),
);

export const runs: fc.Arbitrary<readonly PartRun[]> = fc.array(
  fc.record({ firstPart: fc.integer({ min: 1, max: 10_000 }), count: fc.nat(10_000), size: count }),
  { maxLength: 4 },
);

export const tags: fc.Arbitrary<TagSet> = fc.array(fc.tuple(text, text), { maxLength: 10 });
const someTags = fc.option(tags, { nil: undefined });
const source = fc.record({ bucket: text, key: text, birthIndex: count, birthSub: fc.nat(300) });
const copyBody = fc.oneof(commandBody, fc.constant({ kind: "shared" as const }));
export const birth: fc.Arbitrary<Birth> = fc.record({
  birthIndex: fc.integer({ min: 1, max: 36 ** 10 - 1 }),
  birthSub: fc.nat(1_000_000),
});
export const versionName: fc.Arbitrary<VersionName> = fc.oneof(
  fc.constant({ kind: "null" as const }),
  birth.map((place) => ({ kind: "birth" as const, ...place })),
);

const kind = <Kind extends string>(name: Kind): fc.Arbitrary<Kind> => fc.constant(name);

const settingName = fc.constantFrom(...BUCKET_SETTING_NAMES);

const checkObject = fc.record({ kind: kind("checkObject"), bucket: text, key: text, condition });
const smallBody = fc.oneof(
  fc.constant({ kind: "empty" as const }),
  fc.record({ kind: fc.constant("bytes" as const), bytes, crc32c: fc.nat(0xffffffff) }),
);
const target = { bucket: text, key: text, etag: text, attributes, tags: someTags, condition };
const batchStep: fc.Arbitrary<BatchStep> = fc.oneof(
  fc.record({ kind: kind("putObject"), ...target, body: smallBody }),
  fc.record({
    kind: kind("copyObject"),
    source,
    ...target,
    body: fc.oneof(smallBody, fc.constant({ kind: "shared" as const })),
  }),
  fc.record({ kind: kind("deleteObject"), bucket: text, key: text, condition }),
  fc.record({
    kind: kind("deleteVersion"),
    bucket: text,
    key: text,
    version: versionName,
    condition: fc.constant({ kind: "none" as const }),
  }),
  checkObject,
);

export const command: fc.Arbitrary<Command> = fc.oneof(
  checkObject,
  fc.record({ kind: kind("batch"), steps: fc.array(batchStep, { maxLength: 5 }) }),
  fc.record({ kind: kind("createBucket"), name: text, owner: text, location: text }),
  fc.record({ kind: kind("deleteBucket"), name: text }),
  fc.record({
    kind: kind("putObject"),
    bucket: text,
    key: text,
    etag: text,
    attributes,
    body: commandBody,
    condition,
    tags: someTags,
  }),
  fc.record({ kind: kind("deleteObject"), bucket: text, key: text, condition }),
  fc.record({
    kind: kind("createUpload"),
    bucket: text,
    key: text,
    uploadId: text,
    owner: text,
    attributes,
    checksum: fc.option(fc.record({ algorithm, type: checksumType }), { nil: undefined }),
    tags: someTags,
  }),
  fc.record({
    kind: kind("putPart"),
    uploadId: text,
    partNumber: fc.integer({ min: 1, max: 10_000 }),
    etag: text,
    checksum,
    body: commandBody,
  }),
  fc.record({
    kind: kind("completeUpload"),
    uploadId: text,
    revision: count,
    bucket: text,
    key: text,
    runs,
    size: count,
    etag: text,
    checksum,
    condition,
  }),
  fc.record({
    kind: kind("abortUpload"),
    uploadId: text,
    bucketId: fc.nat(),
    key: text,
    idleSinceMs: fc.option(fc.nat(), { nil: undefined }),
  }),
  fc.record({ kind: kind("abortBody"), bodyId: text }),
  fc.record({ kind: kind("reapBody"), bodyId: text, page: fc.nat(1000) }),
  fc.record({
    kind: kind("reapParts"),
    uploadId: text,
    partNumbers: fc.array(fc.integer({ min: 1, max: 10_000 }), { maxLength: 5 }),
    last: fc.boolean(),
    dropped: fc.boolean(),
  }),
  fc.record({
    kind: kind("copyObject"),
    source,
    bucket: text,
    key: text,
    etag: text,
    attributes,
    tags: someTags,
    body: copyBody,
    condition,
  }),
  fc.record({
    kind: kind("copyPart"),
    source,
    uploadId: text,
    partNumber: fc.integer({ min: 1, max: 10_000 }),
    etag: text,
    checksum,
    start: count,
    size: count,
    body: copyBody,
  }),
  fc.record({ kind: kind("renameObject"), source, key: text, body: copyBody, condition }),
  fc.record({
    kind: kind("appendObject"),
    source,
    offset: count,
    listId: text,
    base: fc.oneof(
      fc.constant({ kind: "empty" as const }),
      fc.record({ kind: fc.constant("stored" as const), bodyId: text, size: count }),
    ),
    body: commandBody,
    etag: text,
    pieceEtag: text,
    attributes,
  }),
  fc.record({
    kind: kind("putObjectTags"),
    bucket: text,
    key: text,
    version: fc.option(fc.record({ birthIndex: count, birthSub: fc.nat(300) }), { nil: undefined }),
    tags,
  }),
  fc.record({ kind: kind("deleteVersion"), bucket: text, key: text, version: versionName, condition }),
  fc.record({
    kind: kind("setVersioning"),
    bucket: text,
    versioning: fc.constantFrom("Enabled" as const, "Suspended" as const),
  }),
  fc.record({ kind: kind("setDate"), dateMs: count }),
  fc.record({ kind: kind("tick") }),
  fc.record({ kind: kind("dropSegments"), segmentIds: fc.array(count) }),
  fc.record({
    kind: kind("segmentOffloaded"),
    segmentId: count,
    firstIndex: count,
    entries: count,
    copy: coldCopy,
  }),
  fc.record({ kind: kind("condemnCold"), keys: fc.array(text) }),
  fc.record({ kind: kind("pardonCold"), keys: fc.array(text) }),
  fc.record({ kind: kind("beginLineage"), lineage: text, parent: text, cutIndex: count }),
  fc.record({ kind: kind("adoptLineages"), lineage: text, adopted: fc.array(text) }),
  fc.record({ kind: kind("putBucketSetting"), bucket: text, name: settingName, document: text }),
  fc.record({ kind: kind("deleteBucketSetting"), bucket: text, name: settingName }),
  fc.record({
    kind: kind("putAccount"),
    accountId: text,
    displayName: text,
    accessKey: text,
    sealedSecret: bytes,
  }),
  fc.record({ kind: kind("deleteAccount"), accountId: text }),
  fc.record({ kind: kind("putDataKey"), salt: bytes, sealedKey: bytes }),
);

const pieces = fc.array(bytes, { maxLength: 4 });

export const chunk: fc.Arbitrary<Chunk> = fc
  .record({ bodyId: text, sequence: fc.nat(100_000), incarnation: text, pieces })
  .map((fields) => ({ ...fields, length: Buffer.concat(fields.pieces).length }));
