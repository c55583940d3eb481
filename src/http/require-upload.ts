/**
 * The open upload that a request names by bucket, key and id.
 */
import { s3Error } from "../s3/errors.ts";
import type { UploadInfo } from "../service/api.ts";
import type { Attributes } from "../state/attributes.ts";
import type { Exchange } from "./exchange.ts";

export function noSuchUpload(uploadId: string): Error {
  return s3Error("NoSuchUpload", { fields: { UploadId: uploadId } });
}

export function uploadIdOf(exchange: Exchange): string {
  return exchange.target.query.get("uploadId") ?? "";
}

export async function requireUpload(
  exchange: Exchange,
): Promise<UploadInfo & { readonly attributes: Attributes }> {
  const { bucket, key } = exchange.target;
  const uploadId = uploadIdOf(exchange);
  const upload = await exchange.edge.service.uploads.find({ bucket, key, uploadId });
  if (upload === undefined) throw noSuchUpload(uploadId);
  return upload;
}
