/**
 * Named steps that pass or fail, and the one line at the end that says how many did. A step that throws has
 * failed and the next one still runs; the count is made here and nowhere else.
 */

export class Tally {
  passed = 0;
  failed = 0;
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void = (line) => process.stdout.write(`${line}\n`)) {
    this.#write = write;
  }

  /** Whether it passed. */
  async step(name: string, work: () => Promise<void> | void): Promise<boolean> {
    const startMs = performance.now();
    try {
      await work();
      this.passed++;
      this.#write(`  ok    ${name} (${seconds(startMs)})`);
      return true;
    } catch (error) {
      this.failed++;
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#write(`  FAIL  ${name} (${seconds(startMs)})\n        ${reason.replaceAll("\n", "\n        ")}`);
      return false;
    }
  }

  title(text: string): void {
    this.#write(`\n${text}`);
  }

  /** The count of another one, and what it said meanwhile. */
  add(other: Tally, lines: readonly string[]): void {
    this.passed += other.passed;
    this.failed += other.failed;
    for (const line of lines) this.#write(line);
  }

  /** Prints the closing line; the exit code that goes with it. A run without a single step has failed. */
  close(): number {
    if (this.passed + this.failed === 0) this.failed++;
    this.#write(`\n${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 ? 0 : 1;
  }
}

function seconds(startMs: number): string {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
}
