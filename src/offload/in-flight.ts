/**
 * Keys that this process is writing, or has written and not yet told to the log: the collector leaves them
 * alone, since nothing else says yet that they are needed (RULES.md R21).
 */
export class InFlight {
  readonly #counts = new Map<string, number>();

  begin(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  end(key: string): void {
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }

  has(key: string): boolean {
    return this.#counts.has(key);
  }

  async during<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    this.begin(key);
    try {
      return await work();
    } finally {
      this.end(key);
    }
  }
}
