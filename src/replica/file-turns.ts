/**
 * Whose turn it is with the file of a segment: any number may borrow it at a time, whoever changes or deletes
 * it has it alone (RULES.md R12). First come, first served, each file by itself.
 */

type Turns = {
  /** When the last one that has the file alone is done, and when all are. */
  alone: Promise<unknown>;
  everybody: Promise<unknown>;
  count: number;
};

const DONE = Promise.resolve();

export class FileTurns {
  readonly #turns = new Map<number, Turns>();

  /** Whether somebody has the file, or waits for it. */
  isTaken(id: number): boolean {
    return this.#turns.has(id);
  }

  /** Returns when nobody has any file alone. */
  async changesEnded(): Promise<void> {
    await Promise.all([...this.#turns.values()].map(({ alone }) => alone));
  }

  shared<Result>(id: number, work: () => Promise<Result>): Promise<Result> {
    const turns = this.#of(id);
    const run = turns.alone.then(work);
    turns.everybody = Promise.allSettled([turns.everybody, run]);
    return this.#counted(id, turns, run);
  }

  alone<Result>(id: number, work: () => Promise<Result>): Promise<Result> {
    const turns = this.#of(id);
    const run = turns.everybody.then(work);
    turns.alone = Promise.allSettled([run]);
    turns.everybody = turns.alone;
    return this.#counted(id, turns, run);
  }

  #of(id: number): Turns {
    const turns = this.#turns.get(id) ?? { alone: DONE, everybody: DONE, count: 0 };
    this.#turns.set(id, turns);
    turns.count++;
    return turns;
  }

  async #counted<Result>(id: number, turns: Turns, run: Promise<Result>): Promise<Result> {
    try {
      return await run;
    } finally {
      if (--turns.count === 0) this.#turns.delete(id);
    }
  }
}
