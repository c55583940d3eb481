/**
 * CompleteMultipartUpload. Which parts fit is the service's to decide, in one step with the put; a repeated
 * request gets the same answer, so the upload is not looked up before.
 */
import { unreachable } from "../../base/assert.ts";
import { finishInSteps } from "../../base/steps.ts";
import { checksumHeaderName, parseChecksumType } from "../../s3/checksum-headers.ts";
import { CHECKSUM_ALGORITHMS } from "../../s3/checksums.ts";
import { invalidArgument, s3Error } from "../../s3/errors.ts";
import { completeMultipartUploadXml } from "../../s3/multipart-xml.ts";
import { COMPLETE_BYTES_MAX, parseCompleteMultipartUpload } from "../../s3/request-documents.ts";
import { malformedXml } from "../../s3/xml-read.ts";
import type { CompleteOutcome } from "../../service/api.ts";
import type { StoredChecksum } from "../../state/attributes.ts";
import { answer, writeHeaders } from "../answer.ts";
import { isEncrypted } from "../connection-security.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument } from "../read-document.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { pushVersion } from "../require-object.ts";
import { noSuchUpload, uploadIdOf } from "../require-upload.ts";
import { refusedWrite, writeCondition } from "../write-condition.ts";

function header(exchange: Exchange, name: string): string | undefined {
  const value = exchange.headers[name];
  return typeof value === "string" ? value : undefined;
}

/** Of the whole object. A value that ends in `-N` is composite, whatever the type header says. */
function expectedChecksum(exchange: Exchange): StoredChecksum | undefined {
  const typeText = header(exchange, "x-amz-checksum-type");
  const named = typeText === undefined ? undefined : parseChecksumType(typeText);
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = header(exchange, checksumHeaderName(algorithm));
    if (value === undefined) continue;
    const type = named ?? (value.includes("-") ? "COMPOSITE" : "FULL_OBJECT");
    return { algorithm, type, value };
  }
  return undefined;
}

function expectedSize(exchange: Exchange): number | undefined {
  const text = header(exchange, "x-amz-mp-object-size");
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalidArgument("Value for x-amz-mp-object-size header is invalid", "x-amz-mp-object-size", text);
}

function answerCompleted(
  exchange: Exchange,
  outcome: CompleteOutcome & { readonly kind: "completed" },
): void {
  const { bucket, key, rawPath } = exchange.target;
  const { etag, checksum } = outcome;
  const scheme = isEncrypted(exchange.incoming.socket) ? "https" : "http";
  const location = `${scheme}://${header(exchange, "host") ?? ""}${rawPath}`;
  const headers = writeHeaders(exchange);
  headers.push("Content-Type", "application/xml");
  pushVersion(headers, outcome.versionId);
  answer(exchange, 200, headers, completeMultipartUploadXml({ location, bucket, key, etag, checksum }));
}

function answerOutcome(exchange: Exchange, outcome: CompleteOutcome): void {
  switch (outcome.kind) {
    case "completed":
      return answerCompleted(exchange, outcome);
    case "noSuchBucket":
    case "noSuchKey":
    case "preconditionFailed":
      throw refusedWrite(exchange, outcome.kind);
    case "noSuchUpload":
      throw noSuchUpload(uploadIdOf(exchange));
    case "invalidPart":
      throw s3Error("InvalidPart", {
        fields: { UploadId: uploadIdOf(exchange), PartNumber: String(outcome.partNumber) },
      });
    case "entityTooSmall":
      throw s3Error("EntityTooSmall", {
        fields: {
          ProposedSize: String(outcome.size),
          MinSizeAllowed: "5242880",
          PartNumber: String(outcome.partNumber),
          ETag: outcome.etag,
        },
      });
    case "entityTooLarge":
      throw s3Error("EntityTooLarge", { fields: { ProposedSize: String(outcome.size) } });
    case "wrongSize":
      throw s3Error("InvalidRequest", {
        message: `The object has ${outcome.size} bytes, which is not what x-amz-mp-object-size says`,
      });
    case "badDigest":
      throw s3Error("BadDigest", {
        message: `The ${outcome.algorithm} you specified did not match the calculated checksum.`,
      });
    default:
      return unreachable(outcome);
  }
}

export async function completeMultipartUpload(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { bucket, key } = exchange.target;
  const condition = writeCondition(exchange);
  const checksum = expectedChecksum(exchange);
  const size = expectedSize(exchange);
  const root = await readDocument(exchange, { bytesMax: COMPLETE_BYTES_MAX, ignoresChecksums: true });
  if (root === undefined) throw malformedXml();
  const outcome = await exchange.edge.service.uploads.complete({
    bucket,
    key,
    uploadId: uploadIdOf(exchange),
    parts: await finishInSteps(parseCompleteMultipartUpload(root), exchange.edge.options.clock),
    condition,
    expectedChecksum: checksum,
    expectedSize: size,
  });
  answerOutcome(exchange, outcome);
}
