/** How far a restore is and how long it still takes, told at most once a second. */
import type { Clock } from "../ports/clock.ts";
import type { RestoreProgress } from "./restore-report.ts";
import type { RestoreNews } from "./restore.ts";

const TELL_EVERY_MS = 1000;
/** Before that the pace is a guess. */
const PACED_AFTER_MS = 2000;

export class RestoreMeter {
  readonly #clock: Clock;
  readonly #tell: (progress: RestoreProgress) => void;
  #startMs = 0;
  #toldMs = 0;
  #total = { bytes: 0, objects: 0 };

  constructor(clock: Clock, tell: (progress: RestoreProgress) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  hear(news: RestoreNews): void {
    const now = this.#clock.monotonicMs();
    if (news.kind === "planned") {
      this.#total = { bytes: news.outline.fetchBytes, objects: news.outline.fetchObjects };
      this.#startMs = now;
      this.#toldMs = now;
    }
    if (news.kind !== "arrived" || now - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = now;
    const { bytes: totalBytes, objects: totalObjects } = this.#total;
    // What was fetched twice counts once.
    const bytes = Math.min(news.bytes, totalBytes);
    const objects = Math.min(news.objects, totalObjects);
    const elapsedMs = now - this.#startMs;
    const isPaced = elapsedMs >= PACED_AFTER_MS && bytes > 0;
    const secondsLeft = isPaced ? Math.ceil((((totalBytes - bytes) / bytes) * elapsedMs) / 1000) : undefined;
    this.#tell({ bytes, totalBytes, objects, totalObjects, secondsLeft });
  }
}
