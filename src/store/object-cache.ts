/**
 * Objects in memory, by bucket + "/" + key, bounded in bytes. Apply is its only writer for what it writes:
 * every put and delete invalidates or fills here in log order, on every replica, so a hit is never an
 * overwritten value (RULES.md R9). A reader that had to wait for a disk may fill too, but only if apply has
 * touched nothing with the same hash since its lookup.
 */
import { LRUCache } from "lru-cache";
import type { StoredObject } from "../state/stored-object.ts";
import type { StateEffects } from "../state/view.ts";

/** Larger bodies are streamed from their records and never cached. */
export const CACHED_BODY_BYTES_MAX = 64 * 1024;

/** Rough cost of an entry beside path and body. */
const ENTRY_BYTES = 400;
const GENERATIONS = 0x10000;

export class ObjectCache implements StateEffects {
  readonly #entries: LRUCache<string, StoredObject>;
  readonly #generations = new Uint32Array(GENERATIONS);
  /** Off while the log is replayed at start: its bytes are views of a window that moves on. */
  filling = true;
  hits = 0;
  misses = 0;
  evictions = 0;

  constructor(options: { readonly bytesMax: number }) {
    this.#entries = new LRUCache({
      maxSize: Math.max(1, options.bytesMax),
      dispose: (_object, _path, reason) => {
        if (reason === "evict") this.evictions++;
      },
      sizeCalculation: (object, path) => ENTRY_BYTES + 2 * path.length + (object.bytes?.length ?? 0),
    });
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  get count(): number {
    return this.#entries.size;
  }

  get(path: string): StoredObject | undefined {
    return this.#entries.get(path);
  }

  /** To be taken at the lookup and given to `fillLate`. */
  generation(path: string): number {
    return this.#generations[hash(path)] as number;
  }

  fill(path: string, object: StoredObject): void {
    this.#entries.set(path, object);
  }

  /** After a wait: dropped if something may have been written to this path meanwhile. */
  fillLate(path: string, object: StoredObject, generation: number): void {
    if (this.generation(path) === generation) this.#entries.set(path, object);
  }

  objectWritten(path: string, object: StoredObject, bytes: Uint8Array | undefined): void {
    this.#touch(path);
    const whole = object.bytes ?? bytes;
    if (!this.filling || whole === undefined) this.#entries.delete(path);
    else this.#entries.set(path, whole === object.bytes ? object : { ...object, bytes: whole });
  }

  objectRemoved(path: string): void {
    this.#touch(path);
    this.#entries.delete(path);
  }

  /** Forgets everything: what is read next comes from the index. */
  clear(): void {
    this.#entries.clear();
  }

  #touch(path: string): void {
    const at = hash(path);
    this.#generations[at] = ((this.#generations[at] as number) + 1) >>> 0;
  }
}

/** FNV-1a over the UTF-16 units, folded to 16 bits: only has to spread. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return (value ^ (value >>> 16)) & (GENERATIONS - 1);
}
