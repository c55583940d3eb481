/**
 * Writes the acknowledged mark behind the acknowledgements, a few milliseconds late and off their path
 * (RULES.md R10). On a clean stop it is written once more and then exact.
 */
import type { LogIndex } from "../base/units.ts";
import type { Clock } from "../ports/clock.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import type { AckedFile } from "../store/acked-file.ts";

const BEHIND_MS = 5;

export class AckedWriter {
  readonly #file: AckedFile;
  readonly #clock: Clock;
  #target: LogIndex;
  #wake: (() => void) | undefined;
  #failure: unknown;

  constructor(file: AckedFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
    this.#target = file.index;
  }

  /** Entries up to `index` were acknowledged. */
  acknowledged(index: LogIndex): void {
    this.#target = index;
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#target === this.#file.index) await this.#idle(signal);
      else {
        await this.#write();
        await this.#clock.sleep(BEHIND_MS, { signal });
      }
    }
  }

  async #idle(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
  }

  async #write(): Promise<void> {
    try {
      await this.#file.write(this.#target);
    } catch (error) {
      // The file has its blocks already; should a full disk show here all the same, the mark only lags.
      if (isOutOfSpace(error)) return;
      this.#failure = error;
      throw error;
    }
  }

  /** After `run` has ended. What failed is not tried again (promise P7), but told once more. */
  async close(): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#target !== this.#file.index) await this.#write();
    } finally {
      await this.#file.close();
    }
  }
}
