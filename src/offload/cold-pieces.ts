/**
 * Reads pieces of a segment out of its copy in the cold tier, in order. Neighbours come with one request, as
 * long as what lies between them costs less than another request would; memory holds one window at a time.
 * Nothing is said about the bytes: whoever takes them holds each piece against its own check.
 */
import { FormatError } from "../base/bytes.ts";
import { ColdDamagedError } from "../ports/cold-store.ts";
import type { ColdRange, ColdStore } from "../ports/cold-store.ts";
import {
  PACKED_HEAD_BYTES,
  PACKED_TRAILER_BYTES,
  PieceTable,
  readPackedTrailer,
} from "../segment/packed-segment.ts";
import type { Piece } from "../segment/packed-segment.ts";
import type { ColdCopy } from "../state/rows.ts";
import type { TierPace } from "./tier-pace.ts";

const WINDOW_BYTES = 4 * 1024 * 1024;
/** Bytes that cost about as much as a request, in money and in time. */
const GAP_BYTES_MAX = 256 * 1024;
/** With the trailer most tables come along. */
const END_BYTES = 64 * 1024;

type ColdSource = {
  readonly store: ColdStore;
  readonly pace: TierPace;
  readonly copy: ColdCopy;
  readonly signal: AbortSignal;
};

/** The bytes of each piece; `pieces` are in order of their offsets. */
export async function* coldPieces<Placed extends Piece>(
  source: ColdSource,
  pieces: readonly Placed[],
): AsyncGenerator<{ readonly piece: Placed; readonly bytes: Buffer }> {
  const places = await placesOf(source, pieces);
  let at = 0;
  for (const window of windowsOver(places)) {
    const bytes = await read(source, window);
    for (; at < places.length && (places[at] as ColdRange).end <= window.end; at++) {
      const { start, end } = places[at] as ColdRange;
      // A copy: what is kept of a window must not keep all of it.
      yield {
        piece: pieces[at] as Placed,
        bytes: Buffer.from(bytes.subarray(start - window.start, end - window.start)),
      };
    }
  }
}

/** Where they stand in the object. */
async function placesOf(source: ColdSource, pieces: readonly Piece[]): Promise<readonly ColdRange[]> {
  const { copy } = source;
  if (copy.kind === "verbatim") {
    return pieces.map(({ offset, length }) => ({ start: offset, end: offset + length }));
  }
  const table = await readTable(source);
  return pieces.map(({ offset, length }) => {
    const start = table.find(offset, length);
    if (start === undefined) throw damaged(source, `it has not kept ${length} bytes at ${offset}`);
    return { start, end: start + length };
  });
}

async function readTable(source: ColdSource): Promise<PieceTable> {
  const { bytes: size } = source.copy;
  const head = await read(source, { start: 0, end: Math.min(size, PACKED_HEAD_BYTES) });
  const endStart = Math.max(0, size - END_BYTES);
  const end = await read(source, { start: endStart, end: size });
  try {
    const trailer = readPackedTrailer(head, end.subarray(Math.max(0, end.length - PACKED_TRAILER_BYTES)));
    const start = PACKED_HEAD_BYTES + trailer.dataBytes;
    if (start + trailer.tableBytes + PACKED_TRAILER_BYTES !== size) {
      throw new FormatError("it has another length than it says");
    }
    const range = { start, end: start + trailer.tableBytes };
    const table =
      start >= endStart
        ? end.subarray(start - endStart, range.end - endStart)
        : trailer.tableBytes > 0
          ? await read(source, range)
          : Buffer.alloc(0);
    return new PieceTable(table, trailer);
  } catch (error) {
    if (error instanceof FormatError) throw damaged(source, error.message);
    throw error;
  }
}

export function* windowsOver(places: readonly ColdRange[]): Generator<ColdRange> {
  let window: ColdRange | undefined;
  for (const { start, end } of places) {
    const isNear = window !== undefined && start - window.end <= GAP_BYTES_MAX;
    if (window !== undefined && isNear && end - window.start <= WINDOW_BYTES) {
      window = { start: window.start, end };
      continue;
    }
    if (window !== undefined) yield window;
    window = { start, end };
  }
  if (window !== undefined) yield window;
}

async function read(source: ColdSource, range: ColdRange): Promise<Buffer> {
  const { store, pace, copy, signal } = source;
  const length = range.end - range.start;
  await pace.spend({ bytes: length, requests: 1 }, signal);
  const found = await store.get(copy.key, { range, signal });
  if (found.length !== length)
    throw damaged(source, `${found.length} bytes at ${range.start}, not ${length}`);
  return Buffer.from(found.buffer, found.byteOffset, found.length);
}

function damaged({ store, copy }: ColdSource, reason: string): ColdDamagedError {
  return new ColdDamagedError(`cold tier ${store.place}, ${copy.key}: ${reason}`);
}
