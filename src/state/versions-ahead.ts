/**
 * What the steps of a batch will leave at a key, where some of them remove versions by their ids: then what
 * becomes current again has to be known before anything is written. Older versions are looked at one by one
 * and only once all that is newer is gone, so never more of them than there are steps.
 */
import { assert } from "../base/assert.ts";
import type { BucketEntry } from "./bucket-table.ts";
import { currentVersion, historyOf, versionOf, versionRow } from "./find-version.ts";
import type { Version, VersionPlace } from "./find-version.ts";
import type { Standing } from "./release-object.ts";
import { NULL_VERSION_ID, versionIdOf } from "./version-id.ts";
import type { Birth } from "./version-id.ts";

/** An object, of which little need be known; `undefined` for none, or a delete marker. */
export type Found = Standing | { readonly etag: string } | undefined;

/** Of a version that the batch makes: nobody can name it yet. */
const UNKNOWN_ID = "";

type Ahead = { readonly id: string; readonly found: Found };

function aheadOf(version: Version): Ahead {
  const found = version.kind === "object" ? version.standing : undefined;
  return { id: versionIdOf(version.facts), found };
}

export class VersionsAhead {
  readonly #place: VersionPlace;
  /** Newest first: those that the steps leave of what was looked at or made so far. */
  #versions: readonly Ahead[];
  /** The newest one that was not looked at. */
  #next: Birth | undefined;
  /** Ids that were removed, perhaps of versions that were not looked at. */
  readonly #removed = new Set<string>();

  constructor(place: VersionPlace) {
    this.#place = place;
    const current = currentVersion(place);
    this.#versions = current === undefined ? [] : [aheadOf(current)];
    this.#next = this.#bucket.row.versioning === undefined ? undefined : historyOf(place)?.newest;
  }

  get current(): Found {
    while (this.#versions.length === 0 && this.#next !== undefined) this.#lookFurther();
    return this.#versions[0]?.found;
  }

  /** A new object, or, with `undefined`, a deletion without a version id. */
  put(found: Found): void {
    const { versioning } = this.#bucket.row;
    if (versioning === undefined) {
      this.#versions = found === undefined ? [] : [{ id: NULL_VERSION_ID, found }];
      return;
    }
    if (versioning === "Suspended") this.remove(NULL_VERSION_ID);
    const id = versioning === "Suspended" ? NULL_VERSION_ID : UNKNOWN_ID;
    this.#versions = [{ id, found }, ...this.#versions];
  }

  remove(id: string): void {
    const left = this.#versions.filter((version) => version.id !== id);
    if (left.length === this.#versions.length) this.#removed.add(id);
    this.#versions = left;
  }

  get #bucket(): BucketEntry {
    return this.#place.bucket;
  }

  #lookFurther(): void {
    const row = this.#next && versionRow(this.#place, this.#next);
    assert(row !== undefined, `a version of ${this.#place.key} is linked but has no row`);
    this.#next = row.older;
    const version = aheadOf(versionOf(row));
    if (!this.#removed.has(version.id)) this.#versions = [...this.#versions, version];
  }
}
