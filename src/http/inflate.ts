/**
 * Bytes of a compressed body, a piece at a time: what comes out of one is taken before the next goes in, so
 * that a small body that blows up to a large one is met by the same backpressure as a large one.
 */
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { damagedArchive } from "../s3/tar.ts";

const OUTPUT_BYTES = 64 * 1024;
/** A stream may ask for more memory than it is worth: zstd's own tools stop here, too. */
const ZSTD_WINDOW_LOG_MAX = 27;

function decompressor(kind: "gzip" | "zstd"): ReturnType<typeof createGunzip | typeof createZstdDecompress> {
  if (kind === "gzip") return createGunzip({ chunkSize: OUTPUT_BYTES });
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
  return createZstdDecompress({ chunkSize: OUTPUT_BYTES, params });
}

export class Inflate {
  readonly #stream: ReturnType<typeof decompressor>;
  #changed = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #hasEnded = false;

  constructor(kind: "gzip" | "zstd") {
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

  /** What comes out; the piece must not change until it is over. */
  async *push(piece: Buffer): AsyncGenerator<Buffer, void, undefined> {
    let isTaken = false;
    this.#stream.write(piece, () => {
      isTaken = true;
      this.#wake();
    });
    yield* this.#read(() => isTaken);
  }

  /** What still comes out after the last piece. */
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
