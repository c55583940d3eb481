/**
 * Sends a body that comes in pieces: one piece in memory at a time, the next is read when the socket has
 * taken the last. The head goes out with the first piece, so that a body whose beginning cannot be read is
 * still an error answer; a body that breaks off later can only end in a cut connection, which the client
 * sees as one.
 */
import type { ServerResponse } from "node:http";
import { CHUNK_BYTES_MAX } from "../service/api.ts";
import type { FoundObject } from "../service/api.ts";
import type { Exchange } from "./exchange.ts";

/** Smaller ones may share their memory, and are not worth it. */
const FREED_BYTES_MIN = 128 * 1024;

/**
 * Frees a piece that the socket has taken. V8 would do so when it collects garbage, which a download makes
 * little of: a 1 GiB GET held 300 MiB, and holds 180 so. After a failed write the socket may still look at
 * it.
 */
function freeWhenSent(piece: Uint8Array): (error?: Error | null) => void {
  return (error) => {
    const { buffer } = piece;
    const isLarge = buffer instanceof ArrayBuffer && buffer.byteLength >= FREED_BYTES_MIN;
    // A small view of a large buffer is one of many, whatever its maker promised.
    const isOurs = isLarge && piece.byteLength > buffer.byteLength / 2;
    if (isOurs && (error === undefined || error === null)) buffer.transfer(0);
  };
}

export type BodySlice = { readonly start: number; readonly end: number };

/** Resolves when more may be written, or when nobody is left to read it. */
class Drain {
  readonly #exchange: Exchange;
  readonly #outgoing: ServerResponse;
  readonly #gone = new AbortController();
  #resolve: (() => void) | undefined;

  constructor(exchange: Exchange) {
    const { outgoing } = exchange;
    this.#exchange = exchange;
    this.#outgoing = outgoing;
    outgoing.on("drain", this.#wake);
    outgoing.on("close", this.#onClose);
    if (outgoing.destroyed) this.#gone.abort();
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  async wait(): Promise<void> {
    if (this.signal.aborted) return;
    const { stalledReaders } = this.#exchange.edge;
    const stall = stalledReaders.begin(this.#cut);
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
    });
    stalledReaders.end(stall);
  }

  /** The head is out, so there is no other way to say it. */
  readonly #cut = (): void => {
    const { requestId, edge } = this.#exchange;
    edge.options.logger.info("a reader that took nothing was cut, to make room for others", { requestId });
    this.#outgoing.destroy();
    this.#exchange.finish(this.#outgoing.statusCode);
  };

  detach(): void {
    this.#outgoing.off("drain", this.#wake);
    this.#outgoing.off("close", this.#onClose);
  }

  readonly #wake = (): void => {
    this.#resolve?.();
    this.#resolve = undefined;
  };

  readonly #onClose = (): void => {
    this.#gone.abort();
    this.#wake();
  };
}

export async function sendBody(
  exchange: Exchange,
  found: FoundObject,
  answer: { readonly status: number; readonly headers: string[]; readonly slice: BodySlice },
): Promise<void> {
  const { outgoing, edge } = exchange;
  const { slice, status, headers } = answer;
  exchange.takeCredits(Math.min(CHUNK_BYTES_MAX, slice.end - slice.start));
  const drain = new Drain(exchange);
  try {
    for await (const piece of edge.service.objects.read(found, slice, { signal: drain.signal })) {
      if (drain.signal.aborted) break;
      if (!outgoing.headersSent) outgoing.writeHead(status, headers);
      // Bytes that came along with the object are the cache's; what was read for this answer is ours.
      const sent = found.bytes === undefined ? freeWhenSent(piece) : undefined;
      exchange.counter.sentBytes += piece.length;
      if (!outgoing.write(piece, sent)) await drain.wait();
    }
    if (!drain.signal.aborted) outgoing.end();
    exchange.finish(status);
  } catch (error) {
    // A reader that stops because the client left is no error of ours.
    if (!drain.signal.aborted) throw error;
    exchange.finish(status);
  } finally {
    drain.detach();
  }
}

/** Pieces that are in memory already and stay whose they are; credits for them must have been taken. */
export async function sendPieces(
  exchange: Exchange,
  answer: { readonly status: number; readonly headers: string[]; readonly pieces: readonly Uint8Array[] },
): Promise<void> {
  const { outgoing } = exchange;
  const { status, headers, pieces } = answer;
  const drain = new Drain(exchange);
  try {
    outgoing.writeHead(status, headers);
    for (const piece of pieces) {
      if (drain.signal.aborted) break;
      exchange.counter.sentBytes += piece.length;
      if (!outgoing.write(piece)) await drain.wait();
    }
    if (!drain.signal.aborted) outgoing.end();
  } finally {
    drain.detach();
    exchange.finish(status);
  }
}
