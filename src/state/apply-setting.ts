/**
 * Settings of buckets and accounts: put and delete of single rows. A bucket takes its settings with it.
 */
import { unreachable } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type { CommandResult } from "./command.ts";
import { keys } from "./keys.ts";
import { rows } from "./rows.ts";
import { BUCKET_SETTING_NAMES } from "./setting-command.ts";
import type { DeleteBucketSetting, PutBucketSetting, SettingCommand } from "./setting-command.ts";

export function applySetting(context: ApplyContext, command: SettingCommand): CommandResult {
  const { view } = context;
  switch (command.kind) {
    case "putBucketSetting":
    case "deleteBucketSetting":
      return applyBucketSetting(context, command);
    case "putAccount": {
      const { accountId, displayName, accessKey, sealedSecret } = command;
      view.put(keys.account(accountId), rows.account.encode({ displayName, accessKey, sealedSecret }));
      return { kind: "done" };
    }
    case "deleteAccount":
      view.delete(keys.account(command.accountId));
      return { kind: "done" };
    case "putDataKey": {
      const { salt, sealedKey } = command;
      view.put(keys.meta("dataKey"), rows.dataKey.encode({ salt, sealedKey }));
      return { kind: "done" };
    }
    default:
      return unreachable(command);
  }
}

function applyBucketSetting(
  context: ApplyContext,
  command: PutBucketSetting | DeleteBucketSetting,
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const document = command.kind === "putBucketSetting" ? command.document : undefined;
  context.buckets.setSetting(bucket, command.name, document);
  return { kind: "done" };
}

/** Of a bucket that goes. */
export function removeSettings(context: ApplyContext, bucket: BucketEntry): void {
  for (const name of BUCKET_SETTING_NAMES) {
    const key = keys.setting(bucket.row.id, name);
    if (context.view.get(key) !== undefined) context.view.delete(key);
  }
}
