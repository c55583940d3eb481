/**
 * Streams of unknown length into one object, by lib-storage: a single request while one part holds it all,
 * else parts. Each of its requests goes through our guard, with the digest of its body in the signature.
 * If the process dies in the middle, parts stay behind unseen; the bucket's lifecycle rule
 * AbortIncompleteMultipartUpload takes them away.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand } from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { Clock } from "../ports/clock.ts";
import type { ColdPut, ColdStored } from "../ports/cold-store.ts";
import { ColdDamagedError } from "../ports/cold-store.ts";
import { bodyOfBytes, digestOf, untilAborted } from "./cold-body.ts";
import { signPayload } from "./s3-cold-wire.ts";
import type { S3Wire, SdkCommand } from "./s3-cold-wire.ts";

/** 10,000 parts are allowed: 320 GB. Two of them are in memory, and what gathers for the next one. */
const PART_BYTES = 32 * 1024 * 1024;
const PARTS_AT_ONCE = 2;

type StreamUpload = {
  readonly key: string;
  readonly put: ColdPut;
  readonly clock: Clock;
  /** Length of the object that has the key now. */
  readonly bytesAt: () => Promise<number | undefined>;
};

export async function uploadStream(
  wire: S3Wire,
  source: AsyncIterable<Uint8Array>,
  upload: StreamUpload,
): Promise<ColdStored> {
  const { key, put } = upload;
  const params = wire.putParams(key, put);
  const result: { stored?: ColdStored } = {};
  const tell = (stored: ColdStored): void => void (result.stored = stored);
  const body = Readable.from(hashed(source, { put, closing: wire.closing, what: wire.what(key), tell }), {
    highWaterMark: 1,
  });
  // Only the first of the uploaders that read it would be told; the others must not end the process.
  body.on("error", () => undefined);
  try {
    await new Upload({
      client: guardedClient(wire, upload),
      params: { ...params, Body: body },
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
    }).done();
  } finally {
    body.destroy();
  }
  if (result.stored === undefined) throw new Error(`${wire.what(key)}: the upload ended before its source`);
  return result.stored;
}

/** The SDK's client in everything but how it sends. */
function guardedClient(wire: S3Wire, upload: StreamUpload): S3Client {
  const sent = { bytes: 0 };
  const guarded = Object.create(wire.client) as S3Client;
  guarded.send = (async (command: SdkCommand) => {
    if (command instanceof AbortMultipartUploadCommand) return await cleanUp(wire, command);
    if (command instanceof CompleteMultipartUploadCommand) {
      return await complete(wire, command, { ...upload, sentBytes: sent.bytes });
    }
    const answer = await sendPart(wire, command, upload);
    sent.bytes += bytesOf(command);
    return answer;
  }) as S3Client["send"];
  return guarded;
}

function bytesOf(command: SdkCommand): number {
  return (command.input as { readonly Body?: Uint8Array }).Body?.length ?? 0;
}

/** Also the request that opens the upload, and the only one of a stream that fits into one part. */
async function sendPart(wire: S3Wire, command: SdkCommand, upload: StreamUpload): Promise<unknown> {
  const { Body: body } = command.input as { readonly Body?: Uint8Array };
  const { signal } = upload.put;
  if (body !== undefined) signPayload(command, await digestOf(bodyOfBytes([body]), upload.clock, signal));
  return await wire.ask(command, { bytes: bytesOf(command), key: upload.key, signal });
}

async function complete(
  wire: S3Wire,
  command: CompleteMultipartUploadCommand,
  { key, put, sentBytes, bytesAt }: StreamUpload & { readonly sentBytes: number },
): Promise<unknown> {
  try {
    return await wire.ask(command, { bytes: 0, key, signal: put.signal });
  } catch (error) {
    const isGone = (error as { readonly cause?: { readonly name?: string } }).cause?.name === "NoSuchUpload";
    // The answer to an attempt before may have been lost: then the object stands there, whole.
    if (!isGone || (await bytesAt()) !== sentBytes) throw error;
    return {};
  }
}

/** Parts that cannot be removed are left to the lifecycle rule: what counts is what failed before. */
async function cleanUp(wire: S3Wire, command: SdkCommand): Promise<void> {
  await wire.ask(command, { bytes: 0, attemptsMax: 2 }).then(undefined, () => undefined);
}

type Hashing = {
  readonly put: ColdPut;
  readonly closing: AbortSignal;
  readonly what: string;
  readonly tell: (stored: ColdStored) => void;
};

async function* hashed(
  source: AsyncIterable<Uint8Array>,
  { put: { sha256, signal }, closing, what, tell }: Hashing,
): AsyncIterable<Uint8Array> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of untilAborted(
    source,
    AbortSignal.any([closing, ...(signal === undefined ? [] : [signal])]),
  )) {
    hash.update(piece);
    bytes += piece.length;
    yield piece;
  }
  const digest = hash.digest("hex");
  // Before the last part goes out: an upload that is not completed leaves no object.
  if (sha256 !== undefined && sha256 !== digest) {
    throw new ColdDamagedError(`${what}: the bytes have SHA-256 ${digest}, not ${sha256}`);
  }
  tell({ bytes, sha256: digest });
}
