/**
 * Sees each request of an S3 client where it leaves the SDK, right before it is written to a socket: what the
 * endpoint counts, and its owner pays for, is counted here too, attempts that failed among them. Only what
 * never got a connection is left out, because nobody saw it.
 */
import type { S3Client } from "@aws-sdk/client-s3";
import type { ColdOperation, ColdRequest, OnColdRequest } from "../ports/cold-store.ts";

type Watch = {
  readonly onRequest: OnColdRequest;
  /** What every key of ours begins with in the bucket. */
  readonly ownPrefix: string;
};

/** Of the SDK's request and answer, what is looked at. */
type Sent = { readonly method: string; readonly headers: Readonly<Record<string, string>> };
type Answered = { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> };
type Input = { readonly Key?: string; readonly Prefix?: string };

/** Errors of connections that were never made. */
const UNSENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN"]);
const NO_CONNECTION = /did not establish a connection/;

export function watchRequests(client: S3Client, { onRequest, ownPrefix }: Watch): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const seen = requestOf(args.request as Sent, args.input as Input, ownPrefix);
      try {
        const result = await next(args);
        onRequest({ ...seen, ...answerOf(seen.operation, result.response as Answered) });
        return result;
      } catch (error) {
        if (!isUnsent(error)) onRequest(seen);
        throw error;
      }
    },
    // The innermost place: behind it there are only sockets.
    { step: "deserialize", priority: "low", name: "watchRequests" },
  );
}

function requestOf({ method, headers }: Sent, input: Input, ownPrefix: string): ColdRequest {
  const full = input.Key ?? input.Prefix ?? "";
  const key = full.startsWith(ownPrefix) ? full.slice(ownPrefix.length) : "";
  const sentBytes = lengthIn(headers);
  return { operation: operationOf(method, input), key, status: 0, sentBytes, receivedBytes: 0 };
}

/** A POST opens or completes an upload in parts, and costs what a PUT does. */
function operationOf(method: string, { Key: key }: Input): ColdOperation {
  switch (method) {
    case "GET":
      return key === undefined ? "list" : "get";
    case "HEAD":
      return "head";
    case "DELETE":
      return "delete";
    default:
      return "put";
  }
}

function answerOf(
  operation: ColdOperation,
  { statusCode: status, headers }: Answered,
): Pick<ColdRequest, "status" | "receivedBytes"> {
  const hasBody = operation === "get" || operation === "list";
  return { status, receivedBytes: hasBody && status < 300 ? lengthIn(headers) : 0 };
}

function lengthIn(headers: Readonly<Record<string, string>>): number {
  return Number(headers["content-length"] ?? 0);
}

/** For requests that do not pass through the client's own stack. */
export function tellGet(
  { onRequest, key }: { readonly onRequest: OnColdRequest; readonly key: string },
  { answer, error }: { readonly answer?: Answered; readonly error?: unknown },
): void {
  const request: ColdRequest = { operation: "get", key, status: 0, sentBytes: 0, receivedBytes: 0 };
  if (answer !== undefined) onRequest({ ...request, ...answerOf("get", answer) });
  else if (!isUnsent(error)) onRequest(request);
}

function isUnsent(error: unknown): boolean {
  const { code, message = "" } = (error ?? {}) as { readonly code?: unknown; readonly message?: string };
  return (typeof code === "string" && UNSENT.has(code)) || NO_CONNECTION.test(message);
}
