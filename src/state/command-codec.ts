/**
 * Bytes of commands and chunks inside log records. Payload of a commands entry: log time, count, then the
 * commands, each a kind byte and its fields, a body last. Kinds are numbers for ever: append only.
 * `encodeCommand` tells where a body landed, because the object's row will name that place.
 */
import { ByteReader, FormatError } from "../base/bytes.ts";
import type { ByteWriter } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { BatchKind, decodeBatch, encodeBatch } from "./batch-codec.ts";
import { ColdKind, decodeCold, encodeCold, isColdCommand } from "./cold-codec.ts";
import { checksumCode, checksumOfCode, readAttributes, writeAttributes } from "./attributes.ts";
import {
  readBody,
  readChecksum,
  readCondition,
  writeBody,
  writeChecksum,
  writeCondition,
} from "./command-fields.ts";
import type { Batch, Chunk, Command, CopyCommand } from "./command.ts";
import { CopyKind, decodeCopy, decodeObjectTags, encodeCopy, encodeObjectTags } from "./copy-codec.ts";
import { readPartRuns, writePartRuns } from "./object-row.ts";
import { SettingKind, decodeSetting, encodeSetting } from "./setting-codec.ts";
import { readTags, writeTags } from "./tags.ts";
import { VersionKind, decodeVersionCommand, encodeVersionCommand } from "./version-codec.ts";

const Kind = {
  createBucket: 1,
  deleteBucket: 2,
  putObject: 3,
  deleteObject: 4,
  ...SettingKind,
  createUpload: 5,
  putPart: 6,
  completeUpload: 7,
  abortUpload: 8,
  abortBody: 9,
  reapBody: 10,
  reapParts: 11,
  setDate: 12,
  tick: 13,
  ...VersionKind,
  ...CopyKind,
  putObjectTags: 31,
  ...BatchKind,
  dropSegments: 60,
  ...ColdKind,
} as const;

/** Tags, and behind them the command that they go with. */
const TAGGED = 30;

/** A command with the offset of its body within the payload (0 if it brings no bytes). */
export type PlacedCommand = { readonly command: Command; readonly bodyOffset: number };

/**
 * Appends one command; returns where its body starts in the writer, or 0. The caller rebases that to the
 * payload.
 */
export function encodeCommand(writer: ByteWriter, command: Command): number {
  if ((command.kind === "putObject" || command.kind === "createUpload") && command.tags !== undefined) {
    writer.u8(TAGGED);
    writeTags(writer, command.tags);
  }
  writer.u8(Kind[command.kind]);
  switch (command.kind) {
    case "copyObject":
    case "copyPart":
    case "renameObject":
    case "appendObject":
      return encodeCopy(writer, command);
    case "batch":
      return encodeBatch(writer, command, encodeCommand);
    case "putObject":
      writer.text(command.bucket);
      writer.text(command.key);
      writer.text(command.etag);
      writeAttributes(writer, command.attributes);
      writeCondition(writer, command.condition);
      return writeBody(writer, command.body);
    case "putPart":
      writer.text(command.uploadId);
      writer.varint(command.partNumber);
      writer.text(command.etag);
      writeChecksum(writer, command.checksum);
      return writeBody(writer, command.body);
    default:
      encodeBodiless(writer, command);
      return 0;
  }
}

function encodeBodiless(
  writer: ByteWriter,
  command: Exclude<Command, CopyCommand | Batch | { kind: "putObject" } | { kind: "putPart" }>,
): void {
  switch (command.kind) {
    case "putObjectTags":
      return encodeObjectTags(writer, command);
    case "createBucket":
      writer.text(command.name);
      writer.text(command.owner);
      return writer.text(command.location);
    case "deleteBucket":
      return writer.text(command.name);
    case "deleteObject":
    case "checkObject":
      writer.text(command.bucket);
      writer.text(command.key);
      return writeCondition(writer, command.condition);
    case "createUpload":
      writer.text(command.bucket);
      writer.text(command.key);
      writer.text(command.uploadId);
      writer.text(command.owner);
      writeAttributes(writer, command.attributes);
      return writer.u8(checksumCode(command.checksum?.algorithm, command.checksum?.type));
    case "completeUpload":
      return encodeComplete(writer, command);
    case "abortUpload":
      writer.text(command.uploadId);
      writer.varint(command.bucketId);
      writer.text(command.key);
      return writer.varint(command.idleSinceMs === undefined ? 0 : command.idleSinceMs + 1);
    case "abortBody":
      return writer.text(command.bodyId);
    case "reapBody":
      writer.text(command.bodyId);
      return writer.varint(command.page);
    case "reapParts":
      writer.text(command.uploadId);
      writer.varint(command.partNumbers.length);
      for (const partNumber of command.partNumbers) writer.varint(partNumber);
      return writer.u8((command.last ? 1 : 0) | (command.dropped ? 2 : 0));
    case "deleteVersion":
    case "setVersioning":
      return encodeVersionCommand(writer, command);
    case "setDate":
      return writer.varint(command.dateMs);
    case "tick":
      return;
    case "dropSegments":
      writer.varint(command.segmentIds.length);
      for (const id of command.segmentIds) writer.varint(id);
      return;
    default:
      return isColdCommand(command) ? encodeCold(writer, command) : encodeSetting(writer, command);
  }
}

function encodeComplete(writer: ByteWriter, command: Extract<Command, { kind: "completeUpload" }>): void {
  writer.text(command.uploadId);
  writer.varint(command.revision);
  writer.text(command.bucket);
  writer.text(command.key);
  writePartRuns(writer, command.runs);
  writer.varint(command.size);
  writer.text(command.etag);
  writeChecksum(writer, command.checksum);
  writeCondition(writer, command.condition);
}

/** Commands of a payload with the log time that the proposer stamped. */
export function decodeCommands(payload: Buffer): {
  readonly timeMs: number;
  readonly commands: readonly PlacedCommand[];
} {
  const reader = new ByteReader(payload);
  const timeMs = reader.varint();
  const commands: PlacedCommand[] = [];
  for (let count = reader.varint(); count > 0; count--) commands.push(decodeCommand(reader));
  assert(reader.remaining === 0, "bytes behind the last command of an entry");
  return { timeMs, commands };
}

function decodeCommand(reader: ByteReader): PlacedCommand {
  const kind = reader.u8();
  if (kind === TAGGED) {
    const tags = readTags(reader);
    const { command, bodyOffset } = decodeCommand(reader);
    if (command.kind !== "putObject" && command.kind !== "createUpload") {
      throw new FormatError(`tags in front of ${command.kind}`);
    }
    return { command: { ...command, tags }, bodyOffset };
  }
  if (kind === Kind.batch) return decodeBatch(reader, (steps) => decodeCommand(steps).command);
  if (kind >= CopyKind.copyObject && kind <= CopyKind.appendObject) return decodeCopy(kind, reader);
  if (kind === Kind.putObject) {
    const start = {
      kind: "putObject" as const,
      bucket: reader.text(),
      key: reader.text(),
      etag: reader.text(),
      attributes: readAttributes(reader),
      condition: readCondition(reader),
    };
    const { body, offset } = readBody(reader);
    return { command: { ...start, body }, bodyOffset: offset };
  }
  if (kind === Kind.putPart) {
    const start = {
      kind: "putPart" as const,
      uploadId: reader.text(),
      partNumber: reader.varint(),
      etag: reader.text(),
      checksum: readChecksum(reader),
    };
    const { body, offset } = readBody(reader);
    return { command: { ...start, body }, bodyOffset: offset };
  }
  return { command: decodeBodiless(kind, reader), bodyOffset: 0 };
}

function decodeBodiless(kind: number, reader: ByteReader): Command {
  switch (kind) {
    case Kind.createBucket:
      return { kind: "createBucket", name: reader.text(), owner: reader.text(), location: reader.text() };
    case Kind.deleteBucket:
      return { kind: "deleteBucket", name: reader.text() };
    case Kind.deleteObject:
    case Kind.checkObject:
      return {
        kind: kind === Kind.deleteObject ? "deleteObject" : "checkObject",
        bucket: reader.text(),
        key: reader.text(),
        condition: readCondition(reader),
      };
    case Kind.createUpload:
      return decodeCreateUpload(reader);
    case Kind.completeUpload:
      return decodeComplete(reader);
    case Kind.abortUpload: {
      const ids = { uploadId: reader.text(), bucketId: reader.varint(), key: reader.text() };
      const idle = reader.varint();
      return { kind: "abortUpload", ...ids, idleSinceMs: idle === 0 ? undefined : idle - 1 };
    }
    case Kind.abortBody:
      return { kind: "abortBody", bodyId: reader.text() };
    case Kind.reapBody:
      return { kind: "reapBody", bodyId: reader.text(), page: reader.varint() };
    case Kind.reapParts: {
      const uploadId = reader.text();
      const partNumbers = Array.from({ length: reader.varint() }, () => reader.varint());
      const bits = reader.u8();
      return { kind: "reapParts", uploadId, partNumbers, last: (bits & 1) === 1, dropped: bits >= 2 };
    }
    case Kind.putObjectTags:
      return decodeObjectTags(reader);
    case Kind.deleteVersion:
    case Kind.setVersioning:
      return decodeVersionCommand(kind, reader);
    case Kind.setDate:
      return { kind: "setDate", dateMs: reader.varint() };
    case Kind.tick:
      return { kind: "tick" };
    case Kind.dropSegments:
      return {
        kind: "dropSegments",
        segmentIds: Array.from({ length: reader.varint() }, () => reader.varint()),
      };
    default: {
      const other = decodeSetting(kind, reader) ?? decodeCold(kind, reader);
      if (other !== undefined) return other;
      throw new FormatError(`unknown command ${kind}: written by a newer version`);
    }
  }
}

function decodeCreateUpload(reader: ByteReader): Command {
  return {
    kind: "createUpload",
    bucket: reader.text(),
    key: reader.text(),
    uploadId: reader.text(),
    owner: reader.text(),
    attributes: readAttributes(reader),
    checksum: checksumOfCode(reader.u8()),
  };
}

function decodeComplete(reader: ByteReader): Command {
  return {
    kind: "completeUpload",
    uploadId: reader.text(),
    revision: reader.varint(),
    bucket: reader.text(),
    key: reader.text(),
    runs: readPartRuns(reader),
    size: reader.varint(),
    etag: reader.text(),
    checksum: readChecksum(reader),
    condition: readCondition(reader),
  };
}

/** Payload of a chunk record: log time, owner, bytes. Returns where the bytes start in the writer. */
export function encodeChunk(writer: ByteWriter, chunk: Chunk, timeMs: number): number {
  writer.varint(timeMs);
  writer.text(chunk.bodyId);
  writer.text(chunk.incarnation);
  writer.varint(chunk.sequence);
  const start = writer.length;
  for (const piece of chunk.pieces) writer.bytes(piece);
  return start;
}

export function decodeChunk(payload: Buffer): {
  readonly timeMs: number;
  readonly chunk: Chunk;
  readonly bodyOffset: number;
} {
  const reader = new ByteReader(payload);
  const timeMs = reader.varint();
  const names = { bodyId: reader.text(), incarnation: reader.text(), sequence: reader.varint() };
  const bodyOffset = reader.offset;
  const length = reader.remaining;
  return { timeMs, chunk: { ...names, pieces: [reader.bytes(length)], length }, bodyOffset };
}
