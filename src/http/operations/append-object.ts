/**
 * A PUT with x-amz-write-offset-bytes: the body goes behind what is there, which has to end at that offset.
 * S3 has it for directory buckets, this store for all. The checksum of the whole is continued where that can
 * be done from the two parts' own; a client that brings another algorithm than the object has is refused.
 */
import { unreachable } from "../../base/assert.ts";
import { invalidArgument, s3Error } from "../../s3/errors.ts";
import { parseObjectMetadata } from "../../s3/headers.ts";
import type { ObjectMetadata } from "../../s3/headers.ts";
import { PUT_BYTES_MAX } from "../../s3/names.ts";
import { parseTaggingHeader } from "../../s3/tagging.ts";
import type { Tags } from "../../s3/tagging.ts";
import type { AppendOutcome } from "../../service/copy-api.ts";
import type { StoredChecksum } from "../../state/attributes.ts";
import type { WriteCondition } from "../../state/command.ts";
import { answer, writeHeaders } from "../answer.ts";
import { planBody } from "../body-plan.ts";
import type { BodyPlan } from "../body-plan.ts";
import { pushChecksum } from "../checksum-lines.ts";
import type { Exchange } from "../exchange.ts";
import { toAttributes } from "../object-attributes.ts";
import { receiveBody } from "../receive-body.ts";
import type { ReceivedBody } from "../receive-body.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { pushVersion } from "../require-object.ts";
import { refusedWrite, writeCondition } from "../write-condition.ts";

const OFFSET = "x-amz-write-offset-bytes";

function parseOffset(exchange: Exchange): number {
  const text = exchange.headers[OFFSET];
  if (typeof text === "string" && /^\d{1,15}$/.test(text)) return Number(text);
  throw invalidArgument("The write offset has to be a number of bytes", OFFSET, String(text));
}

function checkAlgorithm(own: StoredChecksum | undefined, plan: BodyPlan): void {
  if (own?.type !== "FULL_OBJECT" || plan.algorithm === own.algorithm) return;
  throw s3Error("InvalidRequest", {
    message:
      `Checksum Type mismatch occurred, expected checksum Type: ${own.algorithm.toLowerCase()}, ` +
      `actual checksum Type: ${plan.algorithm?.toLowerCase() ?? "null"}`,
  });
}

function answerOutcome(exchange: Exchange, outcome: AppendOutcome): void {
  switch (outcome.kind) {
    case "appended": {
      const headers = writeHeaders(exchange);
      headers.push("ETag", `"${outcome.etag}"`, "x-amz-object-size", String(outcome.size));
      pushVersion(headers, outcome.versionId);
      pushChecksum(headers, outcome.checksum, { withType: true });
      return answer(exchange, 200, headers);
    }
    case "wrongOffset":
      throw s3Error("InvalidWriteOffset", { fields: { CurrentObjectSize: String(outcome.size ?? 0) } });
    case "noSuchBucket":
    case "noSuchKey":
    case "preconditionFailed":
      throw refusedWrite(exchange, outcome.kind);
    case "tooManyPieces":
      throw s3Error("TooManyParts");
    case "entityTooLarge":
      throw s3Error("EntityTooLarge");
    default:
      return unreachable(outcome);
  }
}

type Terms = {
  readonly offset: number;
  readonly metadata: ObjectMetadata;
  readonly tags: Tags;
  readonly condition: WriteCondition;
};

async function append(exchange: Exchange, received: ReceivedBody, terms: Terms): Promise<void> {
  const { bucket, key } = exchange.target;
  const { offset, metadata, tags, condition } = terms;
  try {
    const outcome = await exchange.edge.service.copies.append({
      target: { bucket, key },
      offset,
      condition,
      body: received.body,
      bodyBytes: received.size,
      bodyEtag: received.etag,
      bodyChecksum: received.checksum,
      attributes: toAttributes(metadata, undefined),
      tags,
    });
    answerOutcome(exchange, outcome);
  } finally {
    received.abort();
  }
}

export async function appendObject(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { headers, target, edge } = exchange;
  const metadata = parseObjectMetadata(headers);
  const tags = parseTaggingHeader(headers);
  const offset = parseOffset(exchange);
  const condition = writeCondition(exchange);
  // Before the body is read: an offset that is wrong now is wrong then, because objects only grow.
  const found = await edge.service.objects.find(target.path);
  if ((found?.size ?? 0) !== offset)
    return answerOutcome(exchange, { kind: "wrongOffset", size: found?.size });
  const own = offset === 0 ? undefined : found?.attributes.checksum;
  const checksum = own?.type === "FULL_OBJECT" ? own.algorithm : undefined;
  const plan = planBody(exchange, { bytesMax: PUT_BYTES_MAX, needsLength: true, checksum });
  checkAlgorithm(own, plan);
  const received = await receiveBody(exchange, plan);
  await append(exchange, received, { offset, metadata, tags, condition });
}
