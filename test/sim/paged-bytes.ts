/**
 * The bytes of a simulated file, in pages that forks share until one of them writes: thousands of crash
 * images of one history cost what they differ in. A page that is not there is zeros.
 */
import { createHash } from "node:crypto";

const PAGE_BYTES = 16 * 1024;

const hashes = new WeakMap<Buffer, string>();

export class PagedBytes {
  #pages: (Buffer | undefined)[] = [];
  /** Pages that nobody else sees. */
  #owned = new Set<number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Equal now, independent from now on. */
  fork(): PagedBytes {
    const copy = new PagedBytes();
    copy.#pages = [...this.#pages];
    copy.#size = this.#size;
    this.#owned = new Set();
    return copy;
  }

  /** Fills what there is of `target` from `position`; returns how much that was. */
  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.#size);
    for (let at = position; at < end;) {
      const within = at % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - within, end - at);
      const page = this.#pages[Math.floor(at / PAGE_BYTES)];
      const start = at - position;
      if (page === undefined) target.fill(0, start, start + count);
      else target.set(page.subarray(within, within + count), start);
      at += count;
    }
    return Math.max(0, end - position);
  }

  write(source: Uint8Array, position: number): void {
    const end = position + source.length;
    for (let at = position; at < end;) {
      const within = at % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - within, end - at);
      const start = at - position;
      this.#writable(Math.floor(at / PAGE_BYTES)).set(source.subarray(start, start + count), within);
      at += count;
    }
    this.#size = Math.max(this.#size, end);
  }

  #writable(index: number): Buffer {
    const page = this.#pages[index];
    if (page !== undefined && this.#owned.has(index)) {
      hashes.delete(page);
      return page;
    }
    const own = page === undefined ? Buffer.alloc(PAGE_BYTES) : Buffer.from(page);
    this.#pages[index] = own;
    this.#owned.add(index);
    return own;
  }

  truncate(size: number): void {
    if (size < this.#size) {
      this.#pages.length = Math.ceil(size / PAGE_BYTES);
      const within = size % PAGE_BYTES;
      // What is cut off must not come back when the file grows again.
      if (within > 0 && this.#pages[this.#pages.length - 1] !== undefined) {
        this.#writable(this.#pages.length - 1).fill(0, within);
      }
      for (const index of this.#owned) if (index >= this.#pages.length) this.#owned.delete(index);
    }
    this.#size = size;
  }

  toBuffer(): Buffer {
    const bytes = Buffer.alloc(this.#size);
    this.read(bytes, 0);
    return bytes;
  }

  /** Equal for equal bytes. */
  digest(): string {
    const parts = [String(this.#size)];
    for (let index = 0; index * PAGE_BYTES < this.#size; index++) {
      const page = this.#pages[index];
      if (page === undefined) parts.push("");
      else {
        let hash = hashes.get(page);
        if (hash === undefined) {
          // A page of zeros is as good as none.
          hash = page.every((byte) => byte === 0) ? "" : createHash("sha1").update(page).digest("base64");
          hashes.set(page, hash);
        }
        parts.push(hash);
      }
    }
    return parts.join(",");
  }
}
