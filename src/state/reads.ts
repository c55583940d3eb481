/**
 * The keys that applying a command will read, so that a driver can fetch them in threads while the entry is
 * still on its way to the disk (RULES.md R4). A key too few costs a blocking read, never a wrong answer.
 */
import type { BucketEntry, BucketTable } from "./bucket-table.ts";
import type { Command, CopyCommand } from "./command.ts";
import { keys, versionKeyBeside } from "./keys.ts";
import { decodeFootprint } from "./object-row.ts";
import { BUCKET_SETTING_NAMES } from "./setting-command.ts";
import type { StoredObject } from "./stored-object.ts";
import { decodeHistory } from "./version-row.ts";

/** First round: what the command names itself. */
export function readsOf(command: Command, buckets: BucketTable): readonly string[] {
  switch (command.kind) {
    case "putObject":
    case "deleteObject":
    case "deleteVersion":
    case "completeUpload": {
      const bucket = buckets.find(command.bucket);
      const wanted = bucket === undefined ? [] : readsOfKey(bucket, command.key);
      if (command.kind === "completeUpload") wanted.push(keys.upload(command.uploadId));
      if (command.kind === "putObject" && command.body.kind === "stored") {
        wanted.push(keys.body(command.body.bodyId), keys.stage(command.body.bodyId));
      }
      if (command.kind === "deleteVersion" && bucket !== undefined && command.version.kind === "birth") {
        wanted.push(keys.version(bucket.row.id, command.key, command.version));
      }
      return wanted;
    }
    case "checkObject": {
      const bucket = buckets.find(command.bucket);
      return bucket === undefined ? [] : [keys.object(bucket.row.id, command.key)];
    }
    case "batch":
      return command.steps.flatMap((step) => readsOf(step, buckets));
    case "copyObject":
    case "copyPart":
    case "renameObject":
    case "appendObject":
      return readsOfCopy(command, buckets);
    case "putObjectTags": {
      const bucket = buckets.find(command.bucket);
      return bucket === undefined ? [] : [keys.object(bucket.row.id, command.key)];
    }
    case "putPart":
      return [keys.upload(command.uploadId), keys.part(command.uploadId, command.partNumber)];
    case "abortUpload":
      return [keys.upload(command.uploadId)];
    case "reapParts":
      return command.partNumbers.map((partNumber) => keys.part(command.uploadId, partNumber));
    case "abortBody":
    case "reapBody":
      return [keys.body(command.bodyId)];
    case "deleteBucket": {
      const bucket = buckets.find(command.name);
      if (bucket === undefined) return [];
      return BUCKET_SETTING_NAMES.map((name) => keys.setting(bucket.row.id, name));
    }
    case "createBucket":
    case "putBucketSetting":
    case "deleteBucketSetting":
    case "putAccount":
    case "deleteAccount":
    case "putDataKey":
    case "createUpload":
    case "setVersioning":
    case "setDate":
    case "tick":
    case "dropSegments":
    case "segmentOffloaded":
    case "beginLineage":
      return [];
    case "adoptLineages":
      return [keys.meta("lineage")];
    case "condemnCold":
    case "pardonCold":
      return command.keys.map(keys.condemned);
  }
}

function readsOfCopy(command: CopyCommand, buckets: BucketTable): readonly string[] {
  const { source, body } = command;
  const from = buckets.find(source.bucket);
  const wanted = from === undefined ? [] : readsOfKey(from, source.key);
  if (body.kind === "stored") wanted.push(keys.body(body.bodyId), keys.stage(body.bodyId));
  if (command.kind === "copyPart") {
    wanted.push(keys.upload(command.uploadId), keys.part(command.uploadId, command.partNumber));
  } else if (command.kind === "copyObject") {
    const to = buckets.find(command.bucket);
    if (to !== undefined) wanted.push(...readsOfKey(to, command.key));
  } else if (command.kind === "renameObject" && from !== undefined) {
    wanted.push(...readsOfKey(from, command.key));
  }
  return wanted;
}

function readsOfKey(bucket: BucketEntry, key: string): string[] {
  const { id, versioning } = bucket.row;
  const object = keys.object(id, key);
  return versioning === undefined ? [object] : [object, keys.marker(id, key), keys.history(id, key)];
}

/** Second round: what an object that will be replaced names. */
export function readsOfObject(object: StoredObject | Uint8Array): readonly string[] {
  const { body } = object instanceof Uint8Array ? decodeFootprint(object) : object;
  if (body.kind === "stored") return [keys.body(body.bodyId)];
  if (body.kind === "appended") return [keys.append(body.listId)];
  return body.kind === "parts" ? [keys.upload(body.uploadId)] : [];
}

/** The same of a key's history: the version that a new one is linked to, or that becomes current again. */
export function readsOfHistory(rowKey: string, bytes: Uint8Array): readonly string[] {
  const { newest, nullVersion } = decodeHistory(bytes);
  const births = nullVersion === undefined ? [newest] : [newest, nullVersion];
  return births.map((birth) => versionKeyBeside(rowKey, birth));
}
