/**
 * DeleteObject. Deleting what is not there is a success, unless a condition asked for it.
 */
import { unreachable } from "../../base/assert.ts";
import { s3Error } from "../../s3/errors.ts";
import { answer, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { noSuchBucket, noSuchKey, requireBucketAndKey } from "../require-bucket.ts";
import { writeCondition } from "../write-condition.ts";

export async function deleteObject(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { bucket, key } = exchange.target;
  const condition = writeCondition(exchange);
  const outcome = await exchange.edge.service.objects.delete({ bucket, key, condition });
  switch (outcome.kind) {
    case "deleted":
      return answer(exchange, 204, writeHeaders(exchange));
    case "noSuchKey":
      if (condition.kind === "none") return answer(exchange, 204, writeHeaders(exchange));
      throw noSuchKey(key);
    case "noSuchBucket":
      throw noSuchBucket(bucket);
    case "preconditionFailed":
      throw s3Error("PreconditionFailed", { fields: { Condition: "If-Match" } });
    default:
      return unreachable(outcome);
  }
}
