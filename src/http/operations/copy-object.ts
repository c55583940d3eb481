/**
 * CopyObject. Metadata comes from the source or from the request, never from both; storage class and redirect
 * are the request's alone, as in S3.
 */
import { unreachable } from "../../base/assert.ts";
import { parseChecksumAlgorithm } from "../../s3/checksum-headers.ts";
import type { ChecksumAlgorithm } from "../../s3/checksums.ts";
import { checkSourceSize, parseDirectives, refuseIdleCopy } from "../../s3/copy-source.ts";
import { s3Error } from "../../s3/errors.ts";
import { parseObjectMetadata } from "../../s3/headers.ts";
import { parseTaggingHeader } from "../../s3/tagging.ts";
import type { FoundObject } from "../../service/api.ts";
import type { CopyOutcome, CopyPlan } from "../../service/copy-api.ts";
import type { Attributes } from "../../state/attributes.ts";
import { answerCopied } from "../answer-copied.ts";
import { checkSource, copySourceOf, noSuchSource, sourceIsMarker } from "../copy-source.ts";
import type { NamedSource } from "../copy-source.ts";
import type { Exchange } from "../exchange.ts";
import { toAttributes } from "../object-attributes.ts";
import { readWithoutBody } from "../read-document.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { refusedWrite, writeCondition } from "../write-condition.ts";

function checksumAlgorithm(exchange: Exchange): ChecksumAlgorithm | undefined {
  const text = exchange.headers["x-amz-checksum-algorithm"];
  if (text === undefined) return undefined;
  const algorithm = typeof text === "string" ? parseChecksumAlgorithm(text) : undefined;
  if (algorithm !== undefined) return algorithm;
  throw s3Error("InvalidRequest", { message: "Value for x-amz-checksum-algorithm header is invalid." });
}

const REQUESTS_OWN: ReadonlySet<string> = new Set(["x-amz-storage-class", "x-amz-website-redirect-location"]);

function attributesOfCopy(source: Attributes, requested: Attributes): Attributes {
  const headers = [
    ...source.headers.filter(([name]) => !REQUESTS_OWN.has(name)),
    ...requested.headers.filter(([name]) => REQUESTS_OWN.has(name)),
  ];
  return { headers, metadata: source.metadata, checksum: undefined };
}

function planOf(exchange: Exchange): (source: FoundObject) => CopyPlan {
  const { headers } = exchange;
  const directives = parseDirectives(headers);
  const requested = toAttributes(parseObjectMetadata(headers), undefined);
  const tags = directives.replacesTags ? parseTaggingHeader(headers) : undefined;
  const checksum = checksumAlgorithm(exchange);
  return (source) => {
    checkSource(exchange, source, "x-amz-copy-source-");
    checkSourceSize(source.size);
    const attributes = directives.replacesMetadata
      ? requested
      : attributesOfCopy(source.attributes, requested);
    return { attributes, tags, checksum };
  };
}

function answerOutcome(exchange: Exchange, outcome: CopyOutcome, source: NamedSource): void {
  switch (outcome.kind) {
    case "copied":
      return answerCopied(exchange, "CopyObjectResult", { copied: outcome, source });
    case "noSuchSource":
      throw noSuchSource(source);
    case "sourceIsMarker":
      throw sourceIsMarker();
    case "noSuchBucket":
    case "noSuchKey":
    case "preconditionFailed":
      throw refusedWrite(exchange, outcome.kind);
    default:
      return unreachable(outcome);
  }
}

export async function copyObject(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { target, headers, edge } = exchange;
  const { bucket, key } = target;
  const source = copySourceOf(exchange);
  const isOntoItself = source.bucket === bucket && source.key === key && source.version === undefined;
  refuseIdleCopy(headers, { isOntoItself, directives: parseDirectives(headers) });
  const condition = writeCondition(exchange);
  const look = planOf(exchange);
  await readWithoutBody(exchange);
  const outcome = await edge.service.copies.copy({ source, target: { bucket, key }, condition, look });
  answerOutcome(exchange, outcome, source);
}
