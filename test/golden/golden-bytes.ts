/**
 * Fixed values of every format at rest, version 1, as this code writes them: what the kept bytes are
 * compared with. A difference means that older data cannot be read, or that a version number has to be
 * raised.
 */
import { ByteWriter } from "../../src/base/bytes.ts";
import { logIndex, segmentId, term } from "../../src/base/units.ts";
import { encodeFooter } from "../../src/segment/footer.ts";
import { RECORD_HEADER_BYTES, RecordType, recordBytes, sealRecord } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES, writeSegmentHead } from "../../src/segment/segment-head.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import { encodeChunk, encodeCommand } from "../../src/state/command-codec.ts";
import type { Command } from "../../src/state/command.ts";
import { keys } from "../../src/state/keys.ts";
import { encodeDetail, encodeObject } from "../../src/state/object-row.ts";
import type { BodyReference } from "../../src/state/object-row.ts";
import { rows } from "../../src/state/rows.ts";
import { encodeTags } from "../../src/state/tags.ts";
import type { TagSet } from "../../src/state/tags.ts";
import { encodeHistory, encodeMarker, encodeVersion } from "../../src/state/version-row.ts";
import { AckedFile } from "../../src/store/acked-file.ts";
import { encodeMark, markKey } from "../../src/store/flush-ring.ts";
import { sealRow } from "../../src/store/row-seal.ts";
import { VoteFile } from "../../src/store/vote-file.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { chunkOf } from "../state/chunk-of.ts";
import { batchOfVersions } from "./golden-batches.ts";
import { coldCommands, coldRows } from "./golden-cold.ts";

const chain = { low: 0x01020304, high: 0xf1f2f3f4 };
const ETAG = "d41d8cd98f00b204e9800998ecf8427e";

const attributes: Attributes = {
  headers: [
    ["content-type", "text/plain"],
    ["x-amz-storage-class", "STANDARD"],
  ],
  metadata: [["grün", "😀"]],
  checksum: { algorithm: "CRC64NVME", type: "FULL_OBJECT", value: "AAAAAAAAAAA=" },
};
const noAttributes: Attributes = { headers: [], metadata: [], checksum: undefined };
const composite = { algorithm: "SHA256", type: "COMPOSITE", value: "q83v-2" } as const;

const tags: TagSet = [
  ["farbe", "grün"],
  ["empty", ""],
];
const copySource = { bucket: "bucket", key: "k", birthIndex: 1_000_000, birthSub: 299 };

const commands: Readonly<Record<string, Command>> = {
  createBucket: { kind: "createBucket", name: "bucket", owner: "root", location: "eu-central-1" },
  deleteBucket: { kind: "deleteBucket", name: "bucket" },
  putBytes: {
    kind: "putObject",
    bucket: "bucket",
    key: "ключ",
    etag: ETAG,
    attributes,
    body: { kind: "bytes", bytes: Buffer.from("body"), crc32c: 0x89abcdef },
    condition: { kind: "etag", etag: ETAG },
  },
  putStored: {
    kind: "putObject",
    bucket: "bucket",
    key: "k",
    etag: ETAG,
    attributes: noAttributes,
    body: { kind: "stored", bodyId: "n1.1-0", size: 5_000_000_000_000 },
    condition: { kind: "absent" },
  },
  putEmpty: {
    kind: "putObject",
    bucket: "bucket",
    key: "k",
    etag: ETAG,
    attributes: noAttributes,
    body: { kind: "empty" },
    condition: { kind: "none" },
  },
  deleteObject: { kind: "deleteObject", bucket: "bucket", key: "k", condition: { kind: "none" } },
  createUpload: {
    kind: "createUpload",
    bucket: "bucket",
    key: "k",
    uploadId: "0123",
    owner: "root",
    attributes,
    checksum: { algorithm: "CRC32", type: "COMPOSITE" },
  },
  putPart: {
    kind: "putPart",
    uploadId: "0123",
    partNumber: 10_000,
    etag: ETAG,
    checksum: { algorithm: "CRC32", type: "FULL_OBJECT", value: "AAAAAA==" },
    body: { kind: "bytes", bytes: Buffer.from("part"), crc32c: 1 },
  },
  completeUpload: {
    kind: "completeUpload",
    uploadId: "0123",
    revision: 300,
    bucket: "bucket",
    key: "k",
    runs: [{ firstPart: 1, count: 9_999, size: 5_242_880 }],
    size: 52_423_557_120,
    etag: `${ETAG}-9999`,
    checksum: composite,
    condition: { kind: "none" },
  },
  abortUpload: {
    kind: "abortUpload",
    uploadId: "0123",
    bucketId: 7,
    key: "k",
    idleSinceMs: 1_700_000_000_000,
  },
  abortBody: { kind: "abortBody", bodyId: "n1.1-0" },
  reapBody: { kind: "reapBody", bodyId: "n1.1-0", page: 2 },
  reapParts: {
    kind: "reapParts",
    uploadId: "0123",
    partNumbers: [1, 200, 10_000],
    last: true,
    dropped: false,
  },
  setDate: { kind: "setDate", dateMs: 1_700_000_000_000 },
  tick: { kind: "tick" },
  dropSegments: { kind: "dropSegments", segmentIds: [1, 200, 70_000] },
  ...coldCommands,
  putTagged: {
    kind: "putObject",
    bucket: "bucket",
    key: "k",
    etag: ETAG,
    attributes: noAttributes,
    body: { kind: "bytes", bytes: Buffer.from("body"), crc32c: 7 },
    condition: { kind: "none" },
    tags,
  },
  copyShared: {
    kind: "copyObject",
    source: copySource,
    bucket: "other",
    key: "ключ",
    etag: ETAG,
    attributes,
    tags: undefined,
    body: { kind: "shared" },
    condition: { kind: "absent" },
  },
  copyBytes: {
    kind: "copyObject",
    source: copySource,
    bucket: "other",
    key: "k",
    etag: ETAG,
    attributes: noAttributes,
    tags,
    body: { kind: "bytes", bytes: Buffer.from("body"), crc32c: 7 },
    condition: { kind: "etag", etag: ETAG },
  },
  copyPart: {
    kind: "copyPart",
    source: copySource,
    uploadId: "0123",
    partNumber: 2,
    etag: ETAG,
    checksum: { algorithm: "CRC32", type: "FULL_OBJECT", value: "AAAAAA==" },
    start: 5_000_000_000,
    size: 5_242_880,
    body: { kind: "shared" },
  },
  renameObject: {
    kind: "renameObject",
    source: copySource,
    key: "new",
    body: { kind: "shared" },
    condition: { kind: "none" },
  },
  appendObject: {
    kind: "appendObject",
    source: copySource,
    offset: 100_000,
    listId: "n1.1-l",
    base: { kind: "stored", bodyId: "n1.1-0", size: 100_000 },
    body: { kind: "bytes", bytes: Buffer.from("more"), crc32c: 8 },
    etag: `${ETAG}-2`,
    pieceEtag: ETAG,
    attributes: noAttributes,
  },
  putObjectTags: { kind: "putObjectTags", bucket: "bucket", key: "k", version: undefined, tags },
  putVersionTags: {
    kind: "putObjectTags",
    bucket: "bucket",
    key: "k",
    version: { birthIndex: 1_000_000, birthSub: 299 },
    tags: [],
  },
  checkObject: { kind: "checkObject", bucket: "bucket", key: "k", condition: { kind: "absent" } },
  batch: {
    kind: "batch",
    steps: [
      {
        kind: "putObject",
        bucket: "bucket",
        key: "ключ",
        etag: ETAG,
        attributes,
        body: { kind: "bytes", bytes: Buffer.from("body"), crc32c: 0x89abcdef },
        condition: { kind: "absent" },
        tags,
      },
      { kind: "checkObject", bucket: "bucket", key: "k", condition: { kind: "etag", etag: "*" } },
      {
        kind: "copyObject",
        source: copySource,
        bucket: "bucket",
        key: "copy",
        etag: ETAG,
        attributes: noAttributes,
        tags: undefined,
        body: { kind: "bytes", bytes: Buffer.from("copied"), crc32c: 7 },
        condition: { kind: "none" },
      },
      {
        kind: "copyObject",
        source: copySource,
        bucket: "bucket",
        key: "shared",
        etag: ETAG,
        attributes: noAttributes,
        tags: [],
        body: { kind: "shared" },
        condition: { kind: "none" },
      },
      {
        kind: "putObject",
        bucket: "bucket",
        key: "empty",
        etag: ETAG,
        attributes: noAttributes,
        body: { kind: "empty" },
        condition: { kind: "none" },
      },
      { kind: "deleteObject", bucket: "bucket", key: "k", condition: { kind: "etag", etag: ETAG } },
    ],
  },
  batchOfVersions,
  putBucketSetting: {
    kind: "putBucketSetting",
    bucket: "bucket",
    name: "cors",
    document: '{"rules":["grün"]}',
  },
  deleteBucketSetting: { kind: "deleteBucketSetting", bucket: "bucket", name: "tagging" },
  putAccount: {
    kind: "putAccount",
    accountId: "alice",
    displayName: "Älice",
    accessKey: "alice-key",
    sealedSecret: Buffer.alloc(40, 0xa5),
  },
  deleteAccount: { kind: "deleteAccount", accountId: "alice" },
  putDataKey: { kind: "putDataKey", salt: Buffer.alloc(16, 0x11), sealedKey: Buffer.alloc(60, 0x22) },
  deleteVersion: {
    kind: "deleteVersion",
    bucket: "bucket",
    key: "k",
    version: { kind: "birth", birthIndex: 1_000_000, birthSub: 299 },
    condition: { kind: "none" },
  },
  deleteNullVersion: {
    kind: "deleteVersion",
    bucket: "bucket",
    key: "k",
    version: { kind: "null" },
    condition: { kind: "etag", etag: ETAG },
  },
  enableVersioning: { kind: "setVersioning", bucket: "bucket", versioning: "Enabled" },
  suspendVersioning: { kind: "setVersioning", bucket: "bucket", versioning: "Suspended" },
};

const bodies: Readonly<Record<string, BodyReference>> = {
  empty: { kind: "empty" },
  inline: { kind: "inline", bytes: Buffer.from("inline body") },
  record: { kind: "record", offset: 67_108_000, crc32c: 0xfedcba98 },
  stored: { kind: "stored", bodyId: "n1.1-zz" },
  parts: { kind: "parts", uploadId: "0123" },
  slice: { kind: "slice", base: { kind: "parts", uploadId: "0123" }, start: 5_000_000_000 },
  appended: { kind: "appended", listId: "n1.1-l", pieces: 300 },
};

const birth = { birthIndex: 1_000_000, birthSub: 299 };
const marker = { ...birth, hasVersionId: true, modifiedMs: 1_700_000_000_123 };
const object = { kind: "object" as const, row: Buffer.from("object row") };

const versionRows: Readonly<Record<string, Buffer>> = {
  "versioned bucket": rows.bucket.encode({
    id: 36,
    owner: "root",
    createdMs: 1_700_000_000_000,
    location: "",
    versioning: "Suspended",
  }),
  "counters of versions": rows.bucketCounters.encode({ objects: 1, bytes: 2, versions: 3, versionBytes: 4 }),
  marker: encodeMarker(marker),
  "null marker": encodeMarker({ ...marker, hasVersionId: false }),
  version: encodeVersion({ older: { ...birth, birthIndex: 1 }, newer: birth, version: object }),
  "version marker": encodeVersion({
    older: undefined,
    newer: undefined,
    version: { kind: "marker" as const, marker },
  }),
  history: encodeHistory({ newest: birth, nullVersion: { birthIndex: 7, birthSub: 0 } }),
  "history without null version": encodeHistory({ newest: birth, nullVersion: undefined }),
};

const otherRows: Readonly<Record<string, Buffer>> = {
  bucket: rows.bucket.encode({ id: 36, owner: "root", createdMs: 1_700_000_000_000, location: "" }),
  bucketCounters: rows.bucketCounters.encode({ objects: 3, bytes: 5_000_000_000_000 }),
  setting: rows.setting.encode({ document: '{"rules":["grün"]}' }),
  account: rows.account.encode({
    displayName: "Älice",
    accessKey: "alice-key",
    sealedSecret: Buffer.alloc(40, 0xa5),
  }),
  dataKey: rows.dataKey.encode({ salt: Buffer.alloc(16, 0x11), sealedKey: Buffer.alloc(60, 0x22) }),
  stage: rows.stage.encode({ incarnation: "n1.1", lastTimeMs: 1_700_000_000_000 }),
  body: rows.body.encode({ refs: 1, size: 20, extentCount: 2, extents: [5, 64, 30, 10, 6, 120, 30, 10] }),
  bodyExtents: rows.bodyExtents.encode({ extents: [261, 64, 30, 1_048_576] }),
  upload: rows.upload.encode({
    bucketId: 36,
    key: "k",
    owner: "root",
    initiatedMs: 1,
    attributes,
    checksum: { algorithm: "CRC32", type: "COMPOSITE" },
    revision: 2,
    partCount: 2,
    lastTimeMs: 2,
    completed: {
      etag: `${ETAG}-2`,
      size: 10,
      checksum: undefined,
      refs: 1,
      runs: [{ firstPart: 1, count: 2, size: 5 }],
    },
  }),
  openUpload: rows.openUpload.encode({ initiatedMs: 1, owner: "root", checksum: undefined }),
  part: rows.part.encode({
    size: 5,
    etag: ETAG,
    modifiedMs: 3,
    checksum: { algorithm: "SHA1", value: "x" },
    body: { kind: "record", offset: 200, crc32c: 9 },
    birthIndex: 12,
  }),
  piece: rows.part.encode({
    size: 5,
    etag: ETAG,
    modifiedMs: 3,
    checksum: undefined,
    body: { kind: "slice", base: { kind: "appended", listId: "n1.1-l", pieces: 3 }, start: 7 },
    birthIndex: 12,
    start: 100_000,
  }),
  append: rows.append.encode({ refs: 2, nesting: 1 }),
  tags: encodeTags(tags),
  reap: rows.reap.encode({ sinceMs: 4 }),
  segment: rows.segment.encode({
    firstIndex: 1,
    bytes: 67_108_864,
    entries: 1000,
    liveBytes: 66_000_000,
    cut: true,
    chainLow: chain.low,
    chainHigh: chain.high,
  }),
  ...coldRows,
  counter: rows.counter.encode({ value: 2 }),
  dates: rows.dates.encode({ offsetMs: -86_400_000, floorMs: 1_700_000_000_000 }),
  sealed: Buffer.from(sealRow("bucket/b", Buffer.from("row"))),
  mark: encodeMark({ number: 200_000, before: 1_000_000, after: 1_000_300 }),
};

function record(type: RecordType, payload: Uint8Array): Buffer {
  const buffer = Buffer.alloc(recordBytes(payload.length));
  buffer.set(payload, RECORD_HEADER_BYTES);
  sealRecord(buffer, 0, payload.length, { type, term: term(3), index: logIndex(1_000_000_007), chain });
  return buffer;
}

function segmentBytes(): Record<string, Buffer> {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
  writeSegmentHead(head, 0, { id: segmentId(12), firstIndex: logIndex(1_000_000_000), chain });
  const large = record(RecordType.chunk, Buffer.alloc(65_537, 0x5a));
  return {
    "segment head": head,
    "record noop": record(RecordType.noop, Buffer.alloc(0)),
    "record commands": record(RecordType.commands, Buffer.from("payload")),
    "record seal": record(RecordType.seal, Buffer.alloc(0)),
    "record of two blocks, header": large.subarray(0, RECORD_HEADER_BYTES),
    "record of two blocks, table": large.subarray(-8),
    footer: encodeFooter({
      firstIndex: logIndex(10),
      lastIndex: logIndex(12),
      endChain: chain,
      headersDigest: Buffer.alloc(32, 0xd1),
      payloadLengths: [0, 300, 70_000],
    }),
  };
}

function stateBytes(): Record<string, Buffer> {
  const found: Record<string, Buffer> = {};
  for (const [name, command] of Object.entries(commands)) {
    const writer = new ByteWriter(16);
    encodeCommand(writer, command);
    found[`command ${name}`] = writer.take();
  }
  const writer = new ByteWriter(16);
  encodeChunk(writer, chunkOf("n1.1-0", 300, Buffer.from("chunk")), 1_700_000_000_000);
  found["chunk"] = writer.take();
  for (const [name, body] of Object.entries(bodies)) {
    const birth = {
      modifiedMs: 1_700_000_000_123,
      size: 11,
      etag: ETAG,
      birthIndex: 1_000_000,
      birthSub: 299,
      hasVersionId: false,
      tagCount: 0,
    };
    found[`object ${name}`] = encodeObject({ ...birth, hasDetail: false, body, attributes });
    if (name !== "inline") continue;
    const tagged = { ...birth, hasDetail: false, hasVersionId: true, tagCount: 10, body, attributes };
    found["object with version id and tags"] = encodeObject(tagged);
    const large = { ...attributes, metadata: [["m", "x".repeat(300)] as const] };
    found["object with detail"] = encodeObject({ ...birth, hasDetail: true, body, attributes: large });
    found["detail"] = encodeDetail(large) as Buffer;
  }
  for (const [name, row] of Object.entries({ ...otherRows, ...versionRows })) found[`row ${name}`] = row;
  return found;
}

async function slotBytes(): Promise<Record<string, Buffer>> {
  const disk = new SimDisk();
  const vote = await VoteFile.open(disk, "vote");
  await vote.write({ term: term(7), votedFor: "n1" });
  const acked = await AckedFile.open(disk, "acked");
  await acked.write(logIndex(1_000_000_007));
  const slot = async (name: string, at: number): Promise<Buffer> =>
    Buffer.from((await disk.readFile(name)) as Uint8Array).subarray(at, at + 512);
  return {
    "vote, slot a": await slot("vote", 0),
    "vote, slot b": await slot("vote", 4096),
    acked: await slot("acked", 4096),
  };
}

const keyTexts: Readonly<Record<string, string>> = {
  meta: keys.meta("logTime"),
  bucket: keys.bucket("b"),
  count: keys.bucketCounters(36),
  setting: keys.setting(36, "cors"),
  account: keys.account("alice"),
  object: keys.object(36, "k/ü"),
  marker: keys.marker(36, "k/ü"),
  version: keys.version(36, "k/ü", birth),
  history: keys.history(36, "k/ü"),
  detail: keys.detail(1_000_000, 299),
  tags: keys.tags(1_000_000, 299),
  append: keys.append("n1.1-l"),
  body: keys.body("n1.1-0"),
  bodyExtents: keys.bodyExtents("n1.1-0", 37),
  stage: keys.stage("n1.1-0"),
  uploads: keys.uploads(36, "k", "0123"),
  upload: keys.upload("0123"),
  part: keys.part("0123", 10_000),
  reap: keys.reap("parts", "0123"),
  segment: keys.segment(61_000),
  condemned: keys.condemned("c/l/packed/0000000000061000-n1.7.seg"),
  mark: markKey(200_000),
};

/** Everything by name, as hex; keys as the text they are. */
export async function goldenBytes(): Promise<Readonly<Record<string, string>>> {
  const bytes = { ...segmentBytes(), ...stateBytes(), ...(await slotBytes()) };
  const hex = Object.entries(bytes).map(([name, value]) => [name, value.toString("hex")]);
  const texts = Object.entries(keyTexts).map(([name, text]) => [`key ${name}`, text]);
  return Object.fromEntries([...hex, ...texts]) as Record<string, string>;
}
