/**
 * How much a loss of every node would cost at this moment, in seconds: the age of the oldest entry that the
 * bucket does not hold. Entries carry no time of their own that could be used for it, so it is noted now and
 * then how far the log was; the answer is never too low by more than the time between two notes.
 */

type Note = { readonly index: number; readonly atMs: number };

/** Beyond it every other one is forgotten. */
const NOTES_MAX = 1024;

export class Coverage {
  /** In order; the first one is of before everything that is not covered. */
  #notes: Note[];
  #covered = 0;

  constructor(atMs: number) {
    this.#notes = [{ index: 0, atMs }];
  }

  /** The last entry that the bucket holds, with all before it. */
  get covered(): number {
    return this.#covered;
  }

  /** The log is applied up to this entry. */
  note(index: number, atMs: number): void {
    const last = this.#notes.at(-1) as Note;
    if (index === last.index) {
      // Nothing came since: what comes next is younger than that.
      this.#notes[this.#notes.length - 1] = { index, atMs };
      return;
    }
    this.#notes.push({ index, atMs });
    if (this.#notes.length > NOTES_MAX) this.#notes = this.#notes.filter((_, at) => at % 2 === 0);
    this.#forget();
  }

  cover(index: number): void {
    this.#covered = index;
    this.#forget();
  }

  /** 0 if the bucket holds everything. */
  lagMs(nowMs: number): number {
    const last = this.#notes.at(-1) as Note;
    return last.index <= this.#covered ? 0 : Math.max(0, nowMs - (this.#notes[0] as Note).atMs);
  }

  #forget(): void {
    const next = this.#notes.findIndex(({ index }) => index > this.#covered);
    const keep = next === -1 ? this.#notes.length - 1 : Math.max(0, next - 1);
    if (keep > 0) this.#notes.splice(0, keep);
  }
}
