/**
 * Uploads what the policy wants in the bucket, in the order of the log, two segments at once.
 *
 * While the bucket follows the log (`recoveryPoint`), the bytes of a segment go out only when those of the
 * one before it are there: whatever is lost, the bucket holds the log up to some entry and nothing behind a
 * gap, which a restore would have to take for damage. The other work on two segments, reading, verifying and
 * telling the log, still overlaps.
 */
import { DamageError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { SegmentUploader } from "./segment-uploader.ts";
import type { TierHealth } from "./tier-health.ts";
import { TierLoop } from "./tier-loop.ts";
import type { TierPlanner } from "./tier-planner.ts";

const UPLOADS_AT_ONCE = 2;
const LOOK_EVERY_MS = 1000;
/** Looking takes at most a twentieth of one core. */
const REST_FACTOR = 20;
/** A file that is damaged may be put back by somebody. */
const DAMAGED_RETRY_MS = 600_000;

export type OffloaderParts = {
  readonly planner: TierPlanner;
  readonly uploader: Pick<SegmentUploader, "upload">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: TierHealth;
  /** Whether this node may write into the bucket at all now (RULES.md R20). */
  readonly mayWrite: () => boolean;
  /** Whether the bucket has to hold the log without a gap at every moment. */
  readonly inOrder: boolean;
};

export type UploadCounts = { readonly segments: number; readonly bytes: number };

export class Offloader {
  readonly #parts: OffloaderParts;
  /** Damaged files, with when they are to be looked at again. */
  readonly #damaged = new Map<number, number>();
  readonly #turns = new Semaphore(1);
  #uploaded: UploadCounts = { segments: 0, bytes: 0 };
  #lastUploadMs: number | undefined;

  constructor(parts: OffloaderParts) {
    this.#parts = parts;
  }

  /** Since the start. */
  get uploaded(): UploadCounts {
    return this.#uploaded;
  }

  /** By the monotonic clock. */
  get lastUploadMs(): number | undefined {
    return this.#lastUploadMs;
  }

  /** Whether nothing is to be expected of it, because it is damaged here. */
  isGivenUp(id: number): boolean {
    return this.#damaged.has(id);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    await new TierLoop("upload", this.#parts).run(async () => {
      const startMs = clock.monotonicMs();
      const { ids, planMs } = await this.#wanted(startMs);
      const before = this.#uploaded.segments;
      await this.uploadAll(ids, signal);
      return this.#uploaded.segments > before ? 0 : LOOK_EVERY_MS + planMs * REST_FACTOR;
    }, signal);
  }

  async #wanted(startMs: number): Promise<{ readonly ids: readonly number[]; readonly planMs: number }> {
    const { planner, mayWrite, clock } = this.#parts;
    const { uploads } = await planner.plan();
    const nowMs = clock.monotonicMs();
    const planMs = nowMs - startMs;
    if (!mayWrite()) return { ids: [], planMs };
    const ids = uploads.map(({ id }) => id).filter((id) => (this.#damaged.get(id) ?? 0) <= nowMs);
    return { ids, planMs };
  }

  /**
   * In this order, behind whatever is being uploaded already. Rejects with the first failure, when none of
   * them is under way any more.
   */
  async uploadAll(ids: readonly number[], signal: AbortSignal): Promise<void> {
    if (ids.length > 0) await this.#turns.run(() => this.#uploadInOrder(ids, signal));
  }

  async #uploadInOrder(ids: readonly number[], signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const ended = AbortSignal.any([signal, failed.signal]);
    const running = new Set<Promise<void>>();
    let before: Promise<void> = Promise.resolve();
    let failure: { readonly error: unknown } | undefined;
    for (const id of ids) {
      if (running.size >= UPLOADS_AT_ONCE) await Promise.race(running);
      if (ended.aborted) break;
      const put = Promise.withResolvers<void>();
      const mayPut = this.#parts.inOrder ? before : undefined;
      before = put.promise;
      const upload = this.#upload(id, { signal: ended, mayPut, onPut: put.resolve })
        .catch((error: unknown) => {
          failure ??= { error };
          failed.abort(error);
        })
        .finally(() => void running.delete(upload));
      running.add(upload);
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure.error;
  }

  async #upload(
    id: number,
    how: {
      readonly signal: AbortSignal;
      readonly mayPut: Promise<void> | undefined;
      readonly onPut: () => void;
    },
  ): Promise<void> {
    const { uploader, health, clock, logger } = this.#parts;
    try {
      const outcome = await uploader.upload(id, how);
      this.#damaged.delete(id);
      if (this.#damaged.size === 0) health.worked("localDamage");
      if (outcome.kind === "uploaded") {
        const { bytes } = outcome.copy;
        this.#uploaded = { segments: this.#uploaded.segments + 1, bytes: this.#uploaded.bytes + bytes };
        this.#lastUploadMs = clock.monotonicMs();
        logger.debug("a segment is in the cold tier", { segment: id, bytes });
      }
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      // What follows it is worth as much as ever, and should not wait for somebody to mend this one.
      this.#damaged.set(id, clock.monotonicMs() + DAMAGED_RETRY_MS);
      health.failed("localDamage", `segment ${id} cannot be uploaded: ${error.message}`);
      logger.error("a segment cannot be uploaded, it is damaged on this disk", {
        segment: id,
        reason: error.message,
      });
    }
    how.onPut();
  }
}
