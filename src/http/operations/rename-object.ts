/**
 * RenameObject, which S3 has for directory buckets and this store for all. One entry of the log takes the old
 * key away and makes the new one. A client token is accepted and not kept: whoever repeats a rename that took
 * place is told NoSuchKey.
 */
import { unreachable } from "../../base/assert.ts";
import { parseRenameSource } from "../../s3/copy-source.ts";
import { invalidArgument, s3Error } from "../../s3/errors.ts";
import type { RenameOutcome } from "../../service/copy-api.ts";
import { answer, writeHeaders } from "../answer.ts";
import { checkSource } from "../copy-source.ts";
import type { Exchange } from "../exchange.ts";
import { readWithoutBody } from "../read-document.ts";
import { noSuchKey, requireBucketAndKey } from "../require-bucket.ts";
import { pushVersion } from "../require-object.ts";
import { refusedWrite, writeCondition } from "../write-condition.ts";

const TOKEN = /^[!-~]{1,64}$/;

function checkToken(exchange: Exchange): void {
  const name = "x-amz-client-token";
  const token = exchange.headers[name];
  if (token === undefined || (typeof token === "string" && TOKEN.test(token))) return;
  throw invalidArgument("The client token has to be of 1 to 64 ASCII characters", name, String(token));
}

function answerOutcome(exchange: Exchange, outcome: RenameOutcome, sourceKey: string): void {
  switch (outcome.kind) {
    case "renamed": {
      const headers = writeHeaders(exchange);
      pushVersion(headers, outcome.versionId);
      return answer(exchange, 200, headers);
    }
    case "noSuchSource":
      throw noSuchKey(sourceKey);
    case "noSuchBucket":
    case "noSuchKey":
    case "preconditionFailed":
      throw refusedWrite(exchange, outcome.kind);
    default:
      return unreachable(outcome);
  }
}

export async function renameObject(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { headers, target, edge } = exchange;
  const { bucket, key } = target;
  const sourceKey = parseRenameSource(headers, bucket);
  checkToken(exchange);
  if (sourceKey === key) {
    throw s3Error("InvalidRequest", { message: "The source and the destination of a rename are the same" });
  }
  const condition = writeCondition(exchange);
  await readWithoutBody(exchange);
  const outcome = await edge.service.copies.rename({
    bucket,
    sourceKey,
    key,
    condition,
    look: (found) => checkSource(exchange, found, "x-amz-rename-source-"),
  });
  answerOutcome(exchange, outcome, sourceKey);
}
