/**
 * A counting semaphore, first come first served. Bounds how many of the thread pool's threads one kind of
 * work may hold (RULES.md R14).
 */
export class Semaphore {
  #free: number;
  /** A queue with its head at `#next`: shifting an array of thousands would move them all each time. */
  #waiting: (() => void)[] = [];
  #next = 0;

  constructor(count: number) {
    this.#free = count;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  #release(): void {
    const wake = this.#waiting[this.#next];
    if (wake === undefined) {
      this.#free++;
      return;
    }
    this.#next++;
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    wake();
  }
}
