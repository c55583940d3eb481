/**
 * Which segments lie on this disk: gives up files that have cooled, or have to go, and brings back those that
 * are read much. The node itself sees to it that nothing goes which has no verified copy (promise P5).
 */
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { fetchCopy } from "./fetch-copy.ts";
import type { FetchParts } from "./fetch-copy.ts";
import type { TierHealth } from "./tier-health.ts";
import { TierLoop } from "./tier-loop.ts";
import type { TierNode } from "./tier-node.ts";
import type { TierPlanner } from "./tier-planner.ts";

const LOOK_EVERY_MS = 1000;
const REST_FACTOR = 20;
/** One whose copy is lost or damaged is not asked for again at once. */
const RETRY_MS = 600_000;

export type ResidenceParts = FetchParts & {
  readonly node: TierNode;
  readonly planner: TierPlanner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: TierHealth;
  /** Whether the bucket is as this node left it: else copies that the state names may be gone. */
  readonly mayFree: () => boolean;
};

export type ResidenceCounts = { readonly freed: number; readonly recalled: number };

export class Residence {
  readonly #parts: ResidenceParts;
  /** Those that could not be brought back, with when to try again. */
  readonly #failed = new Map<number, number>();
  readonly #damaged = new Set<number>();
  #counts: ResidenceCounts = { freed: 0, recalled: 0 };
  #stuckBytes = 0;

  constructor(parts: ResidenceParts) {
    this.#parts = parts;
  }

  /** Since the start. */
  get counts(): ResidenceCounts {
    return this.#counts;
  }

  /** Above what the disk may hold, although everything that may go has gone. */
  get stuckBytes(): number {
    return this.#stuckBytes;
  }

  /** A read met damage in its file here, and had its bytes from the copy: so shall all others. */
  mend(id: number): void {
    this.#damaged.add(id);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    await new TierLoop("free and recall", this.#parts).run(async () => {
      await this.#mendAll(signal);
      const startMs = clock.monotonicMs();
      const plan = await this.#parts.planner.plan();
      const planMs = clock.monotonicMs() - startMs;
      this.#stuckBytes = plan.stuckBytes;
      for (const { id } of plan.frees) {
        signal.throwIfAborted();
        if (!this.#parts.mayFree()) break;
        await this.free(id);
      }
      for (const id of plan.recalls) await this.#ifDue(id, () => this.recall(id, signal));
      return LOOK_EVERY_MS + planMs * REST_FACTOR;
    }, signal);
  }

  /**
   * The copy comes first, and then takes the place of the damaged file: most of that may be sound, and the
   * copy may turn out worse. Above the floor the file is part of the log.
   */
  async #mendAll(signal: AbortSignal): Promise<void> {
    for (const id of [...this.#damaged]) {
      this.#damaged.delete(id);
      if (!(await this.#ifDue(id, () => this.#bring("replace", id, signal)))) continue;
      this.#parts.logger.warn("a segment was damaged on this disk; its copy has taken its place", {
        segment: id,
      });
    }
  }

  /** Whether its file is gone now. */
  async free(id: number): Promise<boolean> {
    const { node, logger } = this.#parts;
    const isFreed = await node.local.free(id);
    if (!isFreed) return false;
    this.#counts = { ...this.#counts, freed: this.#counts.freed + 1 };
    logger.debug("a segment was given up here; its copy is in the cold tier", { segment: id });
    return true;
  }

  /** Whether it came back. Rejects with errors of the port. */
  async recall(id: number, signal: AbortSignal): Promise<boolean> {
    return await this.#bring("recall", id, signal);
  }

  async #bring(how: "recall" | "replace", id: number, signal: AbortSignal): Promise<boolean> {
    const { node } = this.#parts;
    const copy = node.segments.byId(id)?.cold;
    if (copy === undefined) return false;
    const isBack = await node.local[how](id, (path) => fetchCopy(this.#parts, copy, { path, signal }));
    if (isBack) this.#counts = { ...this.#counts, recalled: this.#counts.recalled + 1 };
    return isBack;
  }

  /** Whether it worked; what fails for this one alone is tried again later. */
  async #ifDue(id: number, work: () => Promise<boolean>): Promise<boolean> {
    const { clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    if ((this.#failed.get(id) ?? 0) > nowMs) return false;
    this.#failed.delete(id);
    try {
      return await work();
    } catch (error) {
      const isOfThisOne =
        error instanceof ColdMissingError || error instanceof ColdDamagedError || isOutOfSpace(error);
      if (!isOfThisOne) throw error;
      this.#failed.set(id, nowMs + RETRY_MS);
      this.#parts.logger.error("a segment cannot be brought here from the cold tier", {
        segment: id,
        reason: String(error),
      });
      return false;
    }
  }
}
