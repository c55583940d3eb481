/**
 * The body of a batch as it arrives: one line of JSON, then the bodies that it names, one behind the other.
 * Each body gets a buffer of its own and of exactly its size (tiny ones a part of a small one), because the
 * cache may keep it long after its neighbours are gone; so nothing of the socket's memory is kept.
 */
import { hash } from "node:crypto";
import { s3Error } from "../s3/errors.ts";
import type { S3Error } from "../s3/errors.ts";
import { BATCH_HEAD_BYTES_MAX, parseBatchHead } from "../s3/batch.ts";
import type { BatchOperation } from "../s3/batch.ts";
import { authorizeAgain } from "./authorize.ts";
import { BodyDigests } from "./body-digests.ts";
import { freeBuffer } from "./borrowed-buffers.ts";
import { bodyDecoder, bodyTooLong } from "./body-plan.ts";
import type { BodyPlan } from "./body-plan.ts";
import type { Exchange } from "./exchange.ts";
import { pumpBody } from "./pump-body.ts";

export type ReceivedOperation = {
  readonly operation: BatchOperation;
  /** Of a put. */
  readonly bytes: Buffer;
  /** Hex MD5. */
  readonly etag: string;
};

const NEWLINE = 0x0a;
const EMPTY = Buffer.alloc(0);
const FIRST_BYTES = 4096;
const TINY_BYTES_MAX = 256;
/** Kept whole while one of the bodies in it is: little more than what is kept beside each anyway. */
const SHARED_BYTES = 1024;

function notTheSizes(message: string): S3Error {
  return s3Error("InvalidRequest", { message: `The sizes of the batch do not add up: ${message}` });
}

export class BatchBody {
  readonly #plan: { readonly length: number | undefined; readonly bytesMax: number };
  #head = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #headBytes = 0;
  #operations: readonly BatchOperation[] | undefined;
  readonly #received: ReceivedOperation[] = [];
  #body = EMPTY;
  #filled = 0;
  /** For tiny bodies, and how much of it they have. */
  #shared: Buffer<ArrayBuffer> = EMPTY;
  #sharedAt = 0;

  constructor(plan: { readonly length: number | undefined; readonly bytesMax: number }) {
    this.#plan = plan;
  }

  /** The bytes are copied. */
  push(piece: Buffer): void {
    let at = 0;
    if (this.#operations === undefined) {
      const end = piece.indexOf(NEWLINE);
      this.#takeHead(end < 0 ? piece : piece.subarray(0, end));
      if (end < 0) return;
      this.#endHead(1);
      at = end + 1;
    }
    while (at < piece.length) {
      if (this.#filled === this.#body.length) throw notTheSizes("there are bytes behind the last body");
      const count = piece.copy(this.#body, this.#filled, at);
      this.#filled += count;
      at += count;
      if (this.#filled === this.#body.length) this.#endBody();
    }
  }

  /** After the last byte. */
  finish(): readonly ReceivedOperation[] {
    // A batch without bodies needs no end of its line.
    if (this.#operations === undefined) this.#endHead(0);
    if (this.#received.length !== this.#operations?.length) throw s3Error("IncompleteBody");
    return this.#received;
  }

  #takeHead(bytes: Uint8Array): void {
    const needed = this.#headBytes + bytes.length;
    if (needed > BATCH_HEAD_BYTES_MAX) {
      throw s3Error("MaxMessageLengthExceeded", {
        fields: { MaxMessageLengthBytes: String(BATCH_HEAD_BYTES_MAX) },
      });
    }
    if (needed > this.#head.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#head.length * 2));
      this.#head.copy(grown, 0, 0, this.#headBytes);
      freeBuffer(this.#head);
      this.#head = grown;
    }
    this.#head.set(bytes, this.#headBytes);
    this.#headBytes = needed;
  }

  #endHead(lineEndBytes: number): void {
    this.#operations = parseBatchHead(this.#head.toString("utf8", 0, this.#headBytes));
    freeBuffer(this.#head);
    this.#head = EMPTY;
    let bytes = this.#headBytes + lineEndBytes;
    for (const operation of this.#operations) if (operation.kind === "put") bytes += operation.size;
    const { length, bytesMax } = this.#plan;
    if (bytes > bytesMax) throw bodyTooLong({ bytesMax });
    // Before a body is waited for that will not come.
    if (length !== undefined && length !== bytes)
      throw notTheSizes(`${bytes} bytes are named, ${length} come`);
    this.#nextBody();
  }

  #endBody(): void {
    this.#take(this.#body);
    this.#nextBody();
  }

  /** Up to the next operation with bytes. */
  #nextBody(): void {
    this.#filled = 0;
    this.#body = EMPTY;
    for (;;) {
      const operation = this.#operations?.[this.#received.length];
      if (operation === undefined) return;
      if (operation.kind === "put" && operation.size > 0) {
        this.#body = this.#allocate(operation.size);
        return;
      }
      this.#take(EMPTY);
    }
  }

  /** Tiny ones share memory a few at a time: by itself the memory of each costs more than it holds. */
  #allocate(size: number): Buffer<ArrayBuffer> {
    if (size > TINY_BYTES_MAX) return Buffer.allocUnsafeSlow(size);
    if (this.#sharedAt + size > this.#shared.length) {
      this.#shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
      this.#sharedAt = 0;
    }
    this.#sharedAt += size;
    return this.#shared.subarray(this.#sharedAt - size, this.#sharedAt);
  }

  #take(bytes: Buffer): void {
    const operation = this.#operations?.[this.#received.length];
    if (operation === undefined) throw notTheSizes("a body without an operation");
    const etag = operation.kind === "put" ? hash("md5", bytes, "hex") : "";
    this.#received.push({ operation, bytes, etag });
  }
}

/** Credits for the whole of it must have been taken. */
export async function receiveBatch(
  exchange: Exchange,
  plan: BodyPlan,
): Promise<readonly ReceivedOperation[]> {
  const digests = new BodyDigests(plan, { isObject: false });
  const decoder = bodyDecoder(exchange, plan);
  const body = new BatchBody(plan);
  let bytes = 0;
  const takePiece = (piece: Buffer): void => {
    bytes += piece.length;
    if (bytes > plan.bytesMax) throw bodyTooLong(plan);
    digests.update(piece);
    body.push(piece);
  };
  await pumpBody(exchange, (wire) => {
    if (decoder === undefined) takePiece(wire);
    else for (const piece of decoder.push(wire)) takePiece(piece);
    freeBuffer(wire);
    return undefined;
  });
  const trailers = decoder?.end() ?? {};
  if (plan.length !== undefined && bytes !== plan.length) throw s3Error("IncompleteBody");
  const received = body.finish();
  digests.finish(trailers);
  authorizeAgain(exchange);
  return received;
}
