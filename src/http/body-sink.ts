/**
 * Cuts the bytes of a body into the pieces that the service takes: 1 MiB each, or one small buffer for a
 * body that turns out to fit into a command. Bytes are hashed as they come, while they are in the CPU's
 * cache.
 *
 * At most two pieces are in memory per body: one being written, one being filled.
 */
import { CHUNK_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "../service/api.ts";
import type { BodyWriter, ObjectService, PutBody } from "../service/api.ts";
import type { BodyDigests } from "./body-digests.ts";

export class BodySink {
  readonly #objects: ObjectService;
  readonly #digests: BodyDigests;
  /** Undefined where the client does not know. */
  readonly #length: number | undefined;
  #piece: Buffer;
  #filled = 0;
  #writer: BodyWriter | undefined;
  size = 0;

  constructor(
    objects: ObjectService,
    options: { readonly length: number | undefined; readonly digests: BodyDigests },
  ) {
    this.#objects = objects;
    this.#digests = options.digests;
    this.#length = options.length;
    this.#piece = Buffer.allocUnsafeSlow(this.#nextPieceBytes());
  }

  /** A promise when the service wants us to wait. Copies the bytes. */
  take(bytes: Buffer): Promise<void> | undefined {
    this.#digests.update(bytes);
    let pending: Promise<void> | undefined;
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === this.#piece.length) this.#growPiece();
      const count = bytes.copy(this.#piece, this.#filled, at);
      at += count;
      this.#filled += count;
      this.size += count;
      if (this.#filled === CHUNK_BYTES_MAX) {
        const written = this.#writePiece();
        pending = pending === undefined ? written : Promise.all([pending, written]).then(() => undefined);
      }
    }
    return pending;
  }

  /** After the last byte. */
  async finish(): Promise<PutBody> {
    if (this.#writer === undefined && this.#filled <= SMALL_BODY_BYTES_MAX) {
      const piece = this.#piece;
      const bytes = this.#filled === piece.length ? piece : Buffer.from(piece.subarray(0, this.#filled));
      return { kind: "bytes", bytes };
    }
    if (this.#filled > 0) await this.#writePiece();
    return { kind: "written", writer: this.#startedWriter() };
  }

  /** Harmless after a put that named the body. */
  abort(): void {
    this.#writer?.abort();
  }

  #nextPieceBytes(): number {
    if (this.#length === undefined) return this.size === 0 ? SMALL_BODY_BYTES_MAX : CHUNK_BYTES_MAX;
    return Math.max(1, Math.min(CHUNK_BYTES_MAX, this.#length - this.size));
  }

  /** Only bodies of unknown length begin with a piece that may be too small. */
  #growPiece(): void {
    const grown = Buffer.allocUnsafeSlow(CHUNK_BYTES_MAX);
    this.#piece.copy(grown, 0, 0, this.#filled);
    this.#piece = grown;
  }

  #startedWriter(): BodyWriter {
    this.#writer ??= this.#objects.startBody();
    return this.#writer;
  }

  #writePiece(): Promise<void> {
    const piece = this.#filled === this.#piece.length ? this.#piece : this.#piece.subarray(0, this.#filled);
    this.#filled = 0;
    this.#piece = Buffer.allocUnsafeSlow(this.#nextPieceBytes());
    return this.#startedWriter().write(piece);
  }
}
