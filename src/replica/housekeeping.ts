/**
 * Work that nobody asks for: reaping what lost its last reference, giving up staged bodies of gateways that
 * are gone and uploads that nobody continues (RULES.md R5, R6). Everything it does is a proposal; it may stop
 * and start anywhere. Ages are differences of log time, never of dates or wall clocks (R7).
 */
import { BusyError, UnavailableError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { ReadPins } from "../store/read-pins.ts";
import type { StateIndex } from "../store/state-index.ts";
import { keys, prefixRange, ranges } from "../state/keys.ts";
import { EXTENTS_PER_ROW, rows } from "../state/rows.ts";
import type { UploadRow } from "../state/rows.ts";
import type { StateMachine } from "../state/state-machine.ts";
import type { LogClock } from "./log-clock.ts";
import type { Replica } from "./replica.ts";

const LOOK_EVERY_MS = 1000;
const STAGES_EVERY_MS = 60_000;
const PAGE = 100;
/** More than twice what a chunk takes at the slowest rate that the settings allow by default. */
export const STAGE_IDLE_MS = 3_600_000;
const UPLOAD_IDLE_MS = 7 * 24 * 3_600_000;
const UPLOADS_EVERY_MS = 3_600_000;
/** So much of an age may be lost at a start, while something waits for its age. */
const LOG_TIME_LOST_MS_MAX = 3_600_000;
/** Each of them may take 0.1 ms: its body's row, with 256 extents, is read and written. */
const PARTS_PER_STEP = 10;

export type HousekeepingOptions = {
  readonly replica: Replica;
  readonly index: StateIndex;
  readonly state: StateMachine;
  readonly pins: ReadPins;
  readonly clock: Clock;
  readonly logClock: LogClock;
  readonly logger: Logger;
  readonly reapGraceMs: number;
  /** Of this gateway; stages of every other one are given up. */
  readonly incarnation: string;
};

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #reapedMarks = -1;
  #stagesDueMs = 0;
  /** Log time before which no open upload can have been idle for long enough. */
  #uploadsDueMs = 0;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#look(signal);
      } catch (error) {
        // The node is stopping, or has failed and said so: either way nothing more is to be done here.
        if (signal.aborted || error instanceof UnavailableError) return;
        if (!(error instanceof BusyError)) throw error;
        logger.debug("housekeeping waits", { reason: error.message });
      }
      await clock.sleep(LOOK_EVERY_MS, { signal });
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, logClock, state } = this.#options;
    logClock.look();
    const marks = state.reapMarks;
    if (marks !== this.#reapedMarks && (await this.#reapAll(signal))) this.#reapedMarks = marks;
    if (clock.monotonicMs() < this.#stagesDueMs) return;
    this.#stagesDueMs = clock.monotonicMs() + STAGES_EVERY_MS;
    await this.#giveUpStages();
    await this.#giveUpUploads();
    await this.#keepLogTime();
  }

  /** All rows of a range, a page at a time; each page is taken before its rows are worked on. */
  async #scan(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, value: Uint8Array) => Promise<void>,
  ): Promise<void> {
    let { from } = range;
    for (;;) {
      const iterator = await this.#options.index.iterate({ from, to: range.to });
      let page: Awaited<ReturnType<typeof iterator.next>>;
      try {
        page = await iterator.next(PAGE);
      } finally {
        await iterator.close();
      }
      for (const [key, value] of page) await visit(key, value);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      from = `${last[0]}\0`;
    }
  }

  /** Whether everything that was marked is gone. */
  async #reapAll(signal: AbortSignal): Promise<boolean> {
    const { logClock, pins, reapGraceMs } = this.#options;
    let complete = true;
    await this.#scan(ranges.reaps, async (key, value) => {
      const [, kind, id] = key.split("/") as [string, string, string];
      const ageMs = logClock.nowMs() - rows.reap.decode(value).sinceMs;
      if (signal.aborted || ageMs < reapGraceMs || pins.has(id)) {
        complete = false;
        return;
      }
      if (kind === "body") await this.#reapBody(id);
      else if (!(await this.#reapParts(id))) complete = false;
    });
    return complete;
  }

  async #reapBody(bodyId: string): Promise<void> {
    const { index, replica } = this.#options;
    const bytes = await index.getLater(keys.body(bodyId));
    const count = bytes === undefined ? 0 : rows.body.decode(bytes).extentCount;
    for (let page = Math.max(1, Math.ceil(count / EXTENTS_PER_ROW)) - 1; page >= 0; page--) {
      await replica.propose({ kind: "reapBody", bodyId, page });
    }
  }

  /** Parts of a dropped upload, or those that its Complete did not choose. Whether nothing is left. */
  async #reapParts(uploadId: string): Promise<boolean> {
    const { index, replica } = this.#options;
    const bytes = await index.getLater(keys.upload(uploadId));
    const upload = bytes === undefined ? undefined : rows.upload.decode(bytes);
    const dropped = upload?.completed === undefined || upload.completed.refs === 0;
    const doomed: number[] = [];
    await this.#scan(prefixRange(keys.partPrefix(uploadId)), async (key) => {
      const partNumber = Number(key.slice(-5));
      if (dropped || !isChosen(upload, partNumber)) doomed.push(partNumber);
    });
    for (let at = 0; at === 0 || at < doomed.length; at += PARTS_PER_STEP) {
      const partNumbers = doomed.slice(at, at + PARTS_PER_STEP);
      const last = at + PARTS_PER_STEP >= doomed.length;
      const result = await replica.propose({ kind: "reapParts", uploadId, partNumbers, last, dropped });
      if (result.kind !== "done") return false;
    }
    return true;
  }

  async #giveUpStages(): Promise<void> {
    const { logClock, replica, incarnation, logger } = this.#options;
    await this.#scan(ranges.stages, async (key, value) => {
      const stage = rows.stage.decode(value);
      const idle = logClock.nowMs() - stage.lastTimeMs > STAGE_IDLE_MS;
      if (stage.incarnation === incarnation && !idle) return;
      const bodyId = key.slice(ranges.stages.from.length);
      logger.debug("a staged body is given up", { bodyId, idle });
      await replica.propose({ kind: "abortBody", bodyId });
    });
  }

  async #giveUpUploads(): Promise<void> {
    const { logClock, replica, index } = this.#options;
    const nowMs = logClock.nowMs();
    if (nowMs < this.#uploadsDueMs) return;
    const idleSinceMs = nowMs - UPLOAD_IDLE_MS;
    let oldestMs = nowMs;
    await this.#scan(ranges.openUploads, async (key) => {
      const uploadId = key.slice(key.lastIndexOf("\0") + 1);
      const bytes = await index.getLater(keys.upload(uploadId));
      const upload = bytes === undefined ? undefined : rows.upload.decode(bytes);
      if (upload === undefined) return;
      if (upload.lastTimeMs > idleSinceMs) {
        oldestMs = Math.min(oldestMs, upload.lastTimeMs);
        return;
      }
      const { bucketId, key: objectKey } = upload;
      await replica.propose({ kind: "abortUpload", uploadId, bucketId, key: objectKey, idleSinceMs });
    });
    this.#uploadsDueMs = Math.max(nowMs + UPLOADS_EVERY_MS, oldestMs + UPLOAD_IDLE_MS);
  }

  /** Log time survives a start in entries only: a store that is idle itself makes one while uploads are. */
  async #keepLogTime(): Promise<void> {
    const { logClock, state, replica } = this.#options;
    if (logClock.nowMs() - state.logTimeMs < LOG_TIME_LOST_MS_MAX) return;
    if (await this.#isUploadOpen()) await replica.propose({ kind: "tick" });
  }

  async #isUploadOpen(): Promise<boolean> {
    const iterator = await this.#options.index.iterate(ranges.openUploads);
    try {
      return (await iterator.next(1)).length > 0;
    } finally {
      await iterator.close();
    }
  }
}

function isChosen(upload: UploadRow | undefined, partNumber: number): boolean {
  const runs = upload?.completed?.runs ?? [];
  return runs.some((run) => partNumber >= run.firstPart && partNumber < run.firstPart + run.count);
}
