/**
 * Bodies that are read into memory as a whole: small objects and parts, and XML documents. The result is a buffer
 * of its own and of exactly the body's size: Node's pieces are slices of 64 KiB slabs, and whoever keeps one keeps
 * the slab.
 */
import type { Trailers } from "../s3/aws-chunked.ts";
import { s3Error } from "../s3/errors.ts";
import { bodyDecoder, bodyTooLong } from "./body-plan.ts";
import type { BodyPlan } from "./body-plan.ts";
import type { Exchange } from "./exchange.ts";
import { beginBody, pumpBody } from "./pump-body.ts";

export type WholeBody = { readonly bytes: Buffer; readonly trailers: Trailers };

const NO_TRAILERS: Trailers = {};
const EMPTY = Buffer.alloc(0);

async function collect(exchange: Exchange, plan: BodyPlan, first: Buffer | undefined): Promise<WholeBody> {
  const decoder = bodyDecoder(exchange, plan);
  const pieces: Buffer[] = [];
  let size = 0;
  const keep = (piece: Buffer): void => {
    size += piece.length;
    if (size > plan.bytesMax) throw bodyTooLong(plan);
    pieces.push(Buffer.from(piece));
  };
  const take = (wire: Buffer): undefined => {
    if (decoder === undefined) keep(wire);
    else for (const piece of decoder.push(wire)) keep(piece);
  };
  if (first !== undefined) take(first);
  await pumpBody(exchange, take);
  const trailers = decoder?.end() ?? NO_TRAILERS;
  if (plan.length !== undefined && size !== plan.length) throw s3Error("IncompleteBody");
  const bytes = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const piece of pieces) at += piece.copy(bytes, at);
  return { bytes, trailers };
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
  await undefined;
  const first = incoming.read() as Buffer | null;
  if (first === null) return collect(exchange, plan, undefined);
  if (first.length !== plan.length) return collect(exchange, plan, first);
  if (!incoming.complete) incoming.resume();
  const bytes = Buffer.allocUnsafeSlow(first.length);
  first.copy(bytes);
  return { bytes, trailers: NO_TRAILERS };
}
