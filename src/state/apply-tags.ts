/** Tags of an object that is there. The object stays what it is; only how many tags it has is in its row. */
import type { ApplyContext } from "./apply-context.ts";
import type { CommandResult, PutObjectTags } from "./command.ts";
import { keys } from "./keys.ts";
import { footprintOf } from "./release-object.ts";
import { wholeObject } from "./standing-object.ts";
import { encodeTags } from "./tags.ts";

export function applyPutObjectTags(context: ApplyContext, command: PutObjectTags): CommandResult {
  const { key, tags, version } = command;
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const standing = context.view.object(bucket.objectPrefix, key);
  if (standing === undefined) return { kind: "noSuchKey" };
  const { birthIndex, birthSub } = footprintOf(standing);
  const isMeant =
    version === undefined || (version.birthIndex === birthIndex && version.birthSub === birthSub);
  if (!isMeant) return { kind: "sourceChanged" };
  const tagsKey = keys.tags(birthIndex, birthSub);
  if (tags.length > 0) context.view.put(tagsKey, encodeTags(tags));
  else context.view.delete(tagsKey);
  // Without what the edge noted: it shows the number of tags.
  const object = { ...wholeObject(context, standing), tagCount: tags.length, edge: undefined };
  context.view.putObject(bucket.objectPrefix, key, object);
  context.effects.objectWritten(`${command.bucket}/${key}`, object, object.bytes);
  return { kind: "done" };
}
