/**
 * What apply sees of the world and what it tells it. Reads are synchronous: the driver has prefetched what is
 * not in memory. Writes of one entry become visible at once and reach the disk together or not at all.
 */
import type { StoredObject } from "./stored-object.ts";

export interface StateView {
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;

  /**
   * Objects have a lane of their own, because they are most of what is written: by the prefix of their bucket
   * and their own key, and not encoded before they leave memory. What was not written lately comes as a row.
   */
  object(prefix: string, key: string): StoredObject | Uint8Array | undefined;
  putObject(prefix: string, key: string, object: StoredObject): void;
  deleteObject(prefix: string, key: string): void;
}

/**
 * Told by apply, on every replica, in log order: this is how a cache can never hold what was overwritten
 * (RULES.md R9). `path` is bucket + "/" + key.
 */
export interface StateEffects {
  /** `bytes` is the body if the command carried it; it may be a view of a buffer that will be used again. */
  objectWritten(path: string, object: StoredObject, bytes: Uint8Array | undefined): void;
  objectRemoved(path: string): void;
}
