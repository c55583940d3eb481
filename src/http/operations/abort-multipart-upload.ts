/**
 * AbortMultipartUpload.
 */
import { refuseDirectoryBucketConditions } from "../../s3/preconditions.ts";
import { answer, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { noSuchUpload, uploadIdOf } from "../require-upload.ts";

export async function abortMultipartUpload(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { bucket, key } = exchange.target;
  refuseDirectoryBucketConditions(exchange.headers);
  const uploadId = uploadIdOf(exchange);
  const outcome = await exchange.edge.service.uploads.abort({ bucket, key, uploadId });
  if (outcome.kind === "noSuchUpload") throw noSuchUpload(uploadId);
  answer(exchange, 204, writeHeaders(exchange));
}
