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

const SMALL_PIECE_BYTES = 16 * 1024;
const JOINT_BYTES = 64 * 1024;
const NONE = Buffer.alloc(0);

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

/** Pieces of an answer; small ones are joined, because a write to the socket costs more than their bytes. */
class Pieces {
  readonly #list: Uint8Array[] = [];
  #joint: Buffer = NONE;
  #joined = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length > SMALL_PIECE_BYTES) {
      this.#endJoint();
      this.#list.push(bytes);
      return;
    }
    if (this.#joined + bytes.length > this.#joint.length) {
      this.#endJoint();
      this.#joint = Buffer.allocUnsafeSlow(JOINT_BYTES);
    }
    this.#joint.set(bytes, this.#joined);
    this.#joined += bytes.length;
  }

  finish(): readonly Uint8Array[] {
    this.#endJoint();
    return this.#list;
  }

  #endJoint(): void {
    if (this.#joined > 0) this.#list.push(this.#joint.subarray(0, this.#joined));
    this.#joint = this.#joint.subarray(this.#joined);
    this.#joined = 0;
  }
}

async function read(exchange: Exchange, found: FoundObject, pieces: Pieces): Promise<void> {
  const { objects } = exchange.edge.service;
  const gone = new AbortController();
  const range = { start: 0, end: found.size };
  for await (const piece of objects.read(found, range, { signal: gone.signal })) pieces.push(piece);
}

/** As JSON, and by hand: a thousand objects and the walk over them cost more than all the rest. */
function described(exchange: Exchange, key: string, found: FoundObject): string {
  const { size, etag, modifiedMs, attributes } = found;
  const { metadata } = attributes;
  const versionId = shownVersionId(exchange, found);
  const contentType = attributes.headers.find(([name]) => name === "content-type")?.[1];
  const text =
    `"key":${JSON.stringify(key)},"size":${size},"etag":"\\"${etag}\\"",` +
    `"lastModified":"${formatIsoDate(modifiedMs)}"`;
  const version = versionId === undefined ? "" : `,"versionId":"${versionId}"`;
  const type = contentType === undefined ? "" : `,"contentType":${JSON.stringify(contentType)}`;
  const user = metadata.length === 0 ? "" : `,"metadata":${JSON.stringify(Object.fromEntries(metadata))}`;
  return text + version + type + user;
}

export async function getObjects(exchange: Exchange): Promise<void> {
  requireBucket(exchange);
  const keys = await readKeys(exchange);
  const { edge, target } = exchange;
  edge.batchReadSizes.record(keys.length);
  const heads: string[] = [];
  const pieces = new Pieces();
  let bytes = 0;
  for (const key of keys) {
    const finding = edge.service.objects.find(`${target.bucket}/${key}`);
    const found = finding instanceof Promise ? await finding : finding;
    if (found === undefined) heads.push(`{"status":404,"key":${JSON.stringify(key)},"code":"NoSuchKey"}`);
    else if (bytes + found.size > BATCH_BYTES_MAX) {
      heads.push(`{"status":413,"code":"EntityTooLarge",${described(exchange, key, found)}}`);
    } else {
      exchange.takeCredits(found.size);
      edge.bundled.count("gets");
      bytes += found.size;
      if (found.bytes !== undefined) pieces.push(found.bytes);
      else if (found.size > 0) await read(exchange, found, pieces);
      heads.push(`{"status":200,${described(exchange, key, found)}}`);
    }
  }
  const head = Buffer.from(`{"objects":[${heads.join(",")}]}\n`);
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", BATCH_CONTENT_TYPE, "Content-Length", String(head.length + bytes));
  await sendPieces(exchange, { status: 200, headers, pieces: [head, ...pieces.finish()] });
}
