/**
 * Bytes on their way into the cold tier that can be read again from the start: an upload that fails is
 * repeated, its digest has to be known before it begins, and neither may need a second copy in memory. Files
 * are opened for each reading; hashing lets others run in between (64 MiB are 40 ms).
 */
import { createHash } from "node:crypto";
import type { Clock } from "../ports/clock.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";

const PIECE_BYTES = 256 * 1024;
/**
 * A stream that is piped into a request reads one piece ahead of the one that the socket holds. Were that
 * ever more, the digest in the signature would not be that of the bytes, and the endpoint refuse them.
 */
const PIECES_UNDER_WAY = 8;
/** Half a millisecond of hashing. */
const HASHED_BEFORE_OTHERS = 4;

export type ColdBody = {
  readonly bytes: number;
  /**
   * From the start, each time; a piece is valid while only a few further ones have been asked for. Throws if
   * what it reads has not the length it had.
   */
  readonly pieces: () => AsyncIterable<Uint8Array>;
};

export function bodyOfBytes(parts: readonly Uint8Array[]): ColdBody {
  return {
    bytes: parts.reduce((sum, part) => sum + part.length, 0),
    async *pieces() {
      for (const part of parts) yield* slices(part);
    },
  };
}

function* slices(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** Errors are the disk's own: they say nothing about the cold tier. */
export async function bodyOfFile(disk: Disk, path: string): Promise<ColdBody> {
  const file = await disk.open(path, "read");
  let bytes: number;
  try {
    bytes = await file.size();
  } finally {
    await file.close();
  }
  return { bytes, pieces: () => readFile(disk, path, bytes) };
}

/** Into a few buffers in turn: fresh ones for a whole segment would be 64 MiB for the garbage collector. */
async function* readFile(disk: Disk, path: string, bytes: number): AsyncIterable<Uint8Array> {
  const buffers: Buffer[] = [];
  const file = await disk.open(path, "read");
  try {
    for (let at = 0, turn = 0; at < bytes; turn++) {
      const buffer = (buffers[turn % PIECES_UNDER_WAY] ??= Buffer.allocUnsafeSlow(PIECE_BYTES));
      const piece = await readPiece(file, at, buffer.subarray(0, bytes - at));
      if (piece.length === 0) throw new Error(`${path} ended at ${at} of ${bytes} bytes while it was read`);
      at += piece.length;
      yield piece;
    }
  } finally {
    await file.close();
  }
}

async function readPiece(file: DiskFile, at: number, piece: Buffer): Promise<Uint8Array> {
  return piece.subarray(0, await file.read(piece, at));
}

/** SHA-256 in hex. */
export async function digestOf(body: ColdBody, clock: Clock, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  let sinceOthers = 0;
  for await (const piece of body.pieces()) {
    signal?.throwIfAborted();
    hash.update(piece);
    if (++sinceOthers < HASHED_BEFORE_OTHERS) continue;
    sinceOthers = 0;
    await clock.yieldToOthers();
  }
  return hash.digest("hex");
}

/** A source that waits for something must not keep an upload that nobody wants any more. */
export async function* untilAborted(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  aborted.promise.catch(() => undefined);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    // Not awaited: it may wait for the very thing that never comes.
    iterator.return?.()?.then(undefined, () => undefined);
  }
}
