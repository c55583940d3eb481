/**
 * A place of its own for a process that may read a data directory and must not change a byte of it. LevelDB
 * writes whenever it is opened; here it is shown the directory's files from outside, and writes beside them.
 */
import type { DirectoryLock } from "./disk.ts";

export type ReadersLock =
  | { readonly kind: "held"; readonly lock: DirectoryLock }
  /** Another process has it. */
  | { readonly kind: "busy" }
  /** There is nothing to lock, or it cannot be locked without writing. */
  | { readonly kind: "impossible"; readonly reason: string };

export interface Scratch {
  readonly path: string;
  /** The same lock that `Disk.lock` takes on this directory, and no trace of it there. */
  lock(directory: string): Promise<ReadersLock>;
  /**
   * A new directory that opens like the index at `directory`, however often it is written to. Throws
   * DamageError if the original would not open. An absent index makes an empty one.
   */
  shadowIndex(directory: string): Promise<string>;
  /** A new empty directory. */
  emptyDirectory(): Promise<string>;
  /** Takes everything away; of the originals nothing. */
  remove(): Promise<void>;
}
