/**
 * Bytes of the commands of versioning.
 */
import { unreachable } from "../base/assert.ts";
import { FormatError } from "../base/bytes.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { readCondition, writeCondition } from "./command-fields.ts";
import type { VersionCommand } from "./command.ts";
import type { Versioning } from "./rows.ts";
import { parseVersionId, versionNameText } from "./version-id.ts";
import type { VersionName } from "./version-id.ts";

export const VersionKind = { deleteVersion: 14, setVersioning: 15 } as const;

const VERSIONING = ["Enabled", "Suspended"] as const satisfies readonly Versioning[];

export function encodeVersionCommand(writer: ByteWriter, command: VersionCommand): void {
  writer.text(command.bucket);
  switch (command.kind) {
    case "deleteVersion":
      writer.text(command.key);
      writer.text(versionNameText(command.version));
      return writeCondition(writer, command.condition);
    case "setVersioning":
      return writer.u8(VERSIONING.indexOf(command.versioning));
    default:
      return unreachable(command);
  }
}

export function decodeVersionCommand(kind: 14 | 15, reader: ByteReader): VersionCommand {
  const bucket = reader.text();
  if (kind === VersionKind.setVersioning) {
    return { kind: "setVersioning", bucket, versioning: readVersioning(reader) };
  }
  return {
    kind: "deleteVersion",
    bucket,
    key: reader.text(),
    version: readVersionName(reader),
    condition: readCondition(reader),
  };
}

function readVersionName(reader: ByteReader): VersionName {
  const text = reader.text();
  const version = parseVersionId(text);
  if (version === undefined) throw new FormatError(`no version is called ${text}`);
  return version;
}

function readVersioning(reader: ByteReader): Versioning {
  const versioning = VERSIONING[reader.u8()];
  if (versioning === undefined) throw new FormatError("unknown state of versioning");
  return versioning;
}
