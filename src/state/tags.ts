/**
 * Tags of an object: a short list of keys and values beside its row, under its birth. They may change while
 * the object stays what it is, so they are no part of its attributes; how many there are stands in its flags.
 */
import { ByteReader, ByteWriter, FormatError } from "../base/bytes.ts";

export type TagSet = readonly (readonly [key: string, value: string])[];

export const NO_TAGS: TagSet = [];
const LAYOUT = 1;

export function writeTags(writer: ByteWriter, tags: TagSet): void {
  writer.varint(tags.length);
  for (const [key, value] of tags) {
    writer.text(key);
    writer.text(value);
  }
}

export function readTags(reader: ByteReader): TagSet {
  return Array.from({ length: reader.varint() }, () => [reader.text(), reader.text()] as const);
}

/** The row of a set of tags. */
export function encodeTags(tags: TagSet): Buffer {
  const writer = new ByteWriter(256);
  writer.u8(LAYOUT);
  writeTags(writer, tags);
  return writer.take();
}

export function decodeTags(bytes: Uint8Array): TagSet {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== LAYOUT) throw new FormatError("unknown layout of a row of tags");
  return readTags(reader);
}
