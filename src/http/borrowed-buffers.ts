/**
 * Buffers of the socket, freed as soon as nobody needs them. Problem: V8 learns of the memory behind a buffer
 * when it collects garbage, and with little garbage besides it collects seldom: a few uploads at a time then
 * hold a gigabyte of bytes that were stored long ago (measured). Hence what a buffer's bytes were taken into
 * is counted, and with the last of it the buffer is detached, which frees its memory at once.
 *
 * Only buffers that are all of their memory are ever freed; slices of a slab that others use are left to V8.
 * Whoever looks at a freed one finds no bytes in it rather than other bytes.
 */

/** Below this, what is to be gained is less than what it costs. */
const FREED_BYTES_MIN = 4096;

function isAllOfItsMemory(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
}

/** For a buffer that nobody needs any more. */
export function freeBuffer(bytes: Uint8Array): void {
  if (bytes.byteLength >= FREED_BYTES_MIN && isAllOfItsMemory(bytes)) bytes.buffer.transfer(0);
}

export class BorrowedBuffers {
  /** How many hold each of them. */
  readonly #holders = new Map<ArrayBufferLike, number>();

  /** For the first holder, with the buffer as it came: what is not known is never freed. */
  borrow(bytes: Uint8Array): void {
    if (bytes.byteLength >= FREED_BYTES_MIN && isAllOfItsMemory(bytes)) this.#holders.set(bytes.buffer, 1);
  }

  /** For one more holder of the buffer behind `bytes`, or of a part of it. */
  hold(bytes: Uint8Array): void {
    const count = this.#holders.get(bytes.buffer);
    if (count !== undefined) this.#holders.set(bytes.buffer, count + 1);
  }

  /** A holder needs it no longer. */
  release(bytes: Uint8Array): void {
    const { buffer } = bytes;
    const count = this.#holders.get(buffer);
    if (count === undefined) return;
    if (count > 1) {
      this.#holders.set(buffer, count - 1);
      return;
    }
    this.#holders.delete(buffer);
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
  }
}
