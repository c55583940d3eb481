/**
 * How much of streamed bodies may join the batch that gathers. A MiB of them takes ten times as long to write
 * as small commands do: those that come while such a batch is written get the next one for themselves,
 * instead of waiting for another MiB. While nothing but bodies comes, the next batch is encoded beside the
 * write of the last.
 */

/**
 * Of a batch. 4 MiB take a slow disk 20 ms, and a small command waits for the batch before its own. For large
 * bodies alone the additional syncs cost a few per cent; those of 100 KiB share one by tens.
 */
const BODY_BYTES_MAX = 1024 * 1024;
/** So many batches without a small command, and none is expected. */
const BATCHES_ALONE = 8;

export class BodyTurns {
  #bodyBytes = 0;
  #hasOthers = false;
  #lastHadBodies = false;
  #batchesAlone = BATCHES_ALONE;

  /**
   * Bytes that the next chunk may have; the first one of a batch may have any number. `othersWait`: something
   * else could go. `isWriting`: the last batch is not stable yet.
   */
  chunkBytesMax(facts: { readonly othersWait: boolean; readonly isWriting: boolean }): number {
    if (this.#bodyBytes > 0) return BODY_BYTES_MAX - this.#bodyBytes;
    if (!this.#lastHadBodies || this.#batchesAlone >= BATCHES_ALONE) return Infinity;
    return facts.isWriting || facts.othersWait || this.#hasOthers ? 0 : Infinity;
  }

  /** A chunk has joined the batch. */
  tookChunk(bytes: number): void {
    this.#bodyBytes += bytes;
  }

  /** Something has that neither is a chunk nor names any. */
  tookOthers(): void {
    this.#hasOthers = true;
  }

  /** The batch is written now, another one gathers. */
  closed(): void {
    this.#batchesAlone = this.#hasOthers ? 0 : this.#batchesAlone + 1;
    this.#lastHadBodies = this.#bodyBytes > 0;
    this.#bodyBytes = 0;
    this.#hasOthers = false;
  }
}
