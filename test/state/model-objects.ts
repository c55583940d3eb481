/**
 * What a bucket holds, as plainly as it can be said: for each key a list of versions, the newest first. The
 * first one is the current one.
 */
import type { Versioning } from "../../src/state/rows.ts";
import type { TagSet } from "../../src/state/tags.ts";

export type ModelObject = {
  readonly etag: string;
  readonly size: number;
  readonly timeMs: number;
  readonly tags: TagSet;
  /** Log index and number in the entry, as a version id shows them. */
  readonly birth: string;
  /** As many lists, one in the other, or fewer. */
  readonly nesting: number;
};
export type ModelVersion = {
  readonly id: string;
  /** `undefined`: a delete marker. */
  readonly object: ModelObject | undefined;
  readonly timeMs: number;
};

export class ModelObjects {
  versioning: Versioning | undefined = undefined;
  readonly #versions = new Map<string, readonly ModelVersion[]>();
  /** The id of what is born now. */
  readonly #born: () => string;

  constructor(born: () => string) {
    this.#born = born;
  }

  versionsOf(key: string): readonly ModelVersion[] {
    return this.#versions.get(key) ?? [];
  }

  /** The current object. */
  get(key: string): ModelObject | undefined {
    return this.versionsOf(key)[0]?.object;
  }

  /** Puts an object; the version id that this shows. */
  set(key: string, object: ModelObject): string | undefined {
    return this.#add(key, object, object.timeMs);
  }

  /** The version that was born then, current or older, if it is an object. */
  ofBirth(key: string, birth: string): ModelObject | undefined {
    return this.versionsOf(key).find(({ object }) => object?.birth === birth)?.object;
  }

  /** A version stays what it is, but for what may change of one. */
  change(key: string, changed: ModelObject): void {
    const versions = this.versionsOf(key).map((version) =>
      version.object?.birth === changed.birth ? { ...version, object: changed } : version,
    );
    this.#versions.set(key, versions);
  }

  /** Deletes without a version id; the id of the delete marker. */
  delete(key: string, timeMs: number): string | undefined {
    if (this.versioning !== undefined) return this.#add(key, undefined, timeMs);
    this.#versions.delete(key);
    return undefined;
  }

  #add(key: string, object: ModelObject | undefined, timeMs: number): string | undefined {
    const id = this.versioning === "Enabled" ? this.#born() : "null";
    const others = this.versionsOf(key).filter((version) => version.id !== id);
    this.#versions.set(key, [{ id, object, timeMs }, ...others]);
    return this.versioning && id;
  }

  /** Brings back what is there now. */
  save(): () => void {
    const versions = [...this.#versions];
    return () => {
      this.#versions.clear();
      for (const [key, list] of versions) this.#versions.set(key, list);
    };
  }

  find(key: string, id: string): ModelVersion | undefined {
    return this.versionsOf(key).find((version) => version.id === id);
  }

  removeVersion(key: string, id: string): void {
    const left = this.versionsOf(key).filter((version) => version.id !== id);
    if (left.length > 0) this.#versions.set(key, left);
    else this.#versions.delete(key);
  }

  /** Keys that have any version. */
  get size(): number {
    return this.#versions.size;
  }

  /** Current objects. */
  *[Symbol.iterator](): Generator<readonly [string, ModelObject]> {
    for (const key of this.#versions.keys()) {
      const object = this.get(key);
      if (object !== undefined) yield [key, object];
    }
  }

  /** Everything, by key; how deep bodies are nested no row tells. */
  all(): Readonly<Record<string, readonly ModelVersion[]>> {
    const shown = [...this.#versions].map(([key, versions]) => [
      key,
      versions.map(({ object, ...rest }) => ({ ...rest, object: object && { ...object, nesting: 0 } })),
    ]);
    return Object.fromEntries(shown) as Readonly<Record<string, readonly ModelVersion[]>>;
  }
}
