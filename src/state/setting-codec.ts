/**
 * Bytes of the commands about settings and accounts: fields in order, behind the kind that command-codec.ts
 * writes. A setting is named by text, and a name that this version does not know stops the node, like a kind
 * that it does not know.
 */
import { FormatError } from "../base/bytes.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { unreachable } from "../base/assert.ts";
import { BUCKET_SETTING_NAMES } from "./setting-command.ts";
import type { BucketSettingName, SettingCommand } from "./setting-command.ts";

/** Numbers for ever, out of the range that command-codec.ts gives to settings and accounts. */
export const SettingKind = {
  putBucketSetting: 40,
  deleteBucketSetting: 41,
  putAccount: 42,
  deleteAccount: 43,
  putDataKey: 44,
} as const satisfies Readonly<Record<SettingCommand["kind"], number>>;

export function encodeSetting(writer: ByteWriter, command: SettingCommand): void {
  switch (command.kind) {
    case "putBucketSetting":
      writer.text(command.bucket);
      writer.text(command.name);
      return writer.text(command.document);
    case "deleteBucketSetting":
      writer.text(command.bucket);
      return writer.text(command.name);
    case "putAccount":
      writer.text(command.accountId);
      writer.text(command.displayName);
      writer.text(command.accessKey);
      return writeSealed(writer, command.sealedSecret);
    case "deleteAccount":
      return writer.text(command.accountId);
    case "putDataKey":
      writeSealed(writer, command.salt);
      return writeSealed(writer, command.sealedKey);
    default:
      return unreachable(command);
  }
}

/** `undefined`: none of these kinds. */
export function decodeSetting(kind: number, reader: ByteReader): SettingCommand | undefined {
  switch (kind) {
    case SettingKind.putBucketSetting:
      return {
        kind: "putBucketSetting",
        bucket: reader.text(),
        name: readName(reader),
        document: reader.text(),
      };
    case SettingKind.deleteBucketSetting:
      return { kind: "deleteBucketSetting", bucket: reader.text(), name: readName(reader) };
    case SettingKind.putAccount:
      return {
        kind: "putAccount",
        accountId: reader.text(),
        displayName: reader.text(),
        accessKey: reader.text(),
        sealedSecret: readSealed(reader),
      };
    case SettingKind.deleteAccount:
      return { kind: "deleteAccount", accountId: reader.text() };
    case SettingKind.putDataKey:
      return { kind: "putDataKey", salt: readSealed(reader), sealedKey: readSealed(reader) };
    default:
      return undefined;
  }
}

function readName(reader: ByteReader): BucketSettingName {
  const text = reader.text();
  const name = BUCKET_SETTING_NAMES.find((known) => known === text);
  if (name === undefined) throw new FormatError(`unknown setting ${text}: written by a newer version`);
  return name;
}

function writeSealed(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

/** A copy: the window of the log that it was read from moves on. */
function readSealed(reader: ByteReader): Uint8Array {
  return Uint8Array.from(reader.bytes(reader.varint()));
}
