/**
 * Versions: switched on, found by their ids, listed, removed. What is looked up together is looked up in one
 * turn of the event loop, so nothing can be applied in between.
 */
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import { compareUtf8 } from "../s3/listing.ts";
import type { ObjectReader } from "../store/object-reader.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { BucketEntry, BucketTable } from "../state/bucket-table.ts";
import type { Chunk, Command, CommandResult, WriteCondition } from "../state/command.ts";
import { currentMarker, findVersion } from "../state/find-version.ts";
import type { FoundVersion as FoundInState } from "../state/find-version.ts";
import { keys, prefixRange } from "../state/keys.ts";
import { decodeObject } from "../state/object-row.ts";
import type { Versioning } from "../state/rows.ts";
import { invertedBirth, isNamed, versionIdOf } from "../state/version-id.ts";
import { deleteOutcome, unexpected } from "./put-outcome.ts";
import type {
  DeleteOutcome,
  FoundMarker,
  FoundVersion,
  VersionCursor,
  VersionPlace,
  VersionService,
  VersionTarget,
} from "./version-api.ts";
import {
  MergedVersions,
  VersionSource,
  readCurrentMarker,
  readCurrentObject,
  readOlderVersion,
} from "./version-cursor.ts";

const NO_SUCH_VERSION = { kind: "noSuchVersion" } as const;

export class Versions implements VersionService {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #index: StateIndex;
  readonly #table: BucketTable;
  readonly #reader: ObjectReader;

  constructor(parts: {
    readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
    readonly index: StateIndex;
    readonly buckets: BucketTable;
    readonly reader: ObjectReader;
  }) {
    this.#log = parts.log;
    this.#index = parts.index;
    this.#table = parts.buckets;
    this.#reader = parts.reader;
  }

  async setVersioning(
    bucket: string,
    versioning: Versioning,
  ): Promise<{ readonly kind: "done" | "noSuchBucket" }> {
    const result = await this.#log.propose({ kind: "setVersioning", bucket, versioning });
    return result.kind === "done" || result.kind === "noSuchBucket" ? result : unexpected(result);
  }

  async find(target: VersionTarget): Promise<FoundVersion> {
    await this.#log.readBarrier();
    const { key, version } = target;
    const cached = this.#reader.cached(`${target.bucket}/${key}`);
    if (cached !== undefined && isNamed(cached, version)) return { kind: "object", object: cached };
    const bucket = this.#table.find(target.bucket);
    if (bucket === undefined) return NO_SUCH_VERSION;
    if (this.#index.slow) await this.#warm(bucket, target);
    const found = this.#look(bucket, target);
    if (found === undefined) return NO_SUCH_VERSION;
    if (found.version.kind === "marker") return { kind: "marker", marker: markerOf(found.version.facts) };
    const { standing } = found.version;
    const row = standing instanceof Uint8Array ? decodeObject(standing) : standing;
    return { kind: "object", object: await this.#reader.resolve(row) };
  }

  #look(bucket: BucketEntry, { key, version }: VersionTarget): FoundInState | undefined {
    return findVersion({ view: this.#index, bucket, key }, version);
  }

  /** Brings the rows into memory in threads; what they say is read afterwards, all at once. */
  async #warm(bucket: BucketEntry, { key, version }: VersionTarget): Promise<void> {
    const { id } = bucket.row;
    const wanted = [keys.object(id, key), keys.marker(id, key), keys.history(id, key)];
    if (version.kind === "birth") wanted.push(keys.version(id, key, version));
    await this.#index.getManyLater(wanted);
  }

  currentMarker(target: { readonly bucket: string; readonly key: string }): FoundMarker | undefined {
    const bucket = this.#table.find(target.bucket);
    const marker = bucket && currentMarker({ view: this.#index, bucket, key: target.key });
    return marker && markerOf(marker);
  }

  async delete(target: VersionTarget): Promise<DeleteOutcome> {
    const { bucket, key, version } = target;
    const condition: WriteCondition = { kind: "none" };
    return deleteOutcome(await this.#log.propose({ kind: "deleteVersion", bucket, key, version, condition }));
  }

  placeOf(target: VersionTarget): string | undefined {
    const { version } = target;
    if (version.kind === "birth") return invertedBirth(version);
    const bucket = this.#table.find(target.bucket);
    const found = bucket && this.#look(bucket, target);
    return found && invertedBirth(found.version.facts);
  }

  async list(query: {
    readonly bucket: string;
    readonly prefix: string;
    readonly from: VersionPlace;
  }): Promise<VersionCursor | undefined> {
    const bucket = this.#table.find(query.bucket);
    if (bucket === undefined) return undefined;
    const { id } = bucket.row;
    const { prefix } = query;
    const from = compareUtf8(query.from.key, prefix) < 0 ? { key: prefix } : query.from;
    const starts = [keys.objectPrefix(id), keys.markerPrefix(id), keys.versionPrefix(id)];
    const ranges = starts.map((start) => ({ from: start + from.key, to: prefixRange(start + prefix).to }));
    const together = await this.#index.iterateTogether(ranges);
    const readers = [readCurrentObject, readCurrentMarker, readOlderVersion];
    const sources = readers.flatMap((read, at) => {
      const [iterator, start] = [together.iterators[at], starts[at]];
      return iterator === undefined || start === undefined ? [] : [new VersionSource(iterator, start, read)];
    });
    return new MergedVersions(sources, from, () => together.close());
  }
}

function markerOf(marker: Parameters<typeof versionIdOf>[0] & { readonly modifiedMs: number }): FoundMarker {
  return { versionId: versionIdOf(marker), modifiedMs: marker.modifiedMs };
}
