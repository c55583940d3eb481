/**
 * The SDK's client as the cold tier needs it: sockets of our own, never more than `poolSize`; time limits
 * that end a request; no retries, since ours know files and the circuit (guarded-calls.ts); no checksum
 * trailers, which S3-like stores refuse. Instead the SHA-256 of each body goes into the signature, where
 * every endpoint has to verify it.
 */
import * as http from "node:http";
import * as https from "node:https";
import { S3Client } from "@aws-sdk/client-s3";
import type { S3ClientConfig } from "@aws-sdk/client-s3";

export type S3ColdPlace = {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  /** AWS, or what the SDK's environment says, if left out. */
  readonly endpoint?: string | undefined;
  /** The SDK's own (environment, profile) if left out; where an endpoint is given, us-east-1. */
  readonly region?: string | undefined;
  /** The SDK's own chain (environment, profile, instance role) if left out. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** `host/bucket/key` instead of `bucket.host/key`; if left out, wherever it is not AWS. */
  readonly pathStyle?: boolean;
  /** The endpoint takes and keeps `x-amz-checksum-sha256`; if left out, where it is AWS. */
  readonly keepsChecksums?: boolean;
  readonly poolSize: number;
};

export type S3ColdTimeouts = {
  readonly connectMs: number;
  /** Nothing sent and nothing received. */
  readonly idleMs: number;
  /** Of a request without a body; bytes get time on top. */
  readonly requestMs: number;
};

export const defaultTimeouts: S3ColdTimeouts = { connectMs: 3_000, idleMs: 30_000, requestMs: 60_000 };

/** Ten slots on a line of 5 Mbit/s still get through; what stands still is ended by `idleMs`. */
const BYTES_PER_MS_MIN = 64;

export function requestMsFor(bytes: number, { requestMs }: S3ColdTimeouts): number {
  return requestMs + Math.ceil(bytes / BYTES_PER_MS_MIN);
}

export function isAws({ endpoint }: S3ColdPlace): boolean {
  return endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
}

export function nameOf({ bucket, prefix, endpoint, region }: S3ColdPlace): string {
  const where = endpoint ?? region;
  return `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}${where === undefined ? "" : ` at ${where}`}`;
}

/** What it has to say is in its errors; it would write to the console that streams are not retried. */
const silence = {
  trace: (): void => undefined,
  debug: (): void => undefined,
  info: (): void => undefined,
  warn: (): void => undefined,
  error: (): void => undefined,
};

export function makeS3Client(place: S3ColdPlace, timeouts: S3ColdTimeouts): S3Client {
  const { endpoint, credentials, poolSize } = place;
  const region = place.region ?? (isAws(place) ? undefined : "us-east-1");
  const sockets = { keepAlive: true, maxSockets: poolSize, maxTotalSockets: poolSize };
  const config: S3ClientConfig = {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    // Certificates of AWS cover one label below the region's host: a bucket with a dot has to be in the path.
    forcePathStyle: place.pathStyle ?? (!isAws(place) || place.bucket.includes(".")),
    requestHandler: {
      httpAgent: new http.Agent(sockets),
      httpsAgent: new https.Agent(sockets),
      connectionTimeout: timeouts.connectMs,
      socketTimeout: timeouts.idleMs,
      requestTimeout: timeouts.requestMs,
      throwOnRequestTimeout: true,
    },
    // With it each body of 2 MiB and more gets an agent, and so a socket, of its own.
    expectContinueHeader: false,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: 1,
    logger: silence,
  };
  return new S3Client(config);
}
