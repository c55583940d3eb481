/**
 * DeleteObjects: up to 1,000 keys, one answer each. Keys without a condition go into one log entry; those
 * with one are decided one by one.
 */
import { assert, unreachable } from "../../base/assert.ts";
import { S3Error, s3Error } from "../../s3/errors.ts";
import { deleteResultXml } from "../../s3/multipart-xml.ts";
import type { DeleteOutcome as Answered } from "../../s3/multipart-xml.ts";
import { checkKey } from "../../s3/names.ts";
import { DELETE_BYTES_MAX, parseDelete, unquoteEtag } from "../../s3/request-documents.ts";
import type { ObjectToDelete } from "../../s3/request-documents.ts";
import { malformedXml } from "../../s3/xml-read.ts";
import type { DeleteOutcome } from "../../service/api.ts";
import { parseVersionId } from "../../state/version-id.ts";
import type { VersionName } from "../../state/version-id.ts";
import { answer, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument } from "../read-document.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

/** S3 insists on a digest of the document, lest a flipped bit deletes another key. A signed body has one. */
function requireDigest(exchange: Exchange): void {
  const { headers, payload } = exchange;
  if (payload.kind !== "unsigned" || headers["content-md5"] !== undefined) return;
  for (const name in headers) if (name.startsWith("x-amz-checksum-")) return;
  throw s3Error("InvalidRequest", { message: "Missing required header for this request: Content-MD5" });
}

function hasVersion({ versionId }: ObjectToDelete): boolean {
  return versionId !== undefined && versionId !== "";
}

function versionOf({ versionId }: ObjectToDelete): VersionName | undefined {
  return versionId === undefined ? undefined : parseVersionId(versionId);
}

/** What is wrong with one item, before anything is deleted. */
function refusal(item: ObjectToDelete): S3Error | undefined {
  const { lastModifiedTime, size } = item;
  if (lastModifiedTime !== undefined || size !== undefined) {
    return s3Error("NotImplemented", {
      message: "Conditions on LastModifiedTime and Size are not implemented",
    });
  }
  // As DeleteObject has it; a condition of a version that is not looked at would delete it all the same.
  if (hasVersion(item) && item.etag !== undefined) {
    return s3Error("NotImplemented", { message: "A condition on a named version is not implemented" });
  }
  if (hasVersion(item) && versionOf(item) === undefined) return s3Error("NoSuchVersion");
  try {
    checkKey(item.key);
    return undefined;
  } catch (error) {
    if (error instanceof S3Error) return error;
    throw error;
  }
}

function failed(item: ObjectToDelete, error: S3Error): Answered {
  return {
    kind: "error",
    key: item.key,
    versionId: item.versionId,
    code: error.code,
    message: error.message,
  };
}

function answered(item: ObjectToDelete, outcome: DeleteOutcome): Answered {
  switch (outcome.kind) {
    case "deleted": {
      const { version } = outcome;
      const markerVersionId = version?.isMarker === true ? version.versionId : undefined;
      return { kind: "deleted", key: item.key, versionId: item.versionId, markerVersionId };
    }
    case "noSuchKey":
      if (item.etag === undefined) return { kind: "deleted", key: item.key, versionId: item.versionId };
      return failed(item, s3Error("NoSuchKey"));
    case "preconditionFailed":
      return failed(item, s3Error("PreconditionFailed"));
    case "noSuchBucket":
      return failed(item, s3Error("NoSuchBucket"));
    default:
      return unreachable(outcome);
  }
}

async function deleteConditionally(
  exchange: Exchange,
  item: ObjectToDelete,
  etag: string,
): Promise<Answered> {
  const { bucket } = exchange.target;
  const condition = { kind: "etag", etag: unquoteEtag(etag) } as const;
  const { key } = item;
  return answered(item, await exchange.edge.service.objects.delete({ bucket, key, condition }));
}

async function deleteAll(exchange: Exchange, items: readonly ObjectToDelete[]): Promise<readonly Answered[]> {
  const { bucket } = exchange.target;
  const refusals = items.map(refusal);
  const simple = items.filter((item, index) => refusals[index] === undefined && item.etag === undefined);
  const keys = simple.map((item) => {
    const version = versionOf(item);
    return version === undefined ? item.key : { key: item.key, version };
  });
  const outcomes = keys.length === 0 ? [] : await exchange.edge.service.objects.deleteMany(bucket, keys);
  if (outcomes[0]?.kind === "noSuchBucket") throw noSuchBucket(bucket);
  const answers: Answered[] = [];
  let next = 0;
  for (const [index, item] of items.entries()) {
    const error = refusals[index];
    if (error !== undefined) answers.push(failed(item, error));
    else if (item.etag !== undefined) answers.push(await deleteConditionally(exchange, item, item.etag));
    else {
      const outcome = outcomes[next++];
      assert(outcome !== undefined, "deleteMany gave fewer outcomes than it got keys");
      answers.push(answered(item, outcome));
    }
  }
  return answers;
}

export async function deleteObjects(exchange: Exchange): Promise<void> {
  requireBucket(exchange);
  requireDigest(exchange);
  const root = await readDocument(exchange, { bytesMax: DELETE_BYTES_MAX });
  if (root === undefined) throw malformedXml();
  const { objects, isQuiet } = parseDelete(root);
  const outcomes = await deleteAll(exchange, objects);
  exchange.edge.bundled.count("deletes", objects.length);
  const headers = writeHeaders(exchange);
  headers.push("Content-Type", "application/xml");
  answer(exchange, 200, headers, deleteResultXml(outcomes, { isQuiet }));
}
