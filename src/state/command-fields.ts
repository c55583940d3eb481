/**
 * Fields that several commands share, as bytes: checksums, conditions, bodies. Their codes are numbers for
 * ever: append only.
 */
import { unreachable } from "../base/assert.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { checksumCode, checksumOfCode } from "./attributes.ts";
import type { StoredChecksum } from "./attributes.ts";
import type { CommandBody, WriteCondition } from "./command.ts";
import { INLINE_BODY_BYTES_MAX } from "./object-row.ts";

export function writeChecksum(writer: ByteWriter, checksum: StoredChecksum | undefined): void {
  writer.u8(checksumCode(checksum?.algorithm, checksum?.type));
  if (checksum !== undefined) writer.text(checksum.value);
}

export function readChecksum(reader: ByteReader): StoredChecksum | undefined {
  const sum = checksumOfCode(reader.u8());
  return sum === undefined ? undefined : { ...sum, value: reader.text() };
}

export function writeCondition(writer: ByteWriter, condition: WriteCondition): void {
  writer.u8(condition.kind === "none" ? 0 : condition.kind === "absent" ? 1 : 2);
  if (condition.kind === "etag") writer.text(condition.etag);
}

const NO_CONDITION: WriteCondition = { kind: "none" };

export function readCondition(reader: ByteReader): WriteCondition {
  const kind = reader.u8();
  if (kind === 0) return NO_CONDITION;
  return kind === 1 ? { kind: "absent" } : { kind: "etag", etag: reader.text() };
}

export function writeBody(writer: ByteWriter, body: CommandBody): number {
  switch (body.kind) {
    case "empty":
      writer.u8(0);
      return 0;
    case "bytes": {
      writer.u8(1);
      writer.u32(body.crc32c);
      writer.varint(body.bytes.length);
      const start = writer.length;
      writer.bytes(body.bytes);
      return start;
    }
    case "stored":
      writer.u8(2);
      writer.text(body.bodyId);
      writer.varint(body.size);
      return 0;
    default:
      return unreachable(body);
  }
}

export function readBody(reader: ByteReader): { readonly body: CommandBody; readonly offset: number } {
  const kind = reader.u8();
  if (kind === 0) return { body: { kind: "empty" }, offset: 0 };
  if (kind === 2)
    return { body: { kind: "stored", bodyId: reader.text(), size: reader.varint() }, offset: 0 };
  const crc = reader.u32();
  const length = reader.varint();
  const offset = reader.offset;
  const view = reader.bytes(length);
  // A tiny body stays in memory with its object; the window of the log that it was read from moves on.
  const bytes = length <= INLINE_BODY_BYTES_MAX ? Buffer.from(view) : view;
  return { body: { kind: "bytes", bytes, crc32c: crc }, offset };
}
