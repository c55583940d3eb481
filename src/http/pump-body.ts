/**
 * Reads the wire bytes of a request body from Node's stream events, with backpressure down to the socket:
 * while `take` has work under way, the socket is paused. Ends with the last byte, or fails: IncompleteBody
 * when the client goes away or stops short, RequestTimeout when it falls silent or slower than it may be
 * while we wait for it, or with what `take` threw.
 */
import { s3Error } from "../s3/errors.ts";
import type { WatchedBody } from "./body-watch.ts";
import type { Exchange } from "./exchange.ts";

/** Returns a promise when it wants the socket to wait. The bytes are the socket's: copy what is kept. */
export type TakeBytes = (bytes: Buffer) => Promise<void> | undefined;

/** Only after the request was found good: a client that asked first sends its body now. */
export function beginBody(exchange: Exchange): void {
  if (exchange.headers["expect"] !== undefined && !exchange.outgoing.headersSent) {
    exchange.outgoing.writeContinue();
  }
}

class BodyPump {
  readonly #exchange: Exchange;
  readonly #take: TakeBytes;
  readonly #done = Promise.withResolvers<void>();
  #watched: WatchedBody | undefined;
  #isWaiting = false;
  #hasEnded = false;

  constructor(exchange: Exchange, take: TakeBytes) {
    this.#exchange = exchange;
    this.#take = take;
  }

  run(): Promise<void> {
    const { incoming } = this.#exchange;
    if (incoming.destroyed && !incoming.readableEnded) return Promise.reject(s3Error("IncompleteBody"));
    if (incoming.readableEnded) return Promise.resolve();
    this.#watched = this.#exchange.edge.bodies.begin(this.#onTooSlow);
    incoming.on("data", this.#onData);
    incoming.on("end", this.#onEnd);
    incoming.on("close", this.#onClose);
    incoming.on("timeout", this.#onTimeout);
    return this.#done.promise;
  }

  #detach(): void {
    const { incoming, edge } = this.#exchange;
    if (this.#watched !== undefined) edge.bodies.end(this.#watched);
    incoming.off("data", this.#onData);
    incoming.off("end", this.#onEnd);
    incoming.off("close", this.#onClose);
    incoming.off("timeout", this.#onTimeout);
  }

  readonly #fail = (error: unknown): void => {
    this.#detach();
    this.#exchange.incoming.resume();
    this.#done.reject(error);
  };

  #finish(): void {
    this.#detach();
    this.#done.resolve();
  }

  readonly #onData = (bytes: Buffer): void => {
    // Before `take`: a buffer that is taken may be empty afterwards.
    if (this.#watched !== undefined) this.#watched.bytes += bytes.length;
    this.#exchange.counter.receivedBytes += bytes.length;
    try {
      const pending = this.#take(bytes);
      if (pending === undefined) return;
      this.#isWaiting = true;
      this.#exchange.incoming.pause();
      this.#watched?.pause(this.#now());
      pending.then(this.#onTaken, this.#fail);
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #onTaken = (): void => {
    this.#isWaiting = false;
    if (this.#hasEnded) this.#finish();
    else {
      this.#watched?.resume(this.#now());
      this.#exchange.incoming.resume();
    }
  };

  readonly #onTooSlow = (): void => {
    this.#fail(s3Error("RequestTimeout"));
  };

  #now(): number {
    return this.#exchange.edge.options.clock.monotonicMs();
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (!this.#isWaiting) this.#finish();
  };

  readonly #onClose = (): void => {
    if (!this.#hasEnded) this.#fail(s3Error("IncompleteBody"));
  };

  readonly #onTimeout = (): void => {
    // While the socket waits for us, silence is our own.
    if (!this.#isWaiting) this.#fail(s3Error("RequestTimeout"));
  };
}

export function pumpBody(exchange: Exchange, take: TakeBytes): Promise<void> {
  beginBody(exchange);
  return new BodyPump(exchange, take).run();
}
