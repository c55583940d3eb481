/**
 * Buckets by name with their counters, decoded once. Apply is the only writer, so an entry here is never
 * stale; counters are written to their row at the end of each entry. Bounded: the oldest clean entry goes
 * first.
 */
import { keys } from "./keys.ts";
import { rows } from "./rows.ts";
import type { BucketCounters, BucketRow, Versioning } from "./rows.ts";
import type { BucketSettingName } from "./setting-command.ts";
import type { StateView } from "./view.ts";

export type BucketEntry = {
  /** Replaced as a whole by whoever changes the bucket. */
  row: BucketRow;
  /** Start of the keys of its objects. */
  readonly objectPrefix: string;
  readonly counters: { -readonly [Field in keyof BucketCounters]-?: number };
  /** Documents that were asked for, absent ones too: every request to a bucket asks for its CORS rules. */
  readonly settings: Map<BucketSettingName, string | undefined>;
};

const NO_OBJECTS: BucketCounters = { objects: 0, bytes: 0 };
const NO_COUNTS = { objects: 0, bytes: 0, versions: 0, versionBytes: 0 } as const;
const CACHED_BUCKETS_MAX = 4096;

export class BucketTable {
  readonly #view: StateView;
  readonly #cached = new Map<string, BucketEntry>();
  readonly #dirty = new Set<BucketEntry>();

  constructor(view: StateView) {
    this.#view = view;
  }

  find(name: string): BucketEntry | undefined {
    const cached = this.#cached.get(name);
    if (cached !== undefined) return cached;
    const bytes = this.#view.get(keys.bucket(name));
    if (bytes === undefined) return undefined;
    const row = rows.bucket.decode(bytes);
    const counters = this.#view.get(keys.bucketCounters(row.id));
    const counted = counters === undefined ? NO_OBJECTS : rows.bucketCounters.decode(counters);
    const { objects, bytes: size, versions = 0, versionBytes = 0 } = counted;
    return this.#remember(name, row, { objects, bytes: size, versions, versionBytes });
  }

  create(name: string, row: BucketRow): void {
    this.#view.put(keys.bucket(name), rows.bucket.encode(row));
    const entry = this.#remember(name, row, { ...NO_COUNTS });
    this.#dirty.add(entry);
  }

  delete(name: string, entry: BucketEntry): void {
    this.#cached.delete(name);
    this.#dirty.delete(entry);
    this.#view.delete(keys.bucket(name));
    this.#view.delete(keys.bucketCounters(entry.row.id));
  }

  setVersioning(name: string, entry: BucketEntry, versioning: Versioning): void {
    const { id, owner, createdMs, location } = entry.row;
    entry.row = { id, owner, createdMs, location, versioning };
    this.#view.put(keys.bucket(name), rows.bucket.encode(entry.row));
  }

  setting(entry: BucketEntry, name: BucketSettingName): string | undefined {
    const { settings, row } = entry;
    if (settings.has(name)) return settings.get(name);
    const bytes = this.#view.get(keys.setting(row.id, name));
    const document = bytes === undefined ? undefined : rows.setting.decode(bytes).document;
    settings.set(name, document);
    return document;
  }

  /** `undefined` takes it away. */
  setSetting(entry: BucketEntry, name: BucketSettingName, document: string | undefined): void {
    const key = keys.setting(entry.row.id, name);
    if (document === undefined) this.#view.delete(key);
    else this.#view.put(key, rows.setting.encode({ document }));
    entry.settings.set(name, document);
  }

  count(entry: BucketEntry, objects: number, bytes: number): void {
    entry.counters.objects += objects;
    entry.counters.bytes += bytes;
    this.#dirty.add(entry);
  }

  countVersions(entry: BucketEntry, versions: number, bytes: number): void {
    entry.counters.versions += versions;
    entry.counters.versionBytes += bytes;
    this.#dirty.add(entry);
  }

  writeDirty(): void {
    for (const { row, counters } of this.#dirty) {
      const { objects, bytes } = counters;
      const written = row.versioning === undefined ? { objects, bytes } : counters;
      this.#view.put(keys.bucketCounters(row.id), rows.bucketCounters.encode(written));
    }
    this.#dirty.clear();
  }

  #remember(name: string, row: BucketRow, counters: BucketEntry["counters"]): BucketEntry {
    const settings = new Map<BucketSettingName, string | undefined>();
    const entry = { row, objectPrefix: keys.objectPrefix(row.id), counters, settings };
    if (this.#cached.size >= CACHED_BUCKETS_MAX) {
      for (const [oldest, value] of this.#cached) {
        if (this.#dirty.has(value)) continue;
        this.#cached.delete(oldest);
        break;
      }
    }
    this.#cached.set(name, entry);
    return entry;
  }
}
