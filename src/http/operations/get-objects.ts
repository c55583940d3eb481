/**
 * GetObjects, ours and not S3's: many small objects in one answer. All bodies are read before the first byte
 * goes out, so one that cannot be read is still an error and no torn answer; hence the bound on their sum,
 * and what does not fit is named without its body.
 */
import { BATCH_BYTES_MAX, BATCH_CONTENT_TYPE, BATCH_HEAD_BYTES_MAX, parseKeyList } from "../../s3/batch.ts";
import { formatIsoDate } from "../../s3/dates.ts";
import type { FoundObject } from "../../service/api.ts";
import { baseHeaders } from "../answer.ts";
import { authorizeAgain } from "../authorize.ts";
import { digestWhole } from "../body-digests.ts";
import { freeBuffer } from "../borrowed-buffers.ts";
import { planBody } from "../body-plan.ts";
import type { Exchange } from "../exchange.ts";
import { readWhole } from "../read-whole.ts";
import { requireBucket } from "../require-bucket.ts";
import { shownVersionId } from "../require-object.ts";
import { sendPieces } from "../send-body.ts";

async function readKeys(exchange: Exchange): Promise<readonly string[]> {
  const plan = planBody(exchange, { bytesMax: BATCH_HEAD_BYTES_MAX, needsLength: false, isDocument: true });
  exchange.takeCredits(plan.length ?? BATCH_HEAD_BYTES_MAX);
  const { bytes, trailers } = await readWhole(exchange, plan);
  try {
    digestWhole(plan, bytes, trailers);
    authorizeAgain(exchange);
    return parseKeyList(bytes.toString("utf8"));
  } finally {
    freeBuffer(bytes);
  }
}

async function bytesOf(exchange: Exchange, found: FoundObject): Promise<readonly Uint8Array[]> {
  if (found.bytes !== undefined) return [found.bytes];
  if (found.size === 0) return [];
  const { objects } = exchange.edge.service;
  const gone = new AbortController();
  const pieces: Uint8Array[] = [];
  const range = { start: 0, end: found.size };
  for await (const piece of objects.read(found, range, { signal: gone.signal })) pieces.push(piece);
  return pieces;
}

function described(exchange: Exchange, key: string, found: FoundObject): object {
  const { size, etag, modifiedMs, attributes } = found;
  const contentType = attributes.headers.find(([name]) => name === "content-type")?.[1];
  const { metadata } = attributes;
  return {
    key,
    size,
    etag: `"${etag}"`,
    lastModified: formatIsoDate(modifiedMs),
    versionId: shownVersionId(exchange, found),
    contentType,
    metadata: metadata.length === 0 ? undefined : Object.fromEntries(metadata),
  };
}

export async function getObjects(exchange: Exchange): Promise<void> {
  requireBucket(exchange);
  const keys = await readKeys(exchange);
  const { edge, target } = exchange;
  edge.batchReadSizes.record(keys.length);
  const heads: object[] = [];
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (const key of keys) {
    const found = await edge.service.objects.find(`${target.bucket}/${key}`);
    if (found === undefined) heads.push({ status: 404, code: "NoSuchKey", key });
    else if (bytes + found.size > BATCH_BYTES_MAX) {
      heads.push({ status: 413, code: "EntityTooLarge", ...described(exchange, key, found) });
    } else {
      exchange.takeCredits(found.size);
      bytes += found.size;
      pieces.push(...(await bytesOf(exchange, found)));
      heads.push({ status: 200, ...described(exchange, key, found) });
    }
  }
  const head = Buffer.from(`${JSON.stringify({ objects: heads })}\n`);
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", BATCH_CONTENT_TYPE, "Content-Length", String(head.length + bytes));
  await sendPieces(exchange, { status: 200, headers, pieces: [head, ...pieces] });
}
