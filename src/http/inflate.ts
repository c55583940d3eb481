/**
 * Bytes of a compressed body, a piece at a time: what comes out of one is taken before the next goes in, so
 * that a small body that blows up to a large one is met by the same backpressure as a large one.
 *
 * A body may be several streams, one behind the other. Node stops at the first that ends within a piece and
 * says nothing, so what it left is looked at: the rest goes to a decompressor of its own, and zeros behind
 * gzip, which are padding, may be followed by zeros only. What is neither is refused.
 */
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { s3Error } from "../s3/errors.ts";
import { damagedArchive } from "../s3/tar.ts";

const OUTPUT_BYTES = 64 * 1024;
/** 8 MiB, which its format asks every decoder to take; only --ultra and --long need more. */
const ZSTD_WINDOW_LOG_MAX = 23;

type Kind = "gzip" | "zstd";

function decompressor(kind: Kind): ReturnType<typeof createGunzip | typeof createZstdDecompress> {
  if (kind === "gzip") return createGunzip({ chunkSize: OUTPUT_BYTES });
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
  return createZstdDecompress({ chunkSize: OUTPUT_BYTES, params });
}

/** Streams of one decompressor: as many as it goes on with by itself. */
class Streams {
  readonly #stream: ReturnType<typeof decompressor>;
  #changed = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #hasEnded = false;

  constructor(kind: Kind) {
    this.#stream = decompressor(kind);
    this.#stream.on("readable", this.#wake);
    this.#stream.on("error", (error: Error) => {
      this.#failure = error;
      this.#wake();
    });
    this.#stream.on("end", () => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  /** Compressed bytes that went in. */
  get taken(): number {
    return this.#stream.bytesWritten;
  }

  async *push(piece: Buffer): AsyncGenerator<Buffer, void, undefined> {
    let isTaken = false;
    this.#stream.write(piece, () => {
      isTaken = true;
      this.#wake();
    });
    yield* this.#read(() => isTaken);
  }

  async *finish(): AsyncGenerator<Buffer, void, undefined> {
    this.#stream.end();
    yield* this.#read(() => this.#hasEnded);
  }

  close(): void {
    this.#stream.destroy();
  }

  readonly #wake = (): void => {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  };

  async *#read(isDone: () => boolean): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const changed = this.#changed.promise;
      for (let bytes = this.#next(); bytes !== null; bytes = this.#next()) yield bytes;
      if (this.#failure !== undefined)
        throw damagedArchive(`it cannot be decompressed: ${this.#failure.message}`);
      if (isDone()) return;
      await changed;
    }
  }

  #next(): Buffer | null {
    return this.#stream.read() as Buffer | null;
  }
}

export class Inflate {
  readonly #kind: Kind;
  #streams: Streams;
  #isPadding = false;
  #isClosed = false;

  constructor(kind: Kind) {
    this.#kind = kind;
    this.#streams = new Streams(kind);
  }

  /** What comes out; the piece must not change until it is over. */
  async *push(piece: Buffer): AsyncGenerator<Buffer, void, undefined> {
    let rest = piece;
    while (rest.length > 0 && !this.#isPadding) {
      const { taken } = this.#streams;
      yield* this.#streams.push(rest);
      rest = rest.subarray(this.#streams.taken - taken);
      if (rest.length > 0) this.#beginNext(rest);
    }
    if (rest.some((byte) => byte !== 0)) throw damagedArchive("something stands behind what is compressed");
  }

  /** What still comes out after the last piece. */
  async *finish(): AsyncGenerator<Buffer, void, undefined> {
    if (!this.#isPadding) yield* this.#streams.finish();
  }

  close(): void {
    this.#isClosed = true;
    this.#streams.close();
  }

  #beginNext(rest: Buffer): void {
    this.#streams.close();
    // The client went away meanwhile, and nobody would close another one.
    if (this.#isClosed) throw s3Error("IncompleteBody");
    // Another member would have been gone on with.
    this.#isPadding = this.#kind === "gzip" && rest[0] === 0;
    if (!this.#isPadding) this.#streams = new Streams(this.#kind);
  }
}
