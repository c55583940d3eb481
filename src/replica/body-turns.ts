/**
 * When a chunk of a streamed body may join the batch that gathers. A chunk takes ten times as long to write
 * as small commands do: those that come while one is written get the next batch for themselves, instead of
 * waiting for another chunk. While nothing but bodies comes, the next chunk is encoded beside the write of
 * the last one.
 */

/**
 * A batch holds so many chunks of 1 MiB: a small write waits for the batch before its own, and 4 MiB take a
 * slow disk 20 ms each. For uploads alone the additional syncs cost a few per cent.
 */
const CHUNKS_MAX = 1;
/** So many batches without a small command, and none is expected. */
const BATCHES_ALONE = 8;

export class BodyTurns {
  #chunks = 0;
  #hasOthers = false;
  #lastHadChunk = false;
  #batchesAlone = BATCHES_ALONE;

  /** `othersWait`: something else could go. `isWriting`: the last batch is not stable yet. */
  mayTakeChunk(facts: { readonly othersWait: boolean; readonly isWriting: boolean }): boolean {
    if (this.#chunks >= CHUNKS_MAX) return false;
    if (!this.#lastHadChunk || this.#batchesAlone >= BATCHES_ALONE) return true;
    return !facts.isWriting && !facts.othersWait && !this.#hasOthers;
  }

  /** An entry has joined the batch. */
  took(entry: { readonly isChunk: boolean }): void {
    if (entry.isChunk) this.#chunks++;
    else this.#hasOthers = true;
  }

  /** The batch is written now, another one gathers. */
  closed(): void {
    this.#batchesAlone = this.#hasOthers ? 0 : this.#batchesAlone + 1;
    this.#lastHadChunk = this.#chunks > 0;
    this.#chunks = 0;
    this.#hasOthers = false;
  }
}
