/**
 * What apply sees of the world and what it tells it. Reads are synchronous: the driver has prefetched what is
 * not in memory. Writes of one entry become visible at once and reach the disk together or not at all.
 */
import type { Attributes } from "./attributes.ts";
import type { NewObject } from "./object-row.ts";

export interface StateView {
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
}

/** An object as apply has just written it. */
export type WrittenObject = NewObject & { readonly attributes: Attributes };

/**
 * Told by apply, on every replica, in log order: this is how a cache can never hold what was overwritten
 * (RULES.md R9). `path` is bucket + "/" + key.
 */
export interface StateEffects {
  /** `bytes` is the body if the command carried it; the callee copies what it keeps unless it owns it. */
  objectWritten(path: string, object: WrittenObject, bytes: Uint8Array | undefined): void;
  objectRemoved(path: string): void;
}
