/**
 * Bytes of the commands that take from an object that is there already: copies, copied parts, renames,
 * appends; and of tags. They are called by command-codec.ts, which owns the numbers of the kinds.
 */
import { unreachable } from "../base/assert.ts";
import { FormatError } from "../base/bytes.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { readAttributes, writeAttributes } from "./attributes.ts";
import {
  readBody,
  readChecksum,
  readCondition,
  writeBody,
  writeChecksum,
  writeCondition,
} from "./command-fields.ts";
import type { AppendObject, CopyBody, CopyCommand, CopyPart, CopySource, PutObjectTags } from "./command.ts";
import { readTags, writeTags } from "./tags.ts";

export const CopyKind = {
  copyObject: 20,
  copyPart: 21,
  renameObject: 22,
  appendObject: 23,
} as const;

/** Behind the kinds of bodies that every command may have. */
const SHARED_BODY = 3;

type Placed<Body> = { readonly body: Body; readonly offset: number };

function writeSource(writer: ByteWriter, source: CopySource): void {
  writer.text(source.bucket);
  writer.text(source.key);
  writer.varint(source.birthIndex);
  writer.varint(source.birthSub);
}

function readSource(reader: ByteReader): CopySource {
  const path = { bucket: reader.text(), key: reader.text() };
  return { ...path, birthIndex: reader.varint(), birthSub: reader.varint() };
}

function writeCopyBody(writer: ByteWriter, body: CopyBody): number {
  if (body.kind !== "shared") return writeBody(writer, body);
  writer.u8(SHARED_BODY);
  return 0;
}

function readCopyBody(reader: ByteReader): Placed<CopyBody> {
  if (reader.buffer[reader.offset] !== SHARED_BODY) return readBody(reader);
  reader.u8();
  return { body: { kind: "shared" }, offset: 0 };
}

/** Behind the kind; returns where the body starts in the writer, or 0. */
export function encodeCopy(writer: ByteWriter, command: CopyCommand): number {
  writeSource(writer, command.source);
  switch (command.kind) {
    case "copyObject":
      writer.text(command.bucket);
      writer.text(command.key);
      writer.text(command.etag);
      writeAttributes(writer, command.attributes);
      writer.u8(command.tags === undefined ? 0 : 1);
      if (command.tags !== undefined) writeTags(writer, command.tags);
      writeCondition(writer, command.condition);
      return writeCopyBody(writer, command.body);
    case "copyPart":
      writer.text(command.uploadId);
      writer.varint(command.partNumber);
      writer.text(command.etag);
      writeChecksum(writer, command.checksum);
      writer.varint(command.start);
      writer.varint(command.size);
      return writeCopyBody(writer, command.body);
    case "renameObject":
      writer.text(command.key);
      writeCondition(writer, command.condition);
      return writeCopyBody(writer, command.body);
    case "appendObject":
      writer.varint(command.offset);
      writer.text(command.listId);
      writer.text(command.etag);
      writer.text(command.pieceEtag);
      writeAttributes(writer, command.attributes);
      writeBody(writer, command.base);
      return writeBody(writer, command.body);
    default:
      return unreachable(command);
  }
}

export function decodeCopy(
  kind: number,
  reader: ByteReader,
): { readonly command: CopyCommand; readonly bodyOffset: number } {
  const source = readSource(reader);
  switch (kind) {
    case CopyKind.copyObject: {
      const target = { bucket: reader.text(), key: reader.text(), etag: reader.text() };
      const attributes = readAttributes(reader);
      const tags = reader.u8() === 0 ? undefined : readTags(reader);
      const start = { kind: "copyObject" as const, source, ...target, attributes, tags };
      const condition = readCondition(reader);
      const { body, offset } = readCopyBody(reader);
      return { command: { ...start, condition, body }, bodyOffset: offset };
    }
    case CopyKind.copyPart:
      return decodeCopyPart(reader, source);
    case CopyKind.renameObject: {
      const start = { kind: "renameObject" as const, source, key: reader.text() };
      const condition = readCondition(reader);
      const { body, offset } = readCopyBody(reader);
      return { command: { ...start, condition, body }, bodyOffset: offset };
    }
    case CopyKind.appendObject:
      return decodeAppend(reader, source);
    default:
      throw new FormatError(`unknown command ${kind}: written by a newer version`);
  }
}

function decodeCopyPart(
  reader: ByteReader,
  source: CopySource,
): { readonly command: CopyPart; readonly bodyOffset: number } {
  const part = { uploadId: reader.text(), partNumber: reader.varint(), etag: reader.text() };
  const checksum = readChecksum(reader);
  const range = { start: reader.varint(), size: reader.varint() };
  const { body, offset } = readCopyBody(reader);
  return { command: { kind: "copyPart", source, ...part, checksum, ...range, body }, bodyOffset: offset };
}

function decodeAppend(
  reader: ByteReader,
  source: CopySource,
): { readonly command: AppendObject; readonly bodyOffset: number } {
  const place = { offset: reader.varint(), listId: reader.text() };
  const etags = { etag: reader.text(), pieceEtag: reader.text() };
  const attributes = readAttributes(reader);
  const { body: base } = readBody(reader);
  if (base.kind === "bytes") throw new FormatError("an append that brings the bytes so far");
  const { body, offset } = readBody(reader);
  const command = { kind: "appendObject" as const, source, ...place, ...etags, attributes, base, body };
  return { command, bodyOffset: offset };
}

export function encodeObjectTags(writer: ByteWriter, command: PutObjectTags): void {
  writer.text(command.bucket);
  writer.text(command.key);
  const { version } = command;
  writer.u8(version === undefined ? 0 : 1);
  if (version !== undefined) {
    writer.varint(version.birthIndex);
    writer.varint(version.birthSub);
  }
  writeTags(writer, command.tags);
}

export function decodeObjectTags(reader: ByteReader): PutObjectTags {
  const path = { bucket: reader.text(), key: reader.text() };
  const hasVersion = reader.u8() === 1;
  const version = hasVersion ? { birthIndex: reader.varint(), birthSub: reader.varint() } : undefined;
  return { kind: "putObjectTags", ...path, version, tags: readTags(reader) };
}
