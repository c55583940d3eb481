/**
 * Keeps a full disk from becoming a broken store (RULES.md R13): below the first water mark of free space
 * bodies are refused, below the second everything but deletes, and a reserve file is given up when the log
 * itself meets a full disk. The marks are shares of the disk with an absolute ceiling, because a fifth of a
 * large disk that other programs fill too would refuse writes that fit a thousand times. Marks see no quota:
 * once something found no room, they are believed again when the reserve fits again.
 */
import type { Clock } from "../ports/clock.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import type { Disk, Space } from "../ports/disk.ts";
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
/** An attempt that found no room wrote all that there was: the next ones wait longer and longer. */
const RESERVE_RETRY_MS_MAX = 10_000;

/** The file's name in the data directory. */
export const RESERVE = "reserve";
/** Another one, there for a moment only. */
export const PROBE = "probe";

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
  /** What the marks say. */
  #seen: Refusal = "none";
  /** Something found no room. */
  #doubted = false;
  #reserveDueMs = 0;
  #retryMs = CHECK_EVERY_MS;

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
    const space = this.#options.disk.spaceNow?.();
    if (space !== undefined) this.#see(space);
    return this.#refusal;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Looks at the disk now. */
  async check(): Promise<void> {
    this.#see(await this.#options.disk.space(this.#options.directory));
  }

  #see({ freeBytes, totalBytes }: Space): void {
    this.#freeBytes = freeBytes;
    const allMark = Math.min(totalBytes * ALL_SHARE, ALL_BYTES_MAX);
    const bodiesMark = Math.min(totalBytes * BODIES_SHARE, BODIES_BYTES_MAX);
    this.#seen = freeBytes < allMark ? "allButDeletes" : freeBytes < bodiesMark ? "bodies" : "none";
    const refusal = this.#doubted ? "allButDeletes" : this.#seen;
    if (refusal !== this.#refusal) {
      this.#options.logger.warn("free space crossed a water mark", { freeBytes, refusing: refusal });
    }
    this.#refusal = refusal;
  }

  async #takeReserve(signal: AbortSignal): Promise<void> {
    const { disk, directory, segmentBytesMax, clock } = this.#options;
    const path = `${directory}/${RESERVE}`;
    const { totalBytes } = await disk.space(directory);
    const bytes = Math.floor(Math.min(2 * segmentBytesMax, totalBytes * RESERVE_SHARE));
    try {
      await writeZeros(disk, { path, bytes, signal });
    } catch (error) {
      // Half a reserve would take the rest of a quota, and help nobody.
      await disk.remove(path);
      if (isOutOfSpace(error)) this.#doubted = true;
      this.#reserveDueMs = clock.monotonicMs() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, RESERVE_RETRY_MS_MAX);
      throw error;
    }
    // Unless it was given up while its zeros were written.
    this.#reserveHeld = !signal.aborted && (await disk.list(directory)).includes(RESERVE);
    if (!this.#reserveHeld) return;
    this.#retryMs = CHECK_EVERY_MS;
    this.#doubted = false;
    await this.check();
  }

  /** Before the start's own work is done, it would only be in the way; unless it is the proof of room. */
  #isReserveDue(startMs: number): boolean {
    if (this.#reserveHeld || this.#seen !== "none") return false;
    const now = this.#options.clock.monotonicMs();
    return now >= this.#reserveDueMs && (this.#doubted || now - startMs >= RESERVE_AFTER_MS);
  }

  /** Gives the reserve up; whether there was one. The one of an earlier process will do. */
  async releaseReserve(): Promise<boolean> {
    this.#refusal = "allButDeletes";
    this.#doubted = true;
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
        if (this.#isReserveDue(startMs)) await this.#takeReserve(signal);
      } catch (error) {
        // A disk that fills up while the reserve is taken is what the next look will see.
        this.#options.logger.warn("the disk could not be looked at", { reason: String(error) });
      }
      await this.#options.clock.sleep(CHECK_EVERY_MS, { signal });
    }
  }
}

/** Throws what the system throws if `bytes` more do not fit: of a quota nobody knows before. */
export async function expectRoom(disk: Disk, directory: string, bytes: number): Promise<void> {
  const path = `${directory}/${PROBE}`;
  try {
    await writeZeros(disk, { path, bytes });
  } finally {
    await disk.remove(path);
  }
}

/** Zeros, written out, so that the blocks are really there. */
async function writeZeros(
  disk: Disk,
  wanted: { readonly path: string; readonly bytes: number; readonly signal?: AbortSignal },
): Promise<void> {
  const file = await disk.open(wanted.path, "write");
  try {
    const zeros = Buffer.alloc(MIB);
    for (let at = await file.size(); at < wanted.bytes; at += zeros.length) {
      if (wanted.signal?.aborted) return;
      await file.write(zeros.subarray(0, Math.min(zeros.length, wanted.bytes - at)), at);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
