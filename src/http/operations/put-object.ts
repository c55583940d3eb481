/**
 * PutObject. The body is received and checked in full before the service is asked to put it, so every refusal
 * leaves things as they were; the condition travels with the put, because only there it can be decided.
 */
import { unreachable } from "../../base/assert.ts";
import { parseObjectMetadata } from "../../s3/headers.ts";
import type { ObjectMetadata } from "../../s3/headers.ts";
import { PUT_BYTES_MAX } from "../../s3/names.ts";
import { isArchive } from "../../s3/snowball.ts";
import { parseTaggingHeader } from "../../s3/tagging.ts";
import type { Tags } from "../../s3/tagging.ts";
import type { PutOutcome } from "../../service/api.ts";
import type { StoredChecksum } from "../../state/attributes.ts";
import type { WriteCondition } from "../../state/command.ts";
import { answer, writeHeaders } from "../answer.ts";
import { planBody } from "../body-plan.ts";
import { pushChecksum } from "../checksum-lines.ts";
import type { Exchange } from "../exchange.ts";
import { toAttributes } from "../object-attributes.ts";
import { receiveBody } from "../receive-body.ts";
import type { ReceivedBody } from "../receive-body.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { pushVersion } from "../require-object.ts";
import { refusedWrite, writeCondition } from "../write-condition.ts";
import { putArchive } from "./put-archive.ts";

const RULES = { bytesMax: PUT_BYTES_MAX, needsLength: true } as const;

function answerPut(exchange: Exchange, outcome: PutOutcome, checksum: StoredChecksum | undefined): void {
  switch (outcome.kind) {
    case "put": {
      const headers = writeHeaders(exchange);
      headers.push("ETag", `"${outcome.etag}"`);
      pushVersion(headers, outcome.versionId);
      pushChecksum(headers, checksum, { withType: true });
      return answer(exchange, 200, headers);
    }
    case "noSuchBucket":
    case "noSuchKey":
    case "preconditionFailed":
      throw refusedWrite(exchange, outcome.kind);
    default:
      return unreachable(outcome);
  }
}

async function put(
  exchange: Exchange,
  received: ReceivedBody,
  terms: { readonly metadata: ObjectMetadata; readonly tags: Tags; readonly condition: WriteCondition },
): Promise<void> {
  const { bucket, key } = exchange.target;
  const { etag, checksum, body } = received;
  try {
    const attributes = toAttributes(terms.metadata, checksum);
    const { condition } = terms;
    const tags = terms.tags.length === 0 ? undefined : terms.tags;
    const outcome = await exchange.edge.service.objects.put({
      bucket,
      key,
      etag,
      attributes,
      body,
      condition,
      tags,
    });
    answerPut(exchange, outcome, checksum);
  } finally {
    received.abort();
  }
}

export async function putObject(exchange: Exchange): Promise<void> {
  if (isArchive(exchange.headers)) return await putArchive(exchange);
  requireBucketAndKey(exchange);
  const metadata = parseObjectMetadata(exchange.headers);
  const tags = parseTaggingHeader(exchange.headers);
  const condition = writeCondition(exchange);
  const received = await receiveBody(exchange, planBody(exchange, RULES));
  await put(exchange, received, { metadata, tags, condition });
}
