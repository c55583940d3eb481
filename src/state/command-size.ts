/**
 * How many bytes a command or a chunk takes in an entry at most, told without encoding it: lengths of names
 * are taken for the longest UTF-8 there is, every number for the longest varint. Never less than what
 * command-codec.ts writes, so what is admitted by it fits into a record.
 */
import { unreachable } from "../base/assert.ts";
import type { Attributes, StoredChecksum } from "./attributes.ts";
import type { Chunk, Command, CopyBody, CopyCommand, WriteCondition } from "./command.ts";
import { isColdCommand } from "./cold-codec.ts";
import type { ColdCommand } from "./cold-command.ts";
import type { SettingCommand } from "./setting-command.ts";
import { NO_TAGS } from "./tags.ts";
import type { TagSet } from "./tags.ts";

/** Bytes that UTF-8 needs for one unit of a string; two units of a pair need four together. */
const UNIT_BYTES = 3;
const VARINT_BYTES = 8;
/** Kind, numbers, lengths of texts: more than any command has of them. */
const FIELDS_BYTES = 128;

/** Log time and count of commands, before the first of them. */
export const ENTRY_HEAD_BYTES = 2 * VARINT_BYTES;

export function commandBytesMax(command: Command): number {
  switch (command.kind) {
    case "putObject": {
      const { bucket, key, etag, attributes, condition, body, tags } = command;
      const texts = UNIT_BYTES * (bucket.length + key.length + etag.length) + tagsBytes(tags);
      return FIELDS_BYTES + texts + attributesBytes(attributes) + conditionBytes(condition) + bodyBytes(body);
    }
    case "putPart": {
      const { uploadId, etag, checksum, body } = command;
      return (
        FIELDS_BYTES +
        UNIT_BYTES * (uploadId.length + etag.length) +
        checksumBytes(checksum) +
        bodyBytes(body)
      );
    }
    case "deleteVersion":
    case "checkObject":
    case "deleteObject": {
      const { bucket, key, condition } = command;
      return FIELDS_BYTES + UNIT_BYTES * (bucket.length + key.length) + conditionBytes(condition);
    }
    case "batch":
      // What leads to a body behind the steps is no more than what leads to one inside them.
      return command.steps.reduce((bytes, step) => bytes + commandBytesMax(step), FIELDS_BYTES);
    case "copyObject":
    case "copyPart":
    case "renameObject":
    case "appendObject":
      return FIELDS_BYTES + copyBytes(command);
    default:
      return FIELDS_BYTES + bodilessBytes(command);
  }
}

function bodilessBytes(
  command: Exclude<
    Command,
    | CopyCommand
    | { kind: "putObject" }
    | { kind: "putPart" }
    | { kind: "deleteObject" }
    | { kind: "deleteVersion" }
    | { kind: "checkObject" }
    | { kind: "batch" }
  >,
): number {
  switch (command.kind) {
    case "createBucket":
      return UNIT_BYTES * (command.name.length + command.owner.length + command.location.length);
    case "deleteBucket":
      return UNIT_BYTES * command.name.length;
    case "createUpload": {
      const { bucket, key, uploadId, owner, attributes } = command;
      const texts = bucket.length + key.length + uploadId.length + owner.length;
      return UNIT_BYTES * texts + attributesBytes(attributes) + tagsBytes(command.tags);
    }
    case "completeUpload": {
      const { uploadId, bucket, key, etag, runs, checksum, condition } = command;
      const texts = uploadId.length + bucket.length + key.length + etag.length;
      const numbers = 3 * VARINT_BYTES * runs.length;
      return UNIT_BYTES * texts + numbers + checksumBytes(checksum) + conditionBytes(condition);
    }
    case "abortUpload":
      return UNIT_BYTES * (command.uploadId.length + command.key.length);
    case "abortBody":
    case "reapBody":
      return UNIT_BYTES * command.bodyId.length;
    case "reapParts":
      return UNIT_BYTES * command.uploadId.length + VARINT_BYTES * command.partNumbers.length;
    case "putObjectTags":
      return UNIT_BYTES * (command.bucket.length + command.key.length) + tagsBytes(command.tags);
    case "setVersioning":
      return UNIT_BYTES * command.bucket.length;
    case "setDate":
    case "tick":
      return 0;
    case "dropSegments":
      return VARINT_BYTES * command.segmentIds.length;
    default:
      return isColdCommand(command) ? coldBytes(command) : settingBytes(command);
  }
}

function coldBytes(command: ColdCommand): number {
  switch (command.kind) {
    case "segmentOffloaded":
      return UNIT_BYTES * (command.copy.key.length + command.copy.sha256.length);
    case "condemnCold":
    case "pardonCold":
      return textsBytes(command.keys);
    case "beginLineage":
      return UNIT_BYTES * (command.lineage.length + command.parent.length);
    case "adoptLineages":
      return UNIT_BYTES * command.lineage.length + textsBytes(command.adopted);
    default:
      return unreachable(command);
  }
}

function textsBytes(texts: readonly string[]): number {
  return texts.reduce((bytes, text) => bytes + VARINT_BYTES + UNIT_BYTES * text.length, 0);
}

function settingBytes(command: SettingCommand): number {
  switch (command.kind) {
    case "putBucketSetting":
      return UNIT_BYTES * (command.bucket.length + command.document.length);
    case "deleteBucketSetting":
      return UNIT_BYTES * command.bucket.length;
    case "putAccount": {
      const { accountId, displayName, accessKey, sealedSecret } = command;
      return UNIT_BYTES * (accountId.length + displayName.length + accessKey.length) + sealedSecret.length;
    }
    case "deleteAccount":
      return UNIT_BYTES * command.accountId.length;
    case "putDataKey":
      return command.salt.length + command.sealedKey.length;
    default:
      return unreachable(command);
  }
}

function copyBytes(command: CopyCommand): number {
  const { source } = command;
  const path = UNIT_BYTES * (source.bucket.length + source.key.length);
  switch (command.kind) {
    case "copyObject": {
      const { bucket, key, etag, attributes, tags, condition, body } = command;
      const texts = UNIT_BYTES * (bucket.length + key.length + etag.length) + tagsBytes(tags);
      return path + texts + attributesBytes(attributes) + conditionBytes(condition) + bodyBytes(body);
    }
    case "copyPart": {
      const { uploadId, etag, checksum, body } = command;
      return path + UNIT_BYTES * (uploadId.length + etag.length) + checksumBytes(checksum) + bodyBytes(body);
    }
    case "renameObject":
      return (
        path + UNIT_BYTES * command.key.length + conditionBytes(command.condition) + bodyBytes(command.body)
      );
    case "appendObject": {
      const { listId, etag, pieceEtag, attributes, base, body } = command;
      const texts = UNIT_BYTES * (listId.length + etag.length + pieceEtag.length);
      return path + texts + attributesBytes(attributes) + bodyBytes(base) + bodyBytes(body);
    }
    default:
      return unreachable(command);
  }
}

export function chunkBytesMax(chunk: Chunk): number {
  return FIELDS_BYTES + UNIT_BYTES * (chunk.bodyId.length + chunk.incarnation.length) + chunk.length;
}

function attributesBytes({ headers, metadata, checksum }: Attributes): number {
  let bytes = checksumBytes(checksum);
  if (headers.length === 0 && metadata.length === 0) return bytes;
  for (const [, value] of headers) bytes += 1 + VARINT_BYTES + UNIT_BYTES * value.length;
  for (const [name, value] of metadata) {
    bytes += 2 * VARINT_BYTES + UNIT_BYTES * (name.length + value.length);
  }
  return bytes;
}

function checksumBytes(checksum: StoredChecksum | undefined): number {
  return checksum === undefined ? 0 : UNIT_BYTES * checksum.value.length;
}

function conditionBytes(condition: WriteCondition): number {
  return condition.kind === "etag" ? UNIT_BYTES * condition.etag.length : 0;
}

function tagsBytes(tags: TagSet | undefined): number {
  let bytes = 0;
  for (const [key, value] of tags ?? NO_TAGS)
    bytes += 2 * VARINT_BYTES + UNIT_BYTES * (key.length + value.length);
  return bytes;
}

function bodyBytes(body: CopyBody): number {
  if (body.kind === "bytes") return body.bytes.length;
  return body.kind === "stored" ? UNIT_BYTES * body.bodyId.length : 0;
}
