/**
 * A PutObject whose body is an archive that is unpacked: its entries become objects, it does not. The whole
 * body is hashed and checked as that of any PUT, and the last entries are written when that is done.
 */
import { S3Error, s3Error } from "../../s3/errors.ts";
import { PUT_BYTES_MAX } from "../../s3/names.ts";
import { MAGIC_BYTES, compressionOf, parseArchiveTerms } from "../../s3/snowball.ts";
import { TarReader } from "../../s3/tar.ts";
import { answer, writeHeaders } from "../answer.ts";
import { ARCHIVE_MEMORY_BYTES, ArchiveObjects } from "../archive-objects.ts";
import { BodyDigests } from "../body-digests.ts";
import type { DigestResult } from "../body-digests.ts";
import { bodyDecoder, bodyTooLong, planBody } from "../body-plan.ts";
import type { BodyPlan } from "../body-plan.ts";
import { freeBuffer } from "../borrowed-buffers.ts";
import { pushChecksum } from "../checksum-lines.ts";
import type { Exchange } from "../exchange.ts";
import { Inflate } from "../inflate.ts";
import { pumpBody } from "../pump-body.ts";
import { requireBucketAndKey } from "../require-bucket.ts";

const RULES = { bytesMax: PUT_BYTES_MAX, needsLength: true } as const;

class Unpacking {
  readonly #exchange: Exchange;
  readonly #objects: ArchiveObjects;
  readonly #tar = new TarReader();
  readonly #credits: number;
  /** Until it is known how it is compressed. */
  #start: Buffer | undefined = Buffer.alloc(0);
  #inflate: Inflate | undefined;

  constructor(exchange: Exchange, objects: ArchiveObjects, length: number | undefined) {
    this.#exchange = exchange;
    this.#objects = objects;
    // What is not compressed needs no more memory than it is long.
    this.#credits = Math.min(length ?? ARCHIVE_MEMORY_BYTES, ARCHIVE_MEMORY_BYTES);
    exchange.takeCredits(this.#credits);
  }

  async take(piece: Buffer): Promise<void> {
    await this.#objects.writeOld();
    if (this.#start === undefined) return await this.#unpack(piece);
    this.#start = Buffer.concat([this.#start, piece]);
    if (this.#start.length >= MAGIC_BYTES) await this.#begin(this.#start);
  }

  async finish(): Promise<void> {
    if (this.#start !== undefined) await this.#begin(this.#start);
    if (this.#inflate !== undefined)
      for await (const bytes of this.#inflate.finish()) await this.#read(bytes);
    this.#tar.finish();
  }

  close(): void {
    this.#inflate?.close();
  }

  async #begin(start: Buffer): Promise<void> {
    this.#start = undefined;
    const compression = compressionOf(start);
    if (compression !== "none") {
      this.#exchange.takeCredits(ARCHIVE_MEMORY_BYTES - this.#credits);
      this.#inflate = new Inflate(compression);
    }
    await this.#unpack(start);
  }

  async #unpack(piece: Buffer): Promise<void> {
    if (this.#inflate === undefined) return await this.#read(piece);
    for await (const bytes of this.#inflate.push(piece)) await this.#read(bytes);
  }

  async #read(bytes: Buffer): Promise<void> {
    for (const event of this.#tar.push(bytes)) {
      const pending = this.#objects.take(event);
      if (pending !== undefined) await pending;
    }
  }
}

async function unpack(exchange: Exchange, plan: BodyPlan, unpacking: Unpacking): Promise<DigestResult> {
  const digests = new BodyDigests(plan);
  const decoder = bodyDecoder(exchange, plan);
  let size = 0;
  await pumpBody(exchange, async (wire) => {
    for (const piece of decoder === undefined ? [wire] : decoder.push(wire)) {
      size += piece.length;
      if (size > plan.bytesMax) throw bodyTooLong(plan);
      digests.update(piece);
      await unpacking.take(piece);
    }
    freeBuffer(wire);
  });
  const trailers = decoder?.end() ?? {};
  if (plan.length !== undefined && size !== plan.length) throw s3Error("IncompleteBody");
  const result = digests.finish(trailers);
  await unpacking.finish();
  return result;
}

/** Whoever has to send the rest again wants to know what is there. */
function withStored(error: unknown, stored: number): unknown {
  if (!(error instanceof S3Error) || stored === 0) return error;
  const { status, fields, headers } = error;
  const message = `${error.message} (${stored} objects of the archive were stored before)`;
  return new S3Error(error.code, { status, message, fields, headers, cause: error });
}

export async function putArchive(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const terms = parseArchiveTerms(exchange.headers);
  const plan = planBody(exchange, RULES);
  const objects = new ArchiveObjects(exchange, terms);
  const unpacking = new Unpacking(exchange, objects, plan.length);
  try {
    const { etag, checksum } = await unpack(exchange, plan, unpacking);
    await objects.write();
    const headers = writeHeaders(exchange);
    headers.push("ETag", `"${etag}"`);
    pushChecksum(headers, checksum, { withType: true });
    answer(exchange, 200, headers);
  } catch (error) {
    // The answer gives the credits back, so it waits until the log has let go of what it was given.
    await objects.giveUp();
    throw withStored(error, objects.stored);
  } finally {
    unpacking.close();
  }
}
