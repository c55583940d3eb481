/**
 * The log of everything a simulated machine did to its disk, in order. An operation stands where it began;
 * `done` stands where it returned. What a crash may leave of it is decided from this log alone
 * (disk-history.ts).
 */

export type DiskOperation =
  | { readonly kind: "create"; readonly path: string; readonly inode: number }
  | {
      readonly kind: "write";
      readonly inode: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
      /** Stable when it is done. */
      readonly durable: boolean;
    }
  | { readonly kind: "truncate"; readonly inode: number; readonly size: number }
  | { readonly kind: "sync"; readonly inode: number }
  /**
   * The system dropped what it could not write, and believes the file clean: no later sync brings it back.
   */
  | { readonly kind: "syncFailed"; readonly inode: number }
  | { readonly kind: "rename"; readonly from: string; readonly to: string }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "removeDirectory"; readonly path: string }
  | { readonly kind: "syncDirectory"; readonly path: string }
  | { readonly kind: "openIndex"; readonly path: string; readonly store: number }
  | { readonly kind: "batch"; readonly store: number; readonly rows: IndexRows }
  /** The process died: of what it had under way nothing returns, and index batches are lost. */
  | { readonly kind: "killed" }
  | { readonly kind: "done"; readonly operation: number };

/** Rows of an index batch; `null` deletes. */
export type IndexRows = ReadonlyMap<string, Uint8Array | null>;

export class OperationLog {
  readonly operations: DiskOperation[] = [];

  get length(): number {
    return this.operations.length;
  }

  /** Returns the place of the operation, for `done`. */
  add(operation: DiskOperation): number {
    return this.operations.push(operation) - 1;
  }

  done(operation: number): void {
    this.operations.push({ kind: "done", operation });
  }
}

export function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
