/**
 * Clears the bucket away, as garbage-plan.ts says. A round lists the cluster, reads manifests, condemned rows
 * and segments, and does what follows in this order: what is needed is pardoned; old manifests go, then
 * tails; new garbage is condemned; what was condemned for its grace is deleted, if a second look right
 * before at manifests, lineages, rows and segments still says so; pardoning it closes the deletion.
 *
 * Pardons come before manifests because the grace of an object has to run after the last manifest that named
 * it is gone. A round may stop anywhere, and be repeated by anybody: deletions are rows of the state, and
 * what has been garbage once is never needed again.
 */
import { Semaphore } from "../base/semaphore.ts";
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Logger } from "../ports/logger.ts";
import type { CondemnedRow } from "../state/rows.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import { BucketSurvey } from "./bucket-survey.ts";
import type { Survey } from "./bucket-survey.ts";
import { planGarbage } from "./garbage-plan.ts";
import type { GarbagePlan, GarbageSettings } from "./garbage-plan.ts";
import { bytesByKind } from "./tier-facts.ts";
import type { StoredBytes } from "./tier-facts.ts";
import type { TierHealth } from "./tier-health.ts";
import { TierLoop } from "./tier-loop.ts";
import { lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";
import { collectEveryMs } from "./tier-settings.ts";
import { adoptedBy, readCondemned, readLogTime } from "./tier-rows.ts";
import type { TierRows } from "./tier-rows.ts";

const LOOK_EVERY_MS = 300_000;
/** Of a store that nobody writes to: somebody else may have been at the bucket. */
const IDLE_LOOK_EVERY_MS = 24 * 3_600_000;
/** Somebody may have put it right. */
const BLOCKED_LOOK_EVERY_MS = 3_600_000;
/** A node that has just started has more urgent things to do. */
const FIRST_LOOK_MS = 30_000;
/** In one entry, which writes a row for each (RULES.md R5). */
const KEYS_PER_ENTRY = 200;
const DELETED_AT_ONCE = 50;
/** Between two times that many: some tens of requests a second, and never for long. */
const PAUSE_MS = 1000;
/** So much of an age may be lost at a start, while something waits for its age. */
const LOG_TIME_LOST_MS_MAX = 3_600_000;

export type CollectorOptions = {
  readonly store: ColdStore;
  readonly node: Pick<TierNode, "place" | "logTimeMs" | "propose"> & {
    readonly segments: Pick<SegmentTable, "all">;
  };
  readonly index: TierRows;
  /** Whether somebody writes it now, or has written it and not yet said so. */
  readonly isInFlight: (key: string) => boolean;
  /** Whether this node may write into the bucket, and so delete there (RULES.md R20). */
  readonly mayWrite: () => boolean;
  readonly settings: GarbageSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: TierHealth;
};

export type CollectorStatus = {
  /** Log time of the last round that came to its end. */
  readonly lookedAtMs: number | undefined;
  /** Lineages and manifests because of which nothing is deleted. */
  readonly blockedBy: readonly string[];
  readonly manifestsRetained: number;
  /** Objects that are condemned and wait for the end of their grace. */
  readonly waiting: number;
  /** Since this node started. */
  readonly deleted: number;
  /** What lies at or below it is needed by no replay from the bucket: 0 while that is not known. */
  readonly oldestSnapshotIndex: number;
  /** Of everything below the cluster, as the last round listed it; `undefined` before there was one. */
  readonly storedBytes: StoredBytes | undefined;
};

const NEVER_QUIET = { at: -1, lookedAtMs: 0, dueMs: 0 };

type Facts = {
  readonly survey: Survey;
  readonly adopted: readonly string[];
  readonly condemned: ReadonlyMap<string, CondemnedRow>;
};

export class Collector {
  readonly #options: CollectorOptions;
  readonly #survey: BucketSurvey;
  readonly #alone = new Semaphore(1);
  /** Where the log stood when the last round found nothing to do, and when there will be something. */
  #quiet = NEVER_QUIET;
  /** By the monotonic clock: a listing costs money, and hardly anybody waits for it. */
  #restsUntilMs = 0;
  #status: CollectorStatus = {
    lookedAtMs: undefined,
    blockedBy: [],
    manifestsRetained: 0,
    waiting: 0,
    deleted: 0,
    oldestSnapshotIndex: 0,
    storedBytes: undefined,
  };

  constructor(options: CollectorOptions) {
    this.#options = options;
    const { store, node, clock } = options;
    this.#survey = new BucketSurvey({ store, cluster: node.place.cluster, clock });
  }

  get status(): CollectorStatus {
    return this.#status;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(FIRST_LOOK_MS, { signal });
    await new TierLoop("clear away", this.#options).run(async () => {
      if (!this.#options.mayWrite()) return FIRST_LOOK_MS;
      if (this.#isDue && this.#options.clock.monotonicMs() >= this.#restsUntilMs) await this.collect(signal);
      await this.#keepLogTime();
      return LOOK_EVERY_MS;
    }, signal);
  }

  /** Whether anything can have changed since the last round: entries, ages. */
  get #isDue(): boolean {
    const { at, dueMs, lookedAtMs } = this.#quiet;
    const nowMs = this.#options.node.logTimeMs();
    const everyMs = this.#status.blockedBy.length > 0 ? BLOCKED_LOOK_EVERY_MS : IDLE_LOOK_EVERY_MS;
    return at !== this.#position || nowMs >= Math.min(dueMs, lookedAtMs + everyMs);
  }

  get #position(): number {
    const last = this.#options.node.segments.all.at(-1);
    return last === undefined ? 0 : lastOf(last);
  }

  /** One round; the plan that it followed. Rounds wait for each other. */
  collect(signal: AbortSignal): Promise<GarbagePlan> {
    return this.#alone.run(() => this.#collect(signal));
  }

  async #collect(signal: AbortSignal): Promise<GarbagePlan> {
    const facts = await this.#look(signal);
    const storedBytes = await finishInSteps(bytesByKind(facts.survey.listing), this.#options.clock);
    this.#status = { ...this.#status, storedBytes };
    const plan = await this.#plan(facts);
    this.#tell(plan);
    await this.#proposeAll("pardonCold", plan.unmark, signal);
    // With as many pardons as a plan may hold there may be more, and none may be left when a manifest goes.
    if (plan.unmark.length < this.#options.settings.deletionsMax) {
      await this.#delete(plan.deleteManifests, signal);
      await this.#survey.forget(plan.deleteManifests);
    }
    await this.#delete(plan.deleteTails, signal);
    await this.#proposeAll("condemnCold", plan.mark, signal);
    await this.#deleteObjects(plan, facts, signal);
    const lookedAtMs = this.#options.node.logTimeMs();
    this.#status = { ...this.#status, lookedAtMs };
    const { deleteManifests, deleteTails, deleteObjects, mark, unmark, dueMs } = plan;
    const isQuiet = [deleteManifests, deleteTails, deleteObjects, mark, unmark].every(
      (keys) => keys.length === 0,
    );
    this.#quiet = isQuiet ? { at: this.#position, lookedAtMs, dueMs } : NEVER_QUIET;
    const { clock, settings } = this.#options;
    // A plan holds so many of each: where one is full, the next looks go on with it.
    const isFull = [deleteManifests, deleteTails, deleteObjects, mark, unmark].some(
      (keys) => keys.length >= settings.deletionsMax,
    );
    this.#restsUntilMs = isFull ? 0 : clock.monotonicMs() + collectEveryMs(settings);
    return plan;
  }

  async #look(signal: AbortSignal, before?: Facts): Promise<Facts> {
    const { index, node } = this.#options;
    const { lineage } = node.place;
    const adopted = await adoptedBy(index, lineage);
    const mine = [lineage, ...adopted];
    const survey =
      before === undefined
        ? await this.#survey.look(mine, signal)
        : await this.#survey.lookAgain(before.survey, mine, signal);
    // What the state says comes after what the bucket showed: a copy that is named since is known.
    return { survey, adopted, condemned: await readCondemned(index) };
  }

  #plan({ survey, adopted, condemned }: Facts): Promise<GarbagePlan> {
    const { node, isInFlight, settings, clock } = this.#options;
    const marks = new Map<string, number>();
    const replaced = new Set<string>();
    for (const [key, { sinceMs, wasNamed }] of condemned) {
      marks.set(key, sinceMs);
      if (wasNamed) replaced.add(key);
    }
    const { place } = node;
    const segments = node.segments.all.map((segment) => {
      const { id, firstIndex: first, cold } = segment;
      return { id, first, last: lastOf(segment), cold };
    });
    const logTimeMs = node.logTimeMs();
    const facts = { place, adopted, bucket: survey, segments, marks, replaced, isInFlight, logTimeMs };
    return finishInSteps(planGarbage(facts, settings), clock);
  }

  #tell({ blockedBy, retained, waiting, oldestSnapshotIndex }: GarbagePlan): void {
    const { logger } = this.#options;
    if (blockedBy.length > 0 && blockedBy.join() !== this.#status.blockedBy.join()) {
      const message =
        "nothing is deleted in the cold tier: another lineage, or an unread manifest, may need it";
      logger.warn(message, { blockedBy: blockedBy.slice(0, 5).join(" ") });
    }
    const counts = { manifestsRetained: retained.length, waiting: waiting.length };
    this.#status = { ...this.#status, blockedBy, ...counts, oldestSnapshotIndex };
  }

  async #proposeAll(
    kind: "condemnCold" | "pardonCold",
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const some of inPieces(keys, KEYS_PER_ENTRY)) {
      signal.throwIfAborted();
      await this.#options.node.propose({ kind, keys: some });
    }
  }

  async #delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#options;
    for (const some of inPieces(keys, DELETED_AT_ONCE)) {
      await store.delete(some, { signal });
      this.#status = { ...this.#status, deleted: this.#status.deleted + some.length };
      if (some.length === DELETED_AT_ONCE) await clock.sleep(PAUSE_MS, { signal });
    }
  }

  /** What one look found is deleted when a second one, made right before, finds the same. */
  async #deleteObjects(plan: GarbagePlan, before: Facts, signal: AbortSignal): Promise<void> {
    if (plan.deleteObjects.length === 0) return;
    const { logger } = this.#options;
    const { deleteObjects } = await this.#plan(await this.#look(signal, before));
    const found = new Set(plan.deleteObjects);
    const doomed = deleteObjects.filter((key) => found.has(key));
    for (const some of inPieces(doomed, DELETED_AT_ONCE)) {
      const unneeded = this.#unneeded(some);
      await this.#delete(unneeded, signal);
      await this.#proposeAll("pardonCold", unneeded, signal);
    }
    if (doomed.length === 0) return;
    logger.info("objects of the cold tier that nothing needs were deleted", { objects: doomed.length });
  }

  /** Of these, what neither a segment names at this moment nor somebody writes. */
  #unneeded(keys: readonly string[]): readonly string[] {
    const { node, isInFlight } = this.#options;
    const left = new Set(keys);
    for (const { cold } of node.segments.all) if (cold !== undefined) left.delete(cold.key);
    return [...left].filter((key) => !isInFlight(key));
  }

  /** Log time survives a start in entries only: an idle store makes one while something waits for its age. */
  async #keepLogTime(): Promise<void> {
    const { node, index } = this.#options;
    if (this.#quiet.dueMs === Infinity) return;
    const lostMs = node.logTimeMs() - (await readLogTime(index));
    if (lostMs >= LOG_TIME_LOST_MS_MAX) await node.propose({ kind: "tick" });
  }
}

function* inPieces<Item>(items: readonly Item[], length: number): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += length) yield items.slice(at, at + length);
}
