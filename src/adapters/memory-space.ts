/**
 * How much memory a store without a disk may hold: files and rows draw on one account, so that the store sees
 * it fill up like a disk and refuses writes in good time. Only files are refused; rows follow from what the
 * log took, and refusing them would leave a log that cannot be applied.
 */
export class MemorySpaceError extends Error {
  override readonly name = "MemorySpaceError";
  readonly code = "ENOSPC";
}

export class MemorySpace {
  readonly bytesMax: number;
  #usedBytes = 0;

  constructor(options: { readonly bytesMax: number }) {
    this.bytesMax = options.bytesMax;
  }

  get freeBytes(): number {
    return Math.max(0, this.bytesMax - this.#usedBytes);
  }

  /** Throws MemorySpaceError, and takes nothing, if there is not enough. */
  take(bytes: number): void {
    if (bytes > this.freeBytes) throw new MemorySpaceError(`all ${this.bytesMax} bytes of memory are taken`);
    this.#usedBytes += bytes;
  }

  /** Counts what is there whether it fits or not; negative for what went. */
  count(bytes: number): void {
    this.#usedBytes += bytes;
  }
}
