/**
 * Versions of a bucket in order, merged from three ranges of rows that were opened over one snapshot: current
 * objects, current delete markers, older versions. A key has one of the first two, which is its newest
 * version, and the rows of the third stand in the right order already.
 */
import type { IndexIterator } from "../ports/index-store.ts";
import { compareUtf8 } from "../s3/listing.ts";
import { readListingCode } from "../state/attributes.ts";
import { decodeFootprint, parseObjectHead } from "../state/object-row.ts";
import { invertedBirth, versionIdOf } from "../state/version-id.ts";
import { decodeMarker, decodeVersion } from "../state/version-row.ts";
import type { DeleteMarker } from "../state/version-row.ts";
import type { ListedVersion, VersionCursor, VersionPlace } from "./version-api.ts";

/** What is listed of a row; `rest` is its key behind the prefix of its range. */
export type RowReader = (rest: string, row: Uint8Array) => ListedVersion;

function listedObject(key: string, row: Uint8Array, isLatest: boolean): ListedVersion {
  const facts = decodeFootprint(row);
  const head = Buffer.from(row.buffer, row.byteOffset, 2 + (row[1] as number)).toString("latin1");
  const { modifiedMs, size, etag, listingCode } = parseObjectHead(head);
  const { checksum, storageClass } = readListingCode(listingCode);
  const names = { key, id: invertedBirth(facts), versionId: versionIdOf(facts) };
  return { ...names, isLatest, modifiedMs, object: { size, etag, checksum, storageClass } };
}

function listedMarker(key: string, marker: DeleteMarker, isLatest: boolean): ListedVersion {
  const names = { key, id: invertedBirth(marker), versionId: versionIdOf(marker) };
  return { ...names, isLatest, modifiedMs: marker.modifiedMs, object: undefined };
}

export const readCurrentObject: RowReader = (key, row) => listedObject(key, row, true);
export const readCurrentMarker: RowReader = (key, row) => listedMarker(key, decodeMarker(row), true);
export const readOlderVersion: RowReader = (rest, row) => {
  const key = rest.slice(0, rest.lastIndexOf("\0"));
  const { version } = decodeVersion(row);
  return version.kind === "marker"
    ? listedMarker(key, version.marker, false)
    : listedObject(key, version.row, false);
};

/** One of the ranges, read ahead. */
export class VersionSource {
  readonly #iterator: IndexIterator<Uint8Array>;
  readonly #prefix: string;
  readonly #read: RowReader;
  #ahead: readonly ListedVersion[] = [];
  #at = 0;
  #isExhausted = false;

  constructor(iterator: IndexIterator<Uint8Array>, prefix: string, read: RowReader) {
    this.#iterator = iterator;
    this.#prefix = prefix;
    this.#read = read;
  }

  /** The next entry, if there is one. */
  async look(limit: number): Promise<ListedVersion | undefined> {
    if (this.#at === this.#ahead.length && !this.#isExhausted) {
      const rows = await this.#iterator.next(limit);
      this.#ahead = rows.map(([key, row]) => this.#read(key.slice(this.#prefix.length), row));
      this.#at = 0;
      this.#isExhausted = rows.length === 0;
    }
    return this.#ahead[this.#at];
  }

  take(): void {
    this.#at++;
  }

  seek(rest: string): void {
    this.#iterator.seek(this.#prefix + rest);
    this.#ahead = [];
    this.#at = 0;
    this.#isExhausted = false;
  }
}

function isBefore(left: ListedVersion, right: ListedVersion): boolean {
  const byKey = compareUtf8(left.key, right.key);
  return byKey === 0 ? left.id < right.id : byKey < 0;
}

export class MergedVersions implements VersionCursor {
  readonly #sources: readonly VersionSource[];
  readonly #close: () => Promise<void>;
  #from: VersionPlace;

  constructor(sources: readonly VersionSource[], from: VersionPlace, close: () => Promise<void>) {
    this.#sources = sources;
    this.#from = from;
    this.#close = close;
  }

  async next(limit: number): Promise<readonly ListedVersion[]> {
    const found: ListedVersion[] = [];
    while (found.length < limit) {
      const version = await this.#take(limit - found.length);
      if (version === undefined) break;
      if (!this.#isSkipped(version)) found.push(version);
    }
    return found;
  }

  async #take(limit: number): Promise<ListedVersion | undefined> {
    let first: ListedVersion | undefined;
    let from: VersionSource | undefined;
    for (const source of this.#sources) {
      const version = await source.look(limit);
      if (version === undefined || (first !== undefined && !isBefore(version, first))) continue;
      first = version;
      from = source;
    }
    from?.take();
    return first;
  }

  #isSkipped({ key, id }: ListedVersion): boolean {
    const { key: fromKey, afterId } = this.#from;
    return afterId !== undefined && key === fromKey && id <= afterId;
  }

  seek(place: VersionPlace): void {
    this.#from = place;
    for (const source of this.#sources) source.seek(place.key);
  }

  async close(): Promise<void> {
    await this.#close();
  }
}
