/**
 * The ColdStore port on any S3 API. One PUT per object, whatever its size, but for streams of unknown length;
 * deletions key by key, because that costs nothing at AWS and, unlike DeleteObjects, works everywhere.
 *
 * Every PUT carries the SHA-256 of its body in the signature, which an endpoint must verify, on AWS as the
 * object's checksum too, and in its metadata for a later HEAD. This file is loaded late (open-cold-store.ts):
 * the SDK takes a tenth of a second to import.
 */
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type {
  GetObjectCommandOutput,
  HeadObjectCommandOutput,
  ListObjectsV2CommandOutput,
} from "@aws-sdk/client-s3";
import { assert } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  ColdCall,
  ColdEntry,
  ColdGet,
  ColdHead,
  ColdPut,
  ColdStore,
  ColdStored,
} from "../ports/cold-store.ts";
import {
  COLD_WHOLE_BYTES_MAX,
  ColdDamagedError,
  ColdMissingError,
  ColdRefusedError,
  isColdKey,
  isColdPrefix,
} from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { ColdBody } from "./cold-body.ts";
import { bodyOfBytes, bodyOfFile, digestOf } from "./cold-body.ts";
import { SourceFailure } from "./s3-cold-errors.ts";
import { readBody } from "./s3-cold-read.ts";
import { uploadStream } from "./s3-cold-upload.ts";
import { S3Wire, signPayload } from "./s3-cold-wire.ts";
import type { S3WireOptions } from "./s3-cold-wire.ts";

export type S3ColdOptions = S3WireOptions & {
  /** Where `putFile` reads. */
  readonly disk: Disk;
};

type Listed = {
  readonly prefix: string;
  readonly after?: string | undefined;
  readonly token?: string | undefined;
  readonly count?: number;
};

export class S3ColdStore implements ColdStore {
  readonly place: string;
  readonly #wire: S3Wire;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #poolSize: number;
  /** Whether the bucket has ever answered: a HEAD of an object does not tell which of the two is missing. */
  #isBucketThere = false;

  constructor(options: S3ColdOptions) {
    this.#wire = new S3Wire(options);
    this.place = this.#wire.place;
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#poolSize = options.poolSize;
  }

  async check({ signal }: ColdCall = {}): Promise<void> {
    await this.#listPage({ prefix: "", count: 1 }, signal);
  }

  async put(key: string, body: Uint8Array | readonly Uint8Array[], put: ColdPut): Promise<ColdStored> {
    return await this.#putBody(key, bodyOfBytes(body instanceof Uint8Array ? [body] : body), put);
  }

  async putFile(key: string, path: string, put: ColdPut): Promise<ColdStored> {
    return await this.#putBody(key, await bodyOfFile(this.#disk, path), put);
  }

  async #putBody(key: string, body: ColdBody, put: ColdPut): Promise<ColdStored> {
    const params = this.#wire.putParams(key, put);
    // Whoever knows it has read the bytes already. Others would be refused, as damaged on the way are.
    const sha256 = put.sha256 ?? (await digestOf(body, this.#clock, put.signal));
    const checksum = Buffer.from(sha256, "hex").toString("base64");
    await this.#wire.guarded({ bytes: body.bytes, key, signal: put.signal }, async (signal) => {
      const command = new PutObjectCommand({
        ...params,
        ContentLength: body.bytes,
        Metadata: { sha256 },
        ...(this.#wire.keepsChecksums ? { ChecksumSHA256: checksum } : {}),
      });
      signPayload(command, sha256);
      await this.#sendBody(command, body, signal);
    });
    return { bytes: body.bytes, sha256 };
  }

  /** One attempt, with a reading of the body of its own that ends with it. */
  async #sendBody(command: PutObjectCommand, body: ColdBody, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const stream = Readable.from(body.pieces());
    let failure: Error | undefined;
    stream.on("error", (error) => {
      failure = error;
      ended.abort();
    });
    command.input.Body = stream;
    try {
      await this.#wire.send(command, body.bytes, AbortSignal.any([signal, ended.signal]));
    } catch (error) {
      throw failure === undefined ? error : new SourceFailure(failure);
    } finally {
      // An answer that came before the body was sent leaves a request that would hold its socket for ever.
      if (!stream.readableEnded) ended.abort();
      stream.destroy();
    }
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, put: ColdPut): Promise<ColdStored> {
    const upload = { key, put, clock: this.#clock, bytesAt: async () => (await this.head(key))?.bytes };
    return await uploadStream(this.#wire, source, upload);
  }

  async get(key: string, { range, sha256, signal }: ColdGet = {}): Promise<Uint8Array> {
    assert(range === undefined || range.start < range.end, "an empty range of a cold object");
    const input = {
      ...this.#wire.address(key),
      ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
    };
    const expected = range === undefined ? COLD_WHOLE_BYTES_MAX : range.end - range.start;
    let attempts = 0;
    const bytes = await this.#wire.guarded({ bytes: expected, key, signal }, async (attempt) => {
      const isFirst = attempts++ === 0;
      const quick =
        isFirst && range !== undefined ? await this.#wire.quickGet(key, range, attempt) : undefined;
      const answer =
        quick ??
        (await this.#wire.send<GetObjectCommandOutput>(new GetObjectCommand(input), expected, attempt));
      return await readBody(answer, { what: this.#wire.what(key), range });
    });
    this.#isBucketThere = true;
    if (sha256 === undefined) return bytes;
    this.#requireDigest(key, await digestOf(bodyOfBytes([bytes]), this.#clock, signal), sha256);
    return bytes;
  }

  #requireDigest(key: string, found: string, wanted: string | undefined): void {
    if (wanted === undefined || found === wanted) return;
    throw new ColdDamagedError(`${this.#wire.what(key)}: the bytes have SHA-256 ${found}, not ${wanted}`);
  }

  async head(key: string, { signal }: ColdCall = {}): Promise<ColdHead | undefined> {
    const command = new HeadObjectCommand({
      ...this.#wire.address(key),
      ...(this.#wire.keepsChecksums ? { ChecksumMode: "ENABLED" } : {}),
    });
    try {
      const answer = await this.#wire.ask<HeadObjectCommandOutput>(command, { bytes: 0, key, signal });
      return headOf(answer, this.#wire.what(key));
    } catch (error) {
      if (!(error instanceof ColdMissingError)) throw error;
      await this.#requireBucket(signal);
      return undefined;
    }
  }

  async #requireBucket(signal: AbortSignal | undefined): Promise<void> {
    if (this.#isBucketThere) return;
    const { bucket } = this.#wire;
    try {
      await this.#wire.ask(new HeadBucketCommand({ Bucket: bucket }), { bytes: 0, signal });
      this.#isBucketThere = true;
    } catch (error) {
      if (!(error instanceof ColdMissingError)) throw error;
      const message = `cold tier ${this.place}: there is no bucket ${bucket}; create it, or mend cold.url`;
      throw new ColdRefusedError(message, { cause: error });
    }
  }

  async *list(
    prefix: string,
    { after = "", signal }: ColdCall & { readonly after?: string } = {},
  ): AsyncIterable<ColdEntry> {
    if (!isColdPrefix(prefix)) return;
    const own = this.#wire.fullKey("");
    let last = after;
    let token: string | undefined;
    do {
      const page = await this.#listPage({ prefix, after, token }, signal);
      for (const { Key: full = "", Size: bytes = 0, LastModified: modified } of page.Contents ?? []) {
        const key = full.slice(own.length);
        if (!full.startsWith(own) || !isColdKey(key) || key <= after) continue;
        // Characters of cold keys compare as their bytes do. Also the way out of a page that comes for ever.
        if (key <= last) {
          throw new ColdDamagedError(`${this.#wire.what(key)}: listed out of order, behind ${last}`);
        }
        last = key;
        yield { key, bytes, modifiedMs: modified?.getTime() ?? 0 };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async #listPage(
    { prefix, after = "", token, count }: Listed,
    signal: AbortSignal | undefined,
  ): Promise<ListObjectsV2CommandOutput> {
    const command = new ListObjectsV2Command({
      Bucket: this.#wire.bucket,
      Prefix: this.#wire.fullKey(prefix),
      ...(count === undefined ? {} : { MaxKeys: count }),
      ...(after === "" ? {} : { StartAfter: this.#wire.fullKey(after) }),
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await this.#wire.ask<ListObjectsV2CommandOutput>(command, { bytes: 0, signal });
    this.#isBucketThere = true;
    return page;
  }

  async delete(keys: readonly string[], { signal }: ColdCall = {}): Promise<void> {
    const addresses = keys.map((key) => ({ key, address: this.#wire.address(key) })).values();
    const worker = async (): Promise<void> => {
      for (const { key, address } of addresses) {
        try {
          await this.#wire.ask(new DeleteObjectCommand(address), { bytes: 0, key, signal });
        } catch (error) {
          // As some stores answer where AWS says 204.
          if (!(error instanceof ColdMissingError)) throw error;
        }
      }
    };
    const workers = Array.from({ length: Math.min(this.#poolSize, keys.length) }, worker);
    const failed = (await Promise.allSettled(workers)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  async close(): Promise<void> {
    await this.#wire.close();
  }
}

function headOf(answer: HeadObjectCommandOutput, what: string): ColdHead {
  const { ContentLength: bytes, ChecksumSHA256: checksum, Metadata: metadata } = answer;
  if (bytes === undefined) throw new ColdDamagedError(`${what}: an answer without a length`);
  // A checksum of checksums, as multipart uploads have them, ends in a dash and the count of parts.
  const isWhole = checksum !== undefined && !checksum.includes("-");
  return {
    bytes,
    modifiedMs: answer.LastModified?.getTime() ?? 0,
    sha256: isWhole ? Buffer.from(checksum, "base64").toString("hex") : metadata?.["sha256"],
    etag: answer.ETag,
    storageClass: answer.StorageClass,
  };
}
