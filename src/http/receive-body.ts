/**
 * The body of an object or a part, received, hashed and checked against everything the request declared.
 * Small ones come back as bytes, larger ones as a writer of the service; either way nothing is stored until
 * the caller names the body in a put, so a body that breaks off or does not match leaves nothing behind.
 */
import { s3Error } from "../s3/errors.ts";
import { CHUNK_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "../service/api.ts";
import type { PutBody } from "../service/api.ts";
import { authorizeAgain } from "./authorize.ts";
import { BodyDigests, digestWhole } from "./body-digests.ts";
import type { DigestResult } from "./body-digests.ts";
import { bodyDecoder } from "./body-plan.ts";
import type { BodyPlan } from "./body-plan.ts";
import { BodySink } from "./body-sink.ts";
import type { Exchange } from "./exchange.ts";
import { pumpBody } from "./pump-body.ts";
import { readWhole } from "./read-whole.ts";

export type ReceivedBody = DigestResult & {
  readonly size: number;
  readonly body: PutBody;
  /**
   * Gives the body up; to be called whatever the put said, since it is harmless after one that named the
   * body.
   */
  readonly abort: () => void;
};

const PIECES_IN_MEMORY = 2;

function nothingToAbort(): void {
  // A small body lives in memory only.
}

async function receiveSmall(exchange: Exchange, plan: BodyPlan): Promise<ReceivedBody> {
  const { bytes, trailers } = await readWhole(exchange, plan);
  const { etag, checksum } = digestWhole(plan, bytes, trailers);
  authorizeAgain(exchange);
  return { etag, checksum, size: bytes.length, body: { kind: "bytes", bytes }, abort: nothingToAbort };
}

async function receiveStream(exchange: Exchange, plan: BodyPlan): Promise<ReceivedBody> {
  const digests = new BodyDigests(plan);
  const sink = new BodySink(exchange.edge.service.objects, digests);
  const decoder = bodyDecoder(exchange, plan);
  const takeWire = (wire: Buffer): Promise<void> | undefined => {
    if (decoder === undefined) return sink.take(wire);
    const pending = decoder.push(wire).flatMap((piece) => sink.take(piece) ?? []);
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
  };
  const take = (wire: Buffer): Promise<void> | undefined => {
    sink.borrow(wire);
    try {
      return takeWire(wire);
    } finally {
      sink.giveBack(wire);
    }
  };
  try {
    await pumpBody(exchange, take);
    const trailers = decoder?.end() ?? {};
    if (plan.length !== undefined && sink.size !== plan.length) throw s3Error("IncompleteBody");
    const { etag, checksum } = digests.finish(trailers);
    authorizeAgain(exchange);
    const body = await sink.finish();
    return { etag, checksum, size: sink.size, body, abort: () => sink.abort() };
  } catch (error) {
    sink.abort();
    // The answer gives the credits back, so it waits until the log has let go of what it was given.
    await sink.settled();
    throw error;
  }
}

export function receiveBody(exchange: Exchange, plan: BodyPlan): Promise<ReceivedBody> {
  const { length } = plan;
  if (length !== undefined && length <= SMALL_BODY_BYTES_MAX) {
    exchange.takeCredits(length);
    return receiveSmall(exchange, plan);
  }
  const pieces = PIECES_IN_MEMORY * CHUNK_BYTES_MAX;
  exchange.takeCredits(length === undefined ? pieces : Math.min(length, pieces));
  return receiveStream(exchange, plan);
}
