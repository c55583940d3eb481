/** Objects: read, written, deleted and listed. Writes are proposals; what they mean is decided in apply. */
import { DamageError } from "../base/errors.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import { compareUtf8 } from "../s3/listing.ts";
import { placeOfPart } from "../store/object-reader.ts";
import type { ObjectReader, Tier } from "../store/object-reader.ts";
import type { StateIndex } from "../store/state-index.ts";
import { readListingCode } from "../state/attributes.ts";
import type { BucketTable } from "../state/bucket-table.ts";
import type {
  Chunk,
  Command,
  CommandBody,
  CommandResult,
  PutObject,
  WriteCondition,
} from "../state/command.ts";
import { keys, prefixRange } from "../state/keys.ts";
import { parseObjectHead } from "../state/object-row.ts";
import type { StoredObject } from "../state/stored-object.ts";
import type {
  BodyWriter,
  DeleteOutcome,
  FoundObject,
  KeyVersion,
  ListedObject,
  ObjectCursor,
  ObjectService,
  PutObjectInput,
  PutOutcome,
} from "./api.ts";
import type { Bodies } from "./bodies.ts";
import { deleteOutcome, putOutcome } from "./put-outcome.ts";

type Range = { readonly start: number; readonly end: number };

export class Objects implements ObjectService {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #index: StateIndex;
  readonly #table: BucketTable;
  readonly #reader: ObjectReader;
  readonly #bodies: Bodies;

  constructor(parts: {
    readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
    readonly index: StateIndex;
    readonly buckets: BucketTable;
    readonly reader: ObjectReader;
    readonly bodies: Bodies;
  }) {
    this.#log = parts.log;
    this.#index = parts.index;
    this.#table = parts.buckets;
    this.#reader = parts.reader;
    this.#bodies = parts.bodies;
  }

  find(path: string): FoundObject | undefined | Promise<FoundObject | undefined> {
    const barrier = this.#log.readBarrier();
    if (barrier === undefined) return this.#reader.find(path);
    return barrier.then(() => this.#reader.find(path));
  }

  async *read(
    object: FoundObject,
    range: Range,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    let missing = range.end - range.start;
    for await (const piece of this.#reader.read(object as StoredObject, range)) {
      if (options.signal.aborted) return;
      missing -= piece.length;
      yield piece;
    }
    if (missing !== 0) throw new DamageError(`a body of ${object.size} bytes lacks ${missing} of them`);
  }

  tierOf(object: FoundObject, range: Range): Tier | Promise<Tier> {
    return this.#reader.tierOf(object as StoredObject, range);
  }

  partRange(object: FoundObject, partNumber: number): Range | undefined {
    const { runs } = object as StoredObject;
    if (runs.length > 0) return placeOfPart(runs, partNumber);
    return partNumber === 1 ? { start: 0, end: object.size } : undefined;
  }

  startBody(): BodyWriter {
    return this.#bodies.start();
  }

  async put(input: PutObjectInput): Promise<PutOutcome> {
    return putOutcome(await this.#bodies.propose(input, commandOf));
  }

  async putMany(inputs: readonly PutObjectInput[]): Promise<readonly PutOutcome[]> {
    const results = await this.#bodies.proposeTogether(inputs, commandOf);
    return results.map(putOutcome);
  }

  async delete(target: {
    readonly bucket: string;
    readonly key: string;
    readonly condition: WriteCondition;
  }): Promise<DeleteOutcome> {
    return deleteOutcome(await this.#log.propose({ kind: "deleteObject", ...target }));
  }

  async deleteMany(
    bucket: string,
    doomed: readonly (string | KeyVersion)[],
  ): Promise<readonly DeleteOutcome[]> {
    const condition: WriteCondition = { kind: "none" };
    const commands = doomed.map((each): Command => {
      if (typeof each === "string") return { kind: "deleteObject", bucket, key: each, condition };
      return { kind: "deleteVersion", bucket, ...each, condition };
    });
    return (await this.#log.proposeTogether(commands)).map(deleteOutcome);
  }

  async list(query: {
    readonly bucket: string;
    readonly prefix: string;
    readonly from: string;
  }): Promise<ObjectCursor | undefined> {
    const bucket = this.#table.find(query.bucket);
    if (bucket === undefined) return undefined;
    const start = keys.objectPrefix(bucket.row.id);
    const { to } = prefixRange(start + query.prefix);
    const from = compareUtf8(query.from, query.prefix) < 0 ? query.prefix : query.from;
    const iterator = await this.#index.iterateText({ from: start + from, to });
    return {
      next: async (limit) => (await iterator.next(limit)).map((row) => listed(row, start.length)),
      seek: (key) => iterator.seek(start + key),
      close: () => iterator.close(),
    };
  }
}

function commandOf(input: PutObjectInput, body: CommandBody): PutObject {
  const { bucket, key, etag, attributes, condition, tags } = input;
  return { kind: "putObject", bucket, key, etag, attributes, body, condition, tags };
}

function listed([key, row]: readonly [string, string], prefixLength: number): ListedObject {
  const { size, modifiedMs, etag, listingCode } = parseObjectHead(row);
  const { checksum, storageClass } = readListingCode(listingCode);
  return { key: key.slice(prefixLength), size, modifiedMs, etag, checksum, storageClass };
}
