/**
 * Bytes of the commands about the cold tier: fields in order, behind the kind that command-codec.ts writes.
 */
import { FormatError } from "../base/bytes.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { unreachable } from "../base/assert.ts";
import type { ColdCommand } from "./cold-command.ts";
import { COLD_COPY_KINDS } from "./rows.ts";
import type { ColdCopy } from "./rows.ts";

/** Numbers for ever, out of the range that command-codec.ts gives to segments and the cold tier. */
export const ColdKind = {
  segmentOffloaded: 61,
  condemnCold: 62,
  pardonCold: 63,
  beginLineage: 64,
  adoptLineages: 65,
} as const satisfies Readonly<Record<ColdCommand["kind"], number>>;

export function isColdCommand<Other extends { readonly kind: string }>(
  command: Other | ColdCommand,
): command is ColdCommand {
  return Object.hasOwn(ColdKind, command.kind);
}

export function encodeCold(writer: ByteWriter, command: ColdCommand): void {
  switch (command.kind) {
    case "segmentOffloaded":
      writer.varint(command.segmentId);
      writer.varint(command.firstIndex);
      writer.varint(command.entries);
      return writeCopy(writer, command.copy);
    case "condemnCold":
    case "pardonCold":
      return writeTexts(writer, command.keys);
    case "beginLineage":
      writer.text(command.lineage);
      writer.text(command.parent);
      return writer.varint(command.cutIndex);
    case "adoptLineages":
      writer.text(command.lineage);
      return writeTexts(writer, command.adopted);
    default:
      return unreachable(command);
  }
}

/** `undefined`: none of these kinds. */
export function decodeCold(kind: number, reader: ByteReader): ColdCommand | undefined {
  switch (kind) {
    case ColdKind.segmentOffloaded:
      return {
        kind: "segmentOffloaded",
        segmentId: reader.varint(),
        firstIndex: reader.varint(),
        entries: reader.varint(),
        copy: readCopy(reader),
      };
    case ColdKind.condemnCold:
    case ColdKind.pardonCold: {
      const keys = readTexts(reader);
      return { kind: kind === ColdKind.condemnCold ? "condemnCold" : "pardonCold", keys };
    }
    case ColdKind.beginLineage:
      return {
        kind: "beginLineage",
        lineage: reader.text(),
        parent: reader.text(),
        cutIndex: reader.varint(),
      };
    case ColdKind.adoptLineages:
      return { kind: "adoptLineages", lineage: reader.text(), adopted: readTexts(reader) };
    default:
      return undefined;
  }
}

function writeTexts(writer: ByteWriter, texts: readonly string[]): void {
  writer.varint(texts.length);
  for (const text of texts) writer.text(text);
}

function readTexts(reader: ByteReader): readonly string[] {
  return Array.from({ length: reader.varint() }, () => reader.text());
}

function writeCopy(writer: ByteWriter, { kind, key, bytes, sha256 }: ColdCopy): void {
  writer.u8(COLD_COPY_KINDS.indexOf(kind));
  writer.text(key);
  writer.varint(bytes);
  writer.text(sha256);
}

function readCopy(reader: ByteReader): ColdCopy {
  const code = reader.u8();
  const kind = COLD_COPY_KINDS[code];
  if (kind === undefined) throw new FormatError(`unknown kind ${code} of a cold copy: from a newer version`);
  return { kind, key: reader.text(), bytes: reader.varint(), sha256: reader.text() };
}
