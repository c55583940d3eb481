/**
 * UploadPartCopy: a part that is a stretch of an object.
 */
import { unreachable } from "../../base/assert.ts";
import { parseCopyRange } from "../../s3/copy-source.ts";
import { parsePartNumber } from "../../s3/names.ts";
import { refuseUnbuiltHeaders } from "../../s3/headers.ts";
import type { CopyPartOutcome } from "../../service/copy-api.ts";
import { answerCopied } from "../answer-copied.ts";
import { checkSource, copySourceOf, noSuchSource, sourceIsMarker } from "../copy-source.ts";
import type { NamedSource } from "../copy-source.ts";
import type { Exchange } from "../exchange.ts";
import { readWithoutBody } from "../read-document.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { noSuchUpload, requireUpload } from "../require-upload.ts";

function answerOutcome(
  exchange: Exchange,
  outcome: CopyPartOutcome,
  names: { readonly source: NamedSource; readonly uploadId: string },
): void {
  switch (outcome.kind) {
    case "copied":
      return answerCopied(exchange, "CopyPartResult", { copied: outcome, source: names.source });
    case "noSuchSource":
      throw noSuchSource(names.source);
    case "sourceIsMarker":
      throw sourceIsMarker();
    case "noSuchUpload":
      throw noSuchUpload(names.uploadId);
    default:
      return unreachable(outcome);
  }
}

export async function uploadPartCopy(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { headers, target, edge } = exchange;
  const partNumber = parsePartNumber(target.query.get("partNumber") ?? "");
  refuseUnbuiltHeaders(headers);
  const source = copySourceOf(exchange);
  const { uploadId, checksum } = await requireUpload(exchange);
  await readWithoutBody(exchange);
  const outcome = await edge.service.copies.copyPart({
    source,
    uploadId,
    partNumber,
    checksum: checksum?.algorithm,
    look: (found) => {
      checkSource(exchange, found, "x-amz-copy-source-");
      return parseCopyRange(headers, found.size);
    },
  });
  answerOutcome(exchange, outcome, { source, uploadId });
}
