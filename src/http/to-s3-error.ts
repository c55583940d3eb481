/**
 * From anything thrown to what the client is told. Errors of S3 are themselves; those that cross rooms
 * (base/errors.ts) have their S3 counterpart; a broken invariant goes to whoever can end the process; the
 * rest is an internal error whose details belong into our log and not into the answer.
 */
import { InvariantError } from "../base/assert.ts";
import { BusyError, DamageError, TooLargeError } from "../base/errors.ts";
import { UnavailableError, UnknownOutcomeError } from "../base/errors.ts";
import { ColdUnavailableError, isColdError } from "../ports/cold-store.ts";
import type { ColdError } from "../ports/cold-store.ts";
import { S3Error, s3Error } from "../s3/errors.ts";
import type { Exchange } from "./exchange.ts";

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function logError(exchange: Exchange, message: string, error: unknown): void {
  exchange.edge.options.logger.error(message, {
    requestId: exchange.requestId,
    operation: exchange.counter.name,
    method: exchange.method,
    path: exchange.target.rawPath,
    error: describe(error),
  });
}

/** What somebody has to mend first is not worth asking for at once. */
const MEND_SECONDS = 60;

/** The cold tier cannot be reached, or lets nobody in: nothing is lost, and hot objects are served on. */
function coldAway(error: ColdError): S3Error {
  const seconds = error instanceof ColdUnavailableError ? Math.ceil(error.retryAfterMs / 1000) : MEND_SECONDS;
  return s3Error("ServiceUnavailable", {
    message: `The body lies in the cold tier, which does not answer: ${error.message}`,
    headers: { "Retry-After": String(Math.max(1, seconds)) },
    cause: error,
  });
}

/** Other than damage on a disk of ours this is the whole story, and a client has something to report. */
function damaged(exchange: Exchange, error: DamageError): S3Error {
  exchange.edge.damagedReads++;
  logError(exchange, "damaged data", error);
  if (isColdError(error.cause)) return s3Error("InternalError", { message: error.message, cause: error });
  const message =
    "The stored bytes do not match their checksum and were not sent; the server's log says more.";
  return s3Error("ServiceUnavailable", { message, cause: error });
}

export function toS3Error(exchange: Exchange, error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof BusyError) {
    return s3Error("SlowDown", {
      message: `Please reduce your request rate: ${error.message}`,
      cause: error,
    });
  }
  if (error instanceof TooLargeError) {
    return s3Error("EntityTooLarge", { message: error.message, cause: error });
  }
  if (error instanceof UnknownOutcomeError) {
    const message = `The outcome of this write is unknown, it may still take effect: ${error.message}`;
    return s3Error("ServiceUnavailable", { message, cause: error });
  }
  if (error instanceof UnavailableError) {
    return s3Error("ServiceUnavailable", {
      message: `This node does not serve: ${error.message}`,
      cause: error,
    });
  }
  if (error instanceof DamageError) return damaged(exchange, error);
  if (isColdError(error)) return coldAway(error);
  logError(exchange, "internal error", error);
  if (error instanceof InvariantError) exchange.edge.options.onFatal(error);
  return s3Error("InternalError", { cause: error });
}
