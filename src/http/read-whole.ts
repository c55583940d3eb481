/**
 * Bodies that are read into memory as a whole: small objects and parts, and XML documents. The result is a
 * buffer of its own and of exactly the body's size: Node's pieces are slices of 64 KiB slabs, and whoever
 * keeps one keeps the slab.
 */
import type { Trailers } from "../s3/aws-chunked.ts";
import { s3Error } from "../s3/errors.ts";
import { freeBuffer } from "./borrowed-buffers.ts";
import { bodyDecoder, bodyTooLong } from "./body-plan.ts";
import type { BodyPlan } from "./body-plan.ts";
import type { Exchange } from "./exchange.ts";
import { beginBody, pumpBody } from "./pump-body.ts";

export type WholeBody = { readonly bytes: Buffer; readonly trailers: Trailers };

const NO_TRAILERS: Trailers = {};
const EMPTY = Buffer.alloc(0);
/** For a body whose length its client does not know. */
const FIRST_BYTES = 4096;

/**
 * One buffer that grows: pieces kept one by one would cost a hundred bytes each, and a client can send
 * single bytes.
 */
class Collector {
  readonly #plan: BodyPlan;
  #buffer: Buffer;
  #filled = 0;

  constructor(plan: BodyPlan) {
    this.#plan = plan;
    this.#buffer = Buffer.allocUnsafeSlow(plan.length ?? FIRST_BYTES);
  }

  add(piece: Buffer): void {
    const needed = this.#filled + piece.length;
    if (needed > this.#plan.bytesMax) throw bodyTooLong(this.#plan);
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#filled);
      this.#replace(grown);
    }
    this.#filled += piece.copy(this.#buffer, this.#filled);
  }

  #replace(buffer: Buffer): void {
    freeBuffer(this.#buffer);
    this.#buffer = buffer;
  }

  /** For a body that is refused. */
  drop(): void {
    this.#replace(EMPTY);
  }

  take(): Buffer {
    const { length } = this.#plan;
    if (length !== undefined && this.#filled !== length) throw s3Error("IncompleteBody");
    if (this.#filled < this.#buffer.length) {
      const exact = Buffer.allocUnsafeSlow(this.#filled);
      this.#buffer.copy(exact);
      this.#replace(exact);
    }
    return this.#buffer;
  }
}

async function collect(exchange: Exchange, plan: BodyPlan, first: Buffer | undefined): Promise<WholeBody> {
  const decoder = bodyDecoder(exchange, plan);
  const collector = new Collector(plan);
  const take = (wire: Buffer): undefined => {
    if (decoder === undefined) collector.add(wire);
    else for (const piece of decoder.push(wire)) collector.add(piece);
    freeBuffer(wire);
  };
  try {
    if (first !== undefined) {
      exchange.counter.receivedBytes += first.length;
      take(first);
    }
    await pumpBody(exchange, take);
    const trailers = decoder?.end() ?? NO_TRAILERS;
    return { bytes: collector.take(), trailers };
  } catch (error) {
    collector.drop();
    throw error;
  }
}

/** Credits for it must have been taken. */
export async function readWhole(exchange: Exchange, plan: BodyPlan): Promise<WholeBody> {
  const { incoming } = exchange;
  if (plan.length === 0 && !plan.isChunked) {
    beginBody(exchange);
    return { bytes: EMPTY, trailers: NO_TRAILERS };
  }
  if (plan.isChunked || exchange.headers["expect"] !== undefined) return collect(exchange, plan, undefined);
  // A small body mostly arrives in the same segment as its head: once the parser has returned, it can be read
  // without any stream event.
  await Promise.resolve();
  const first: Buffer | null = incoming.read();
  if (first === null) return collect(exchange, plan, undefined);
  if (first.length !== plan.length) return collect(exchange, plan, first);
  if (!incoming.complete) incoming.resume();
  exchange.counter.receivedBytes += first.length;
  const bytes = Buffer.allocUnsafeSlow(first.length);
  first.copy(bytes);
  return { bytes, trailers: NO_TRAILERS };
}
