/**
 * The row of a current object. One row answers both LIST and GET:
 *
 *   "1"  u8 head length  head (ASCII): flags;modifiedMs;size;etag;birthIndex;birthSub;checksumCode
 *   u8 body kind, body reference, attributes (unless they stand in a detail row), inline body
 *
 * The head is text because a listing reads a thousand of these rows and LevelDB hands out strings a third
 * cheaper than buffers (0.98 against 1.45 ms per page of 1,001); what follows the head may be binary, a listing
 * never looks at it. The birth position (log index, number within the entry) identifies the object's version
 * for ever.
 */
import { ByteReader, ByteWriter, FormatError } from "../base/bytes.ts";
import { checksumCode, readAttributes, writeAttributes } from "./attributes.ts";
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
  | { readonly kind: "parts"; readonly uploadId: string };

/** Bodies up to this size live in their row. */
export const INLINE_BODY_BYTES_MAX = 256;
/** Attributes up to this size stand in the row; larger ones in a row of their own, so that LIST stays cheap. */
export const ROW_ATTRIBUTES_BYTES_MAX = 256;

export const ObjectFlag = { detail: 1 } as const;

/** The part of the row that listings show. */
export type ObjectHead = {
  readonly flags: number;
  readonly modifiedMs: number;
  readonly size: number;
  /** Without quotes: 32 hex digits, with `-N` for an object of N parts. */
  readonly etag: string;
  readonly birthIndex: number;
  readonly birthSub: number;
  readonly checksumCode: number;
};

export type ObjectRow = ObjectHead & {
  readonly body: BodyReference;
  /** `undefined` when they stand in the detail row. */
  readonly attributes: Attributes | undefined;
};

const BODY_KINDS = ["empty", "inline", "record", "stored", "parts"] as const;
const scratch = new ByteWriter(1024);
const attributesScratch = new ByteWriter(1024);

export type EncodedObject = { readonly row: Buffer; readonly detail: Buffer | undefined };

export type NewObject = Omit<ObjectHead, "flags" | "checksumCode"> & {
  readonly body: BodyReference;
  readonly attributes: Attributes;
};

/** Parts `firstPart`, `firstPart + 1`, ... (`count` of them) of `size` bytes each. */
export type PartRun = { readonly firstPart: number; readonly count: number; readonly size: number };

export function encodeObject(object: NewObject): EncodedObject {
  const { body, attributes } = object;
  attributesScratch.reset();
  writeAttributes(attributesScratch, attributes);
  const hasDetail = attributesScratch.length > ROW_ATTRIBUTES_BYTES_MAX;
  const sum = checksumCode(attributes.checksum?.algorithm, attributes.checksum?.type);
  const head =
    `${hasDetail ? ObjectFlag.detail : 0};${object.modifiedMs};${object.size};${object.etag};` +
    `${object.birthIndex};${object.birthSub};${sum}`;
  scratch.reset();
  scratch.u8(0x31);
  scratch.u8(head.length);
  scratch.ascii(head);
  writeBodyReference(scratch, body);
  if (!hasDetail) scratch.bytes(attributesScratch.buffer.subarray(0, attributesScratch.length));
  if (body.kind === "inline") scratch.bytes(body.bytes);
  return { row: scratch.take(), detail: hasDetail ? encodeDetail() : undefined };
}

/** The attributes that were just written to their scratch, behind a layout byte. */
function encodeDetail(): Buffer {
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
}

function readBodyReference(reader: ByteReader): BodyReference {
  const kind = BODY_KINDS[reader.u8()];
  switch (kind) {
    case "empty":
      return { kind };
    case "inline":
      return { kind, bytes: reader.buffer.subarray(0, 0) };
    case "record":
      return { kind, offset: reader.varint(), crc32c: reader.u32() };
    case "stored":
      return { kind, bodyId: reader.text() };
    case "parts":
      return { kind, uploadId: reader.text() };
    default:
      throw new FormatError("unknown body kind");
  }
}

/** The head of a row that was read as text, for listings. */
export function parseObjectHead(row: string): ObjectHead {
  if (row.charCodeAt(0) !== 0x31) throw new FormatError("unknown layout of an object row");
  const fields = row.slice(2, 2 + row.charCodeAt(1)).split(";");
  if (fields.length !== 7) throw new FormatError("an object row with a malformed head");
  return {
    flags: Number(fields[0]),
    modifiedMs: Number(fields[1]),
    size: Number(fields[2]),
    etag: fields[3] as string,
    birthIndex: Number(fields[4]),
    birthSub: Number(fields[5]),
    checksumCode: Number(fields[6]),
  };
}

/** What apply needs to know of the object that it replaces. */
export function decodeFootprint(bytes: Uint8Array): ObjectHead & { readonly body: BodyReference } {
  const reader = new ByteReader(bytes);
  const head = readHead(reader);
  return { ...head, body: readBodyReference(reader) };
}

export function decodeObject(bytes: Uint8Array): ObjectRow {
  const reader = new ByteReader(bytes);
  const head = readHead(reader);
  let body = readBodyReference(reader);
  const attributes = head.flags & ObjectFlag.detail ? undefined : readAttributes(reader);
  if (body.kind === "inline") body = { kind: "inline", bytes: reader.bytes(reader.remaining) };
  return { ...head, body, attributes };
}

function readHead(reader: ByteReader): ObjectHead {
  const headEnd = 2 + (reader.buffer[1] as number);
  const head = parseObjectHead(reader.buffer.toString("latin1", 0, headEnd));
  reader.offset = headEnd;
  return head;
}
