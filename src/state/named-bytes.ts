/**
 * Which bytes of the log a row names: what is live, byte for byte, and the same bytes that apply counts in
 * the segment table. Whoever drops the others asks here about every row of the index. A new kind of row that
 * names bytes is added here; until it is, the sums differ, and nothing is dropped.
 */
import { decodeObject } from "./object-row.ts";
import type { BodyReference } from "./object-row.ts";
import { rows, unpackExtents } from "./rows.ts";
import type { Extent } from "./rows.ts";
import { decodeVersion } from "./version-row.ts";

export type NamedBytes =
  /** A small body; `offset` counts from the start of its segment. */
  | {
      readonly kind: "body";
      readonly index: number;
      readonly offset: number;
      readonly length: number;
      readonly crc32c: number;
    }
  /** A chunk: the record with it is kept as a whole. */
  | { readonly kind: "chunk"; readonly index: number; readonly extent: Extent };

export function namedBytes(key: string, value: Uint8Array): readonly NamedBytes[] {
  switch (key.slice(0, key.indexOf("/"))) {
    case "object":
      return ofObject(value);
    case "version": {
      const { version } = decodeVersion(value);
      return version.kind === "object" ? ofObject(version.row) : [];
    }
    case "part": {
      const part = rows.part.decode(value);
      return ofBody(part.body, part.birthIndex, part.size);
    }
    case "body":
      return ofExtents(key.split("/").length > 2 ? rows.bodyExtents.decode(value) : rows.body.decode(value));
    default:
      return [];
  }
}

function ofObject(row: Uint8Array): readonly NamedBytes[] {
  const { body, birthIndex, size } = decodeObject(row);
  return ofBody(body, birthIndex, size);
}

function ofBody(body: BodyReference, index: number, length: number): readonly NamedBytes[] {
  if (body.kind !== "record") return [];
  return [{ kind: "body", index, offset: body.offset, length, crc32c: body.crc32c }];
}

function ofExtents({ extents }: { readonly extents: readonly number[] }): readonly NamedBytes[] {
  return unpackExtents(extents).map((extent) => ({ kind: "chunk", index: extent.index, extent }));
}

export function lengthOf(named: NamedBytes): number {
  return named.kind === "body" ? named.length : named.extent.length;
}
