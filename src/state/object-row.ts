/**
 * The row of a current object. One row answers both LIST and GET:
 *
 *   "1"  u8 head length  head (ASCII): modifiedMs;size;listingCode;etag
 *   u8 flags (1 detail row, 2 version id of its own, then four bits: number of tags), birth index, birth
 *   number, size, u8 body kind, body reference, attributes (unless they stand in a detail row), inline body
 *
 * The head is text because a listing reads a thousand of these rows and LevelDB hands out strings a third
 * cheaper than buffers (0.98 against 1.45 ms per page of 1,001); what follows the head is binary, and a
 * listing never looks at it. Apply, on the other hand, reads only what follows. The birth position (log
 * index, number within the entry) identifies the object's version for ever.
 */
import { assert } from "../base/assert.ts";
import { ByteReader, ByteWriter, FormatError } from "../base/bytes.ts";
import { attributesBytesMax, listingCode, readAttributes, writeAttributes } from "./attributes.ts";
import type { Attributes } from "./attributes.ts";

/** Where an object's bytes are. Addresses name log positions and never change. */
export type BodyReference =
  | { readonly kind: "empty" }
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  /** In the record of the birth entry; `offset` counts from the start of its segment. */
  | { readonly kind: "record"; readonly offset: number; readonly crc32c: number }
  /** In chunk records, listed in rows of the body. */
  | { readonly kind: "stored"; readonly bodyId: string }
  /** In the parts of a completed upload; which ones is told by the row of the upload. */
  | { readonly kind: "parts"; readonly uploadId: string }
  /** A stretch of another body, from `start` on; whoever names it knows how long it is. */
  | { readonly kind: "slice"; readonly base: SharedBody; readonly start: number }
  /** In `pieces` that were appended one by one (apply-append.ts). */
  | { readonly kind: "appended"; readonly listId: string; readonly pieces: number };

/** A body with a row of its own, which counts who names it. */
export type SharedBody =
  | { readonly kind: "stored"; readonly bodyId: string }
  | { readonly kind: "parts"; readonly uploadId: string }
  | { readonly kind: "appended"; readonly listId: string; readonly pieces: number };

/** Bodies up to this size live in their row. */
export const INLINE_BODY_BYTES_MAX = 256;
/**
 * Attributes up to this size stand in the row; larger ones in a row of their own, so that LIST stays cheap.
 */
export const ROW_ATTRIBUTES_BYTES_MAX = 256;

const ObjectFlag = { detail: 1, versionId: 2 } as const;
const TAG_COUNT_SHIFT = 2;
const TAG_COUNT_MAX = 10;
const FLAGS_MAX = 0x3f;

/** The part of the row that listings show. */
export type ObjectHead = {
  readonly modifiedMs: number;
  readonly size: number;
  /** Without quotes: 32 hex digits, with `-N` for an object of N parts. */
  readonly etag: string;
  /** See `readListingCode`. */
  readonly listingCode: number;
};

/** The part of the row that apply reads of an object that is replaced. */
export type ObjectFootprint = {
  /** Whether the attributes stand in a detail row. */
  readonly hasDetail: boolean;
  /** Whether it was written while versioning was enabled: the version id is the birth, else "null". */
  readonly hasVersionId: boolean;
  /** Of the tags in the row beside it. */
  readonly tagCount: number;
  readonly birthIndex: number;
  readonly birthSub: number;
  readonly size: number;
  readonly body: BodyReference;
};

export type ObjectRow = ObjectFootprint & {
  readonly modifiedMs: number;
  readonly etag: string;
  /** `undefined` when they stand in the detail row. */
  readonly attributes: Attributes | undefined;
};

const LAYOUT = 0x31;
const SEPARATOR = 0x3b;
/** The position in this list is the code at rest: append only. */
const BODY_KINDS = ["empty", "inline", "record", "stored", "parts", "slice", "appended"] as const;
const attributesScratch = new ByteWriter(1024);

/** Rows are cut from slabs: they die together soon after, when the overlay is flushed. */
const SLAB_BYTES = 256 * 1024;
const ROW_BYTES_MAX = 128 + INLINE_BODY_BYTES_MAX + ROW_ATTRIBUTES_BYTES_MAX;
let slab = new ByteWriter(SLAB_BYTES);

/** What a row is made of. */
export type NewObject = ObjectRow & { readonly attributes: Attributes };

/** Parts `firstPart`, `firstPart + 1`, ... (`count` of them) of `size` bytes each. */
export type PartRun = { readonly firstPart: number; readonly count: number; readonly size: number };

let textedMs = -1;
let textOfMs = "";

/** Objects of one entry share their time: the text is made once. */
function timeText(ms: number): string {
  if (ms !== textedMs) {
    textedMs = ms;
    textOfMs = String(ms);
  }
  return textOfMs;
}

let encodedAttributes: Attributes | undefined;

/** Into the scratch; objects of one batch often share their attributes, which are then encoded once. */
function encodeAttributes(attributes: Attributes): void {
  if (attributes === encodedAttributes) return;
  encodedAttributes = undefined;
  attributesScratch.reset();
  writeAttributes(attributesScratch, attributes);
  encodedAttributes = attributes;
}

function flagsOf(object: ObjectFootprint): number {
  const { hasDetail, hasVersionId, tagCount } = object;
  assert(tagCount >= 0 && tagCount <= TAG_COUNT_MAX, `an object with ${tagCount} tags`);
  return (
    (hasDetail ? ObjectFlag.detail : 0) |
    (hasVersionId ? ObjectFlag.versionId : 0) |
    (tagCount << TAG_COUNT_SHIFT)
  );
}

function readFlags(reader: ByteReader): number {
  const flags = reader.u8();
  const isKnown = flags <= FLAGS_MAX && flags >> TAG_COUNT_SHIFT <= TAG_COUNT_MAX;
  if (!isKnown) throw new FormatError(`unknown flags ${flags} of an object row`);
  return flags;
}

export function encodeObject(object: NewObject): Buffer {
  const { body, attributes, hasDetail } = object;
  if (slab.length + ROW_BYTES_MAX > SLAB_BYTES) slab = new ByteWriter(SLAB_BYTES);
  const writer = slab;
  const start = writer.length;
  writer.u8(LAYOUT);
  writer.u8(0);
  // Piece by piece: joining them first would make a string only to take it apart again.
  writer.ascii(timeText(object.modifiedMs));
  writer.u8(SEPARATOR);
  writer.ascii(String(object.size));
  writer.u8(SEPARATOR);
  writer.ascii(String(listingCode(attributes)));
  writer.u8(SEPARATOR);
  writer.ascii(object.etag);
  writer.buffer[start + 1] = writer.length - start - 2;
  writer.u8(flagsOf(object));
  writer.varint(object.birthIndex);
  writer.varint(object.birthSub);
  writer.varint(object.size);
  writeBodyReference(writer, body);
  if (!hasDetail) {
    encodeAttributes(attributes);
    writer.bytes(attributesScratch.buffer.subarray(0, attributesScratch.length));
  }
  if (body.kind === "inline") writer.bytes(body.bytes);
  return writer.buffer.subarray(start, writer.length);
}

/** The detail row of attributes that do not fit into the row of their object; `undefined` if they do. */
export function encodeDetail(attributes: Attributes): Buffer | undefined {
  if (attributesBytesMax(attributes) <= ROW_ATTRIBUTES_BYTES_MAX) return undefined;
  encodeAttributes(attributes);
  if (attributesScratch.length <= ROW_ATTRIBUTES_BYTES_MAX) return undefined;
  const detail = Buffer.allocUnsafe(1 + attributesScratch.length);
  detail[0] = 1;
  attributesScratch.buffer.copy(detail, 1, 0, attributesScratch.length);
  return detail;
}

export function decodeDetail(bytes: Uint8Array): Attributes {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== 1) throw new FormatError("unknown layout of a detail row");
  return readAttributes(reader);
}

export function writePartRuns(writer: ByteWriter, runs: readonly PartRun[]): void {
  writer.varint(runs.length);
  for (const run of runs) {
    writer.varint(run.firstPart);
    writer.varint(run.count);
    writer.varint(run.size);
  }
}

export function readPartRuns(reader: ByteReader): readonly PartRun[] {
  const runs: PartRun[] = [];
  for (let count = reader.varint(); count > 0; count--) {
    runs.push({ firstPart: reader.varint(), count: reader.varint(), size: reader.varint() });
  }
  return runs;
}

export function writeBodyReference(writer: ByteWriter, body: BodyReference): void {
  writer.u8(BODY_KINDS.indexOf(body.kind));
  if (body.kind === "record") {
    writer.varint(body.offset);
    writer.u32(body.crc32c);
  } else if (body.kind === "stored") writer.text(body.bodyId);
  else if (body.kind === "parts") writer.text(body.uploadId);
  else if (body.kind === "slice") {
    writeBodyReference(writer, body.base);
    writer.varint(body.start);
  } else if (body.kind === "appended") {
    writer.text(body.listId);
    writer.varint(body.pieces);
  }
}

const NO_INLINE_YET: BodyReference = { kind: "inline", bytes: new Uint8Array(0) };

function readBodyReference(reader: ByteReader): BodyReference {
  const kind = BODY_KINDS[reader.u8()];
  switch (kind) {
    case "empty":
      return { kind };
    case "inline":
      return NO_INLINE_YET;
    case "record":
      return { kind, offset: reader.varint(), crc32c: reader.u32() };
    case "stored":
      return { kind, bodyId: reader.text() };
    case "parts":
      return { kind, uploadId: reader.text() };
    case "slice":
      return { kind, base: readSharedBody(reader), start: reader.varint() };
    case "appended":
      return { kind, listId: reader.text(), pieces: reader.varint() };
    default:
      throw new FormatError("unknown body kind");
  }
}

function readSharedBody(reader: ByteReader): SharedBody {
  const body = readBodyReference(reader);
  if (body.kind === "stored" || body.kind === "parts" || body.kind === "appended") return body;
  throw new FormatError(`a slice of a body that is ${body.kind}`);
}

/** The head of a row that was read as text, for listings. */
export function parseObjectHead(row: string): ObjectHead {
  const end = 2 + row.charCodeAt(1);
  const first = row.indexOf(";", 2);
  const second = row.indexOf(";", first + 1);
  const third = row.indexOf(";", second + 1);
  if (row.charCodeAt(0) !== LAYOUT || first < 0 || second < 0 || third < 0 || third > end) {
    throw new FormatError("an object row with a malformed head");
  }
  return {
    modifiedMs: Number(row.slice(2, first)),
    size: Number(row.slice(first + 1, second)),
    listingCode: Number(row.slice(second + 1, third)),
    etag: row.slice(third + 1, end),
  };
}

function readerBehindHead(bytes: Uint8Array): ByteReader {
  if (bytes[0] !== LAYOUT) throw new FormatError("unknown layout of an object row");
  return new ByteReader(bytes, 2 + (bytes[1] as number));
}

/** A row that is cut from a slab must not keep the whole slab alive through a cached body. */
function ownBytes(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * ROW_BYTES_MAX ? Buffer.from(bytes) : bytes;
}

/** What apply needs to know of the object that it replaces. */
export function decodeFootprint(bytes: Uint8Array): ObjectFootprint {
  const reader = readerBehindHead(bytes);
  const flags = readFlags(reader);
  return {
    hasDetail: (flags & ObjectFlag.detail) !== 0,
    hasVersionId: (flags & ObjectFlag.versionId) !== 0,
    tagCount: flags >> TAG_COUNT_SHIFT,
    birthIndex: reader.varint(),
    birthSub: reader.varint(),
    size: reader.varint(),
    body: readBodyReference(reader),
  };
}

function afterSeparator(buffer: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && buffer[at] !== SEPARATOR) at++;
  return at + 1;
}

export function decodeObject(bytes: Uint8Array): ObjectRow {
  const reader = readerBehindHead(bytes);
  const { buffer, offset: headEnd } = reader;
  let modifiedMs = 0;
  let at = 2;
  for (; at < headEnd && buffer[at] !== SEPARATOR; at++) {
    modifiedMs = modifiedMs * 10 + ((buffer[at] as number) - 0x30);
  }
  // Size and listing code are known from what follows the head.
  const etagAt = afterSeparator(buffer, afterSeparator(buffer, at + 1, headEnd), headEnd);
  const etag = buffer.toString("latin1", etagAt, headEnd);
  const flags = readFlags(reader);
  const hasDetail = (flags & ObjectFlag.detail) !== 0;
  const hasVersionId = (flags & ObjectFlag.versionId) !== 0;
  const tagCount = flags >> TAG_COUNT_SHIFT;
  const birthIndex = reader.varint();
  const birthSub = reader.varint();
  const size = reader.varint();
  let body = readBodyReference(reader);
  const attributes = hasDetail ? undefined : readAttributes(reader);
  if (body.kind === "inline") body = { kind: "inline", bytes: ownBytes(reader.bytes(reader.remaining)) };
  return {
    modifiedMs,
    etag,
    hasDetail,
    hasVersionId,
    tagCount,
    birthIndex,
    birthSub,
    size,
    body,
    attributes,
  };
}
