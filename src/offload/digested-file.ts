/**
 * A file that is read from its start to its end, and hashed in passing: whoever checks a file before it goes
 * out has seen each of its bytes, and need not read them all again for their digest.
 */
import { createHash } from "node:crypto";
import { FormatError } from "../base/bytes.ts";
import type { FileReading } from "../ports/disk.ts";

/** Half a millisecond of hashing. */
const HASHED_BEFORE_OTHERS = 1024 * 1024;

export class DigestedFile implements FileReading {
  readonly #file: FileReading;
  readonly #breathe: () => Promise<void>;
  readonly #hash = createHash("sha256");
  /** Up to where it is hashed. */
  #at = 0;

  constructor(file: FileReading, breathe: () => Promise<void>) {
    this.#file = file;
    this.#breathe = breathe;
  }

  /** Bytes behind a gap are read, but not hashed: they are when the gap has been filled. */
  async read(target: Uint8Array, position: number): Promise<number> {
    const got = await this.#file.read(target, position);
    const end = position + got;
    while (position <= this.#at && this.#at < end) {
      const next = Math.min(end, this.#at + HASHED_BEFORE_OTHERS);
      this.#hash.update(target.subarray(this.#at - position, next - position));
      this.#at = next;
      await this.#breathe();
    }
    return got;
  }

  /** SHA-256 in hex of the first `size` bytes, of which what was not read yet is read now. Once only. */
  async digest(size: number): Promise<string> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(HASHED_BEFORE_OTHERS, size - this.#at));
    while (this.#at < size) {
      const wanted = buffer.subarray(0, size - this.#at);
      const got = await this.read(wanted, this.#at);
      if (got === 0) throw new FormatError(`the file ends at ${this.#at}, not at ${size}`);
    }
    return this.#hash.digest("hex");
  }
}
