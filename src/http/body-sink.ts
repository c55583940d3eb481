/**
 * Gathers the bytes of a body into the chunks that the service takes, 1 MiB each, or into one small buffer
 * for a body that turns out to fit into a command. The socket's own buffers are handed on, not copied: the
 * log joins them. Bytes are hashed as they come, while they are in the CPU's cache.
 */
import { CHUNK_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "../service/api.ts";
import type { BodyWriter, ObjectService, PutBody } from "../service/api.ts";
import type { BodyDigests } from "./body-digests.ts";

const SMALL_PIECE_BYTES = 8 * 1024;
const JOINT_BYTES = 64 * 1024;

export class BodySink {
  readonly #objects: ObjectService;
  readonly #digests: BodyDigests;
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

  /** A promise when the service wants us to wait. The bytes are the sink's from now on. */
  take(bytes: Buffer): Promise<void> | undefined {
    this.#digests.update(bytes);
    let pending: Promise<void> | undefined;
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, CHUNK_BYTES_MAX - this.#filled);
      if (count < SMALL_PIECE_BYTES) this.#join(bytes.subarray(at, at + count));
      else this.#pieces.push(bytes.subarray(at, at + count));
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

  /** Bytes that come in dribs are copied together: a view of each would cost more than its bytes. */
  #join(bytes: Buffer): void {
    if (this.#joint === undefined || this.#joined + bytes.length > this.#joint.length) {
      this.#joint = Buffer.allocUnsafeSlow(JOINT_BYTES);
      this.#joined = 0;
    }
    const start = this.#joined;
    this.#joined += bytes.copy(this.#joint, start);
    const last = this.#pieces.at(-1);
    const follows = last?.buffer === this.#joint.buffer && last.byteOffset + last.length === start;
    if (follows) this.#pieces.pop();
    const from = follows ? last.byteOffset : start;
    this.#pieces.push(this.#joint.subarray(from, this.#joined));
  }

  /** After the last byte. */
  async finish(): Promise<PutBody> {
    if (this.#writer === undefined && this.#filled <= SMALL_BODY_BYTES_MAX) {
      // A copy of its own size: a small body that is cached must not keep a socket's buffer alive.
      return { kind: "bytes", bytes: Buffer.concat(this.#pieces, this.#filled) };
    }
    if (this.#filled > 0) await this.#writeChunk();
    return { kind: "written", writer: this.#startedWriter() };
  }

  /** Harmless after a put that named the body. */
  abort(): void {
    this.#writer?.abort();
  }

  #startedWriter(): BodyWriter {
    this.#writer ??= this.#objects.startBody();
    return this.#writer;
  }

  #writeChunk(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#filled = 0;
    return this.#startedWriter().write(pieces);
  }
}
