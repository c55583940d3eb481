/**
 * UploadPart. A part of an upload that has a checksum gets that checksum, computed here if the client did
 * not bring it; one that brings another algorithm is refused, because Complete could make nothing of it.
 */
import { s3Error } from "../../s3/errors.ts";
import { PART_BYTES_MAX, parsePartNumber } from "../../s3/names.ts";
import { refuseUnbuiltHeaders } from "../../s3/headers.ts";
import type { UploadInfo } from "../../service/api.ts";
import { answer, writeHeaders } from "../answer.ts";
import { planBody } from "../body-plan.ts";
import type { BodyPlan } from "../body-plan.ts";
import { pushChecksum } from "../checksum-lines.ts";
import type { Exchange } from "../exchange.ts";
import { receiveBody } from "../receive-body.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { noSuchUpload, requireUpload } from "../require-upload.ts";

function checkAlgorithm(upload: UploadInfo, plan: BodyPlan): void {
  const expected = upload.checksum?.algorithm;
  if (expected === undefined || plan.algorithm === expected) return;
  throw s3Error("InvalidRequest", {
    message:
      `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, ` +
      `actual checksum Type: ${plan.algorithm?.toLowerCase() ?? "null"}`,
  });
}

export async function uploadPart(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const partNumber = parsePartNumber(exchange.target.query.get("partNumber") ?? "");
  refuseUnbuiltHeaders(exchange.headers);
  const upload = await requireUpload(exchange);
  const rules = { bytesMax: PART_BYTES_MAX, needsLength: true, checksum: upload.checksum?.algorithm };
  const plan = planBody(exchange, rules);
  checkAlgorithm(upload, plan);
  const received = await receiveBody(exchange, plan);
  try {
    const { etag, checksum, body } = received;
    const { uploadId } = upload;
    const outcome = await exchange.edge.service.uploads.putPart({
      uploadId,
      partNumber,
      etag,
      checksum,
      body,
    });
    if (outcome.kind === "noSuchUpload") throw noSuchUpload(uploadId);
    const headers = writeHeaders(exchange);
    headers.push("ETag", `"${etag}"`);
    // The type belongs to objects; a part has the plain value only.
    pushChecksum(headers, checksum, { withType: false });
    answer(exchange, 200, headers);
  } finally {
    received.abort();
  }
}
