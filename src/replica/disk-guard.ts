/**
 * Keeps a full disk from becoming a broken store (RULES.md R13): below the first water mark of free space
 * bodies are refused, below the second everything but deletes, and a reserve file is given up when the log
 * itself meets a full disk. The marks are shares of the disk with an absolute ceiling, because a fifth of a
 * large disk that other programs fill too would refuse writes that fit a thousand times.
 */
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";

const CHECK_EVERY_MS = 1000;
const MIB = 1024 * 1024;
const BODIES_SHARE = 0.2;
const BODIES_BYTES_MAX = 4096 * MIB;
const ALL_SHARE = 0.1;
const ALL_BYTES_MAX = 1024 * MIB;
const RESERVE_SHARE = 0.02;
/** Writing the reserve would only slow the start down. */
const RESERVE_AFTER_MS = 10_000;

/** The file's name in the data directory. */
export const RESERVE = "reserve";

export type Refusal = "none" | "bodies" | "allButDeletes";

export class DiskGuard {
  readonly #options: {
    readonly disk: Disk;
    readonly directory: string;
    readonly segmentBytesMax: number;
    readonly clock: Clock;
    readonly logger: Logger;
  };
  #refusal: Refusal = "none";
  #freeBytes = 0;
  #reserveHeld = false;

  constructor(options: {
    readonly disk: Disk;
    readonly directory: string;
    readonly segmentBytesMax: number;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#options = options;
  }

  get refusal(): Refusal {
    return this.#refusal;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Looks at the disk now. */
  async check(): Promise<void> {
    const { freeBytes, totalBytes } = await this.#options.disk.space(this.#options.directory);
    this.#freeBytes = freeBytes;
    const allMark = Math.min(totalBytes * ALL_SHARE, ALL_BYTES_MAX);
    const bodiesMark = Math.min(totalBytes * BODIES_SHARE, BODIES_BYTES_MAX);
    const refusal = freeBytes < allMark ? "allButDeletes" : freeBytes < bodiesMark ? "bodies" : "none";
    if (refusal !== this.#refusal) {
      this.#options.logger.warn("free space crossed a water mark", { freeBytes, refusing: refusal });
    }
    this.#refusal = refusal;
  }

  /** Zeros, written out, so that the blocks are really there to be given up. */
  async #takeReserve(): Promise<void> {
    const { totalBytes } = await this.#options.disk.space(this.#options.directory);
    const bytes = Math.floor(Math.min(2 * this.#options.segmentBytesMax, totalBytes * RESERVE_SHARE));
    const file = await this.#options.disk.open(`${this.#options.directory}/${RESERVE}`, "write");
    try {
      const zeros = Buffer.alloc(MIB);
      for (let at = await file.size(); at < bytes; at += zeros.length) {
        await file.write(zeros.subarray(0, Math.min(zeros.length, bytes - at)), at);
      }
      await file.sync();
      // Unless it was given up while its zeros were written.
      this.#reserveHeld = (await this.#options.disk.list(this.#options.directory)).includes(RESERVE);
    } finally {
      await file.close();
    }
  }

  /** Gives the reserve up; whether there was one. The one of an earlier process will do. */
  async releaseReserve(): Promise<boolean> {
    this.#refusal = "allButDeletes";
    this.#reserveHeld = false;
    const { disk, directory, logger } = this.#options;
    if (!(await disk.list(directory)).includes(RESERVE)) return false;
    await disk.remove(`${directory}/${RESERVE}`);
    logger.warn("the disk is full: the reserve was given up");
    return true;
  }

  async run(signal: AbortSignal): Promise<void> {
    const startMs = this.#options.clock.monotonicMs();
    while (!signal.aborted) {
      try {
        await this.check();
        const due = this.#options.clock.monotonicMs() - startMs >= RESERVE_AFTER_MS;
        if (due && !this.#reserveHeld && this.#refusal === "none") await this.#takeReserve();
      } catch (error) {
        // A disk that fills up while the reserve is taken is what the next look will see.
        this.#options.logger.warn("the disk could not be looked at", { reason: String(error) });
      }
      await this.#options.clock.sleep(CHECK_EVERY_MS, { signal });
    }
  }
}
