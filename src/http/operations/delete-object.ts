/**
 * DeleteObject, of a key or of one version. Deleting what is not there is a success, unless a condition asked
 * for it.
 */
import { unreachable } from "../../base/assert.ts";
import { s3Error } from "../../s3/errors.ts";
import { parseDeletePrecondition } from "../../s3/preconditions.ts";
import type { DeletedVersion } from "../../service/api.ts";
import { answer, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { noSuchBucket, noSuchKey, requireBucketAndKey } from "../require-bucket.ts";
import { pushVersion, versionParameter } from "../require-object.ts";
import { conditionOf } from "../write-condition.ts";

function answerDeleted(exchange: Exchange, version: DeletedVersion | undefined): void {
  const headers = writeHeaders(exchange);
  if (version?.isMarker === true) headers.push("x-amz-delete-marker", "true");
  pushVersion(headers, version?.versionId);
  answer(exchange, 204, headers);
}

export async function deleteObject(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { bucket, key } = exchange.target;
  const version = versionParameter(exchange);
  const isOfVersion = version !== undefined;
  const condition = conditionOf(parseDeletePrecondition(exchange.headers, { isOfVersion }));
  const { objects, versions } = exchange.edge.service;
  const outcome = await (version === undefined
    ? objects.delete({ bucket, key, condition })
    : versions.delete({ bucket, key, version }));
  switch (outcome.kind) {
    case "deleted":
      return answerDeleted(exchange, outcome.version);
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
