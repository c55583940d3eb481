/**
 * Makes a new copy of one segment with its live bytes only: read → each piece held against its check → put
 * under a name of this attempt → verified → told to the log, which condemns the old copy in the same entry.
 * A crash anywhere leaves an object that nobody names; the collector takes it away.
 *
 * No byte gets a fresh checksum that was not held against an older one: a body is compared with the CRC in
 * the row that names it, a chunk with those in its record, which is kept whole. What died since the rows were
 * read is kept, which costs its bytes and nothing else.
 */
import { createHash } from "node:crypto";
import { crc32c } from "../base/crc.ts";
import { DamageError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { PACKED_HEAD_BYTES } from "../segment/packed-segment.ts";
import { encodePackedHead, encodePackedTable, encodePackedTrailer } from "../segment/packed-segment.ts";
import type { ColdCopy } from "../state/rows.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import { openSegmentFile } from "../store/open-segment-file.ts";
import { isSoundPiece, piecesInOrder } from "../store/pack-segment.ts";
import type { LivePiece } from "../store/pack-segment.ts";
import type { FoundPieces } from "../store/live-pieces.ts";
import { coldKey } from "./cold-names.ts";
import { coldPieces } from "./cold-pieces.ts";
import type { InFlight } from "./in-flight.ts";
import type { TierNode } from "./tier-node.ts";
import type { TierPace } from "./tier-pace.ts";
import { END_BYTES, verifyCopy, verifyRequests } from "./verify-copy.ts";
import type { VerifyMode } from "./verify-copy.ts";

/** In memory at once; segments are smaller, and less than half of one is worth packing. */
const PACKED_BYTES_MAX = 64 * 1024 * 1024;
/** Between two breaths: some tenths of a millisecond. */
const PIECES_PER_STEP = 128;
const BYTES_PER_STEP = 64 * 1024;

export type CopyPackerParts = {
  readonly node: TierNode;
  readonly store: ColdStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pace: TierPace;
  readonly inFlight: InFlight;
  readonly verify: VerifyMode;
};

/** What is put: pieces of it, one behind the other. */
type Packed = { readonly body: readonly Buffer[]; readonly bytes: number; readonly sha256: string };

export class CopyPacker {
  readonly #parts: CopyPackerParts;
  #attempts = 0;

  constructor(parts: CopyPackerParts) {
    this.#parts = parts;
  }

  /**
   * The new copy; `undefined` if the segment or its copy has gone. `mayTell` is asked right before the log
   * is told. Rejects with DamageError, or ColdDamagedError, if no place has the pieces as they were written.
   */
  async pack(
    found: FoundPieces,
    how: { readonly mayTell: (segment: SegmentEntry) => boolean; readonly signal: AbortSignal },
  ): Promise<ColdCopy | undefined> {
    const { node, inFlight } = this.#parts;
    const segment = node.segments.byId(found.id);
    if (segment?.cold === undefined) return undefined;
    const pieces = piecesInOrder(found.pieces);
    const packed = await this.#gather(segment.id, { pieces, cold: segment.cold, signal: how.signal });
    // Unlike the name of any other process, and of any other attempt of this one.
    const incarnation = `${node.incarnation}-p${++this.#attempts}`;
    const key = coldKey(node.place, { kind: "packed", id: found.id, incarnation });
    return await inFlight.during(key, async () => {
      const copy = await this.#put(key, packed, how.signal);
      const { id: segmentId, firstIndex, entries } = segment;
      if (!how.mayTell(segment)) return undefined;
      const result = await node.propose({ kind: "segmentOffloaded", segmentId, firstIndex, entries, copy });
      return result.kind === "done" ? copy : undefined;
    });
  }

  /** From this disk if the file is here and sound, for that costs nothing; else from the copy. */
  async #gather(
    id: number,
    from: { readonly pieces: readonly LivePiece[]; readonly cold: ColdCopy; readonly signal: AbortSignal },
  ): Promise<Packed> {
    const { node, store, pace, logger } = this.#parts;
    const { pieces, cold: copy, signal } = from;
    try {
      const local = await node.local.withFile(id, ({ path }) => this.#join(id, this.#local(path, pieces)));
      if (local !== undefined) return local;
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      logger.error("a segment file is damaged; its live bytes are read from the cold tier", {
        segment: id,
        reason: error.message,
      });
    }
    return await this.#join(id, coldPieces({ store, pace, copy, signal }, pieces));
  }

  async *#local(
    path: string,
    pieces: readonly LivePiece[],
  ): AsyncGenerator<{ readonly piece: LivePiece; readonly bytes: Buffer }> {
    const { file } = await openSegmentFile(this.#parts.disk, path);
    try {
      for (const piece of pieces) {
        const bytes = Buffer.allocUnsafeSlow(piece.length);
        const count = await file.read(bytes, piece.offset);
        yield { piece, bytes: bytes.subarray(0, count) };
      }
    } finally {
      await file.close();
    }
  }

  async #join(
    id: number,
    source: AsyncIterable<{ readonly piece: LivePiece; readonly bytes: Buffer }>,
  ): Promise<Packed> {
    const { clock } = this.#parts;
    const head = encodePackedHead(id);
    const hash = createHash("sha256").update(head);
    const body = [head];
    const pieces: LivePiece[] = [];
    let dataBytes = 0;
    let dataCheck = 0;
    for await (const { piece, bytes } of source) {
      if (bytes.length !== piece.length || !isSoundPiece(bytes, piece.named)) {
        throw new DamageError(
          `${piece.length} bytes at ${piece.offset} of segment ${id} do not match their check`,
        );
      }
      dataBytes += bytes.length;
      if (dataBytes > PACKED_BYTES_MAX) throw new DamageError(`more than ${PACKED_BYTES_MAX} bytes are live`);
      dataCheck = crc32c(bytes, dataCheck);
      hash.update(bytes);
      body.push(bytes);
      pieces.push(piece);
      if (pieces.length % PIECES_PER_STEP === 0 || bytes.length >= BYTES_PER_STEP)
        await clock.yieldToOthers();
    }
    const table = encodePackedTable(pieces);
    const facts = { dataBytes, dataCheck, tableBytes: table.length, tableCheck: crc32c(table) };
    const trailer = encodePackedTrailer({ segmentId: id, count: pieces.length, ...facts });
    hash.update(table).update(trailer);
    body.push(table, trailer);
    const bytes = PACKED_HEAD_BYTES + dataBytes + table.length + trailer.length;
    return { body, bytes, sha256: hash.digest("hex") };
  }

  async #put(key: string, { body, bytes, sha256 }: Packed, signal: AbortSignal): Promise<ColdCopy> {
    const { store, clock, pace, verify: mode } = this.#parts;
    await pace.spend({ bytes, requests: 1 + verifyRequests(mode, bytes) }, signal);
    const stored = await store.put(key, body, { kind: "packed", sha256, signal });
    if (stored.bytes !== bytes) {
      throw new ColdDamagedError(
        `cold tier ${store.place}, ${key}: ${stored.bytes} of ${bytes} bytes were kept`,
      );
    }
    const end = Buffer.concat(body.slice(-2)).subarray(-END_BYTES);
    await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal });
    return { kind: "packed", key, bytes, sha256 };
  }
}
