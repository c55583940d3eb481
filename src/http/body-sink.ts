/**
 * Gathers the bytes of a body into the chunks that the service takes, 1 MiB each, or into one small buffer
 * for a body that turns out to fit into a command. The socket's own buffers are handed on, not copied: the
 * log joins them, and once it has, they are freed. Bytes are hashed as they come, while they are in the CPU's
 * cache.
 */
import { CHUNK_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "../service/api.ts";
import type { BodyWriter, ObjectService, PutBody } from "../service/api.ts";
import type { BodyDigests } from "./body-digests.ts";
import { BorrowedBuffers } from "./borrowed-buffers.ts";

const SMALL_PIECE_BYTES = 8 * 1024;
const JOINT_BYTES = 64 * 1024;

export class BodySink {
  readonly #objects: ObjectService;
  readonly #digests: BodyDigests;
  readonly #borrowed = new BorrowedBuffers();
  #pieces: Buffer[] = [];
  #filled = 0;
  #joint: Buffer | undefined;
  #joined = 0;
  #writer: BodyWriter | undefined;
  size = 0;

  constructor(objects: ObjectService, digests: BodyDigests) {
    this.#objects = objects;
    this.#digests = digests;
  }

  /** Around all `take`s of a buffer of the socket or of its slices: it is freed when they are stored. */
  borrow(wire: Buffer): void {
    this.#borrowed.borrow(wire);
  }

  giveBack(wire: Buffer): void {
    this.#borrowed.release(wire);
  }

  /** A promise when the service wants us to wait. The bytes are the sink's from now on. */
  take(bytes: Buffer): Promise<void> | undefined {
    this.#digests.update(bytes);
    let pending: Promise<void> | undefined;
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, CHUNK_BYTES_MAX - this.#filled);
      if (count < SMALL_PIECE_BYTES) this.#join(bytes.subarray(at, at + count));
      else this.#push(bytes.subarray(at, at + count));
      at += count;
      this.#filled += count;
      this.size += count;
      if (this.#filled === CHUNK_BYTES_MAX) {
        const written = this.#writeChunk();
        pending = pending === undefined ? written : Promise.all([pending, written]).then(() => undefined);
      }
    }
    return pending;
  }

  #push(piece: Buffer): void {
    this.#borrowed.hold(piece);
    this.#pieces.push(piece);
  }

  /** Bytes that come in dribs are copied together: a view of each would cost more than its bytes. */
  #join(bytes: Buffer): void {
    if (this.#joint === undefined || this.#joined + bytes.length > this.#joint.length) {
      this.#dropJoint();
      this.#joint = Buffer.allocUnsafeSlow(JOINT_BYTES);
      this.#borrowed.borrow(this.#joint);
      this.#joined = 0;
    }
    const start = this.#joined;
    this.#joined += bytes.copy(this.#joint, start);
    const last = this.#pieces.at(-1);
    const follows = last?.buffer === this.#joint.buffer && last.byteOffset + last.length === start;
    const from = follows ? last.byteOffset : start;
    const piece = this.#joint.subarray(from, this.#joined);
    if (follows) this.#pieces[this.#pieces.length - 1] = piece;
    else this.#push(piece);
  }

  /** After the last byte. */
  async finish(): Promise<PutBody> {
    if (this.#writer === undefined && this.#filled <= SMALL_BODY_BYTES_MAX) {
      // A copy of its own size: a small body that is cached must not keep a socket's buffer alive.
      return { kind: "bytes", bytes: Buffer.concat(this.#pieces, this.#filled) };
    }
    this.#dropJoint();
    if (this.#filled > 0) await this.#writeChunk();
    return { kind: "written", writer: this.#startedWriter() };
  }

  /** Harmless after a put that named the body. */
  abort(): void {
    this.#writer?.abort();
  }

  /** Resolves when the service holds none of the bytes any more. */
  async settled(): Promise<void> {
    this.#release(this.#pieces.splice(0));
    this.#dropJoint();
    await this.#writer?.settled();
  }

  #release(pieces: readonly Buffer[]): void {
    for (const piece of pieces) this.#borrowed.release(piece);
  }

  #dropJoint(): void {
    if (this.#joint !== undefined) this.#borrowed.release(this.#joint);
    this.#joint = undefined;
  }

  #startedWriter(): BodyWriter {
    this.#writer ??= this.#objects.startBody();
    return this.#writer;
  }

  #writeChunk(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#filled = 0;
    return this.#startedWriter().write(pieces, { onStored: () => this.#release(pieces) });
  }
}
