/**
 * Rows of versions that are not current objects:
 *
 *   marker/   u8 layout, marker
 *   version/  u8 layout, link to the older one, link to the newer one, u8 kind, object row or marker
 *   history/  u8 layout, birth of the newest one, birth of the one without an id or 0
 *
 * A marker is u8 flags (1 version id of its own), birth, time. A birth is two varints; a log index is never
 * 0, so an index of 0 is "none". Noncurrent versions of a key are a doubly linked list by their births, which
 * `history/` begins: whatever happens to a version touches its neighbours and nothing else.
 */
import { ByteReader, ByteWriter, FormatError } from "../base/bytes.ts";
import type { Birth } from "./version-id.ts";

/** What a deletion without a version id leaves where versions are kept. */
export type DeleteMarker = Birth & { readonly hasVersionId: boolean; readonly modifiedMs: number };

export type OlderVersion =
  | { readonly kind: "object"; readonly row: Uint8Array }
  | { readonly kind: "marker"; readonly marker: DeleteMarker };

export type VersionRow = {
  readonly older: Birth | undefined;
  readonly newer: Birth | undefined;
  readonly version: OlderVersion;
};

/** There is one while a key has versions that are not current. */
export type HistoryRow = {
  readonly newest: Birth;
  readonly nullVersion: Birth | undefined;
};

const LAYOUT = 1;
const VERSION_KINDS = ["object", "marker"] as const;
const MarkerFlag = { versionId: 1 } as const;
const scratch = new ByteWriter(1024);

function begin(): ByteWriter {
  scratch.reset();
  scratch.u8(LAYOUT);
  return scratch;
}

function readerOf(bytes: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== LAYOUT) throw new FormatError(`unknown layout of a ${what} row`);
  return reader;
}

function writeBirth(writer: ByteWriter, birth: Birth | undefined): void {
  writer.varint(birth?.birthIndex ?? 0);
  if (birth !== undefined) writer.varint(birth.birthSub);
}

function readBirth(reader: ByteReader): Birth | undefined {
  const birthIndex = reader.varint();
  return birthIndex === 0 ? undefined : { birthIndex, birthSub: reader.varint() };
}

function readSomeBirth(reader: ByteReader): Birth {
  const birth = readBirth(reader);
  if (birth === undefined) throw new FormatError("a birth is missing");
  return birth;
}

function writeMarker(writer: ByteWriter, marker: DeleteMarker): void {
  writer.u8(marker.hasVersionId ? MarkerFlag.versionId : 0);
  writeBirth(writer, marker);
  writer.varint(marker.modifiedMs);
}

function readMarker(reader: ByteReader): DeleteMarker {
  const flags = reader.u8();
  if (flags > MarkerFlag.versionId) throw new FormatError(`unknown flags ${flags} of a delete marker`);
  const { birthIndex, birthSub } = readSomeBirth(reader);
  const hasVersionId = flags === MarkerFlag.versionId;
  return { birthIndex, birthSub, hasVersionId, modifiedMs: reader.varint() };
}

export function encodeMarker(marker: DeleteMarker): Buffer {
  const writer = begin();
  writeMarker(writer, marker);
  return writer.take();
}

export function decodeMarker(bytes: Uint8Array): DeleteMarker {
  return readMarker(readerOf(bytes, "marker"));
}

export function encodeVersion({ older, newer, version }: VersionRow): Buffer {
  const writer = begin();
  writeBirth(writer, older);
  writeBirth(writer, newer);
  writer.u8(VERSION_KINDS.indexOf(version.kind));
  if (version.kind === "object") writer.bytes(version.row);
  else writeMarker(writer, version.marker);
  return writer.take();
}

export function decodeVersion(bytes: Uint8Array): VersionRow {
  const reader = readerOf(bytes, "version");
  const links = { older: readBirth(reader), newer: readBirth(reader) };
  const kind = VERSION_KINDS[reader.u8()];
  if (kind === undefined) throw new FormatError("unknown kind of a version");
  if (kind === "marker") return { ...links, version: { kind, marker: readMarker(reader) } };
  return { ...links, version: { kind, row: reader.bytes(reader.remaining) } };
}

export function encodeHistory(history: HistoryRow): Buffer {
  const writer = begin();
  writeBirth(writer, history.newest);
  writeBirth(writer, history.nullVersion);
  return writer.take();
}

export function decodeHistory(bytes: Uint8Array): HistoryRow {
  const reader = readerOf(bytes, "history");
  return { newest: readSomeBirth(reader), nullVersion: readBirth(reader) };
}
