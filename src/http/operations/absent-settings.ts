/**
 * GET of a setting that nobody can have made yet: AWS's own answer for "absent", once bucket or object are
 * there.
 */
import { absentBucketSetting, absentObjectSetting } from "../../s3/absent.ts";
import type { AbsentAnswer } from "../../s3/absent.ts";
import type { AbsentBucketSetting, ObjectSetting } from "../../s3/operations.ts";
import { answerXml } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { ownerOf } from "../owner-of.ts";
import { requireBucket, requireBucketAndKey } from "../require-bucket.ts";
import { requireObject } from "../require-object.ts";

function answerAbsent(exchange: Exchange, absent: AbsentAnswer): void {
  if (absent.kind === "error") throw absent.error;
  answerXml(exchange, absent.xml);
}

export function getBucketSetting(exchange: Exchange, setting: AbsentBucketSetting): void {
  const { name } = requireBucket(exchange);
  const hasId = exchange.target.query.has("id");
  answerAbsent(exchange, absentBucketSetting({ setting, bucket: name, owner: ownerOf(exchange), hasId }));
}

export async function getObjectSetting(exchange: Exchange, setting: ObjectSetting): Promise<void> {
  requireBucketAndKey(exchange);
  await requireObject(exchange);
  answerAbsent(exchange, absentObjectSetting(setting, ownerOf(exchange)));
}
