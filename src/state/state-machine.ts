/**
 * The deterministic state machine: entries in log order go in, rows, results and cache effects come out. It
 * sees no clock, no randomness and no order but the log's, so every replica that applied the same index holds
 * the same rows (RULES.md R7).
 */
import { unreachable } from "../base/assert.ts";
import { applyAbortBody, applyChunk, applyReapBody } from "./apply-body.ts";
import { applyCold, applyDropSegments } from "./apply-cold.ts";
import { isColdCommand } from "./cold-codec.ts";
import { applyAppendObject } from "./apply-append.ts";
import type { ApplyContext } from "./apply-context.ts";
import { applySetting, removeSettings } from "./apply-setting.ts";
import { applyCopyObject, applyCopyPart, applyRenameObject } from "./apply-copy.ts";
import { applyDeleteObject, applyDeleteVersion, applyPutObject } from "./apply-object.ts";
import { applyBatch, applyCheckObject, birthsOf } from "./apply-batch.ts";
import { applyPutObjectTags } from "./apply-tags.ts";
import {
  applyAbortUpload,
  applyCompleteUpload,
  applyCreateUpload,
  applyPutPart,
  applyReapParts,
} from "./apply-upload.ts";
import { BucketTable } from "./bucket-table.ts";
import type { Chunk, Command, CommandResult } from "./command.ts";
import type { PlacedCommand } from "./command-codec.ts";
import { Dates } from "./dates.ts";
import { keys } from "./keys.ts";
import { rows } from "./rows.ts";
import { SegmentTable } from "./segment-table.ts";
import type { EntryPosition } from "./segment-table.ts";
import type { StateEffects, StateView } from "./view.ts";

export class StateMachine {
  readonly segments = new SegmentTable();
  readonly buckets: BucketTable;
  readonly dates: Dates;
  readonly #view: StateView;
  readonly #effects: StateEffects;
  readonly #tally = { reapMarks: 0 };
  #logTimeMs = 0;
  #changedIndex = 0;

  constructor(view: StateView, effects: StateEffects) {
    this.#view = view;
    this.#effects = effects;
    this.buckets = new BucketTable(view);
    this.dates = new Dates(view);
    const time = view.get(keys.meta("logTime"));
    if (time !== undefined) this.#logTimeMs = rows.counter.decode(time).value;
  }

  get logTimeMs(): number {
    return this.#logTimeMs;
  }

  /** The last entry, since the start, that did more than keep the store in order. */
  get changedIndex(): number {
    return this.#changedIndex;
  }

  get reapMarks(): number {
    return this.#tally.reapMarks;
  }

  applyCommands(
    entry: { readonly timeMs: number; readonly commands: readonly PlacedCommand[] },
    position: EntryPosition,
  ): CommandResult[] {
    const context = this.#begin(entry.timeMs, position);
    const results: CommandResult[] = [];
    let sub = 0;
    for (const placed of entry.commands) {
      results.push(applyCommand(context, placed, sub));
      if (!isUpkeep(placed.command)) this.#changedIndex = position.index;
      sub += birthsOf(placed.command);
    }
    this.#end(entry.timeMs);
    return results;
  }

  applyChunk(
    entry: { readonly timeMs: number; readonly chunk: Chunk; readonly bodyOffset: number },
    position: EntryPosition,
  ): CommandResult {
    const context = this.#begin(entry.timeMs, position);
    const result = applyChunk(context, entry.chunk, entry.bodyOffset);
    this.#changedIndex = position.index;
    this.#end(entry.timeMs);
    return result;
  }

  /** An entry without commands: a new term, a seal. */
  applyBlank(position: EntryPosition): void {
    this.#begin(this.#logTimeMs, position);
    this.#end(this.#logTimeMs);
  }

  #begin(timeMs: number, position: EntryPosition): ApplyContext {
    const { dates } = this;
    const logTimeMs = Math.max(timeMs, this.#logTimeMs);
    this.segments.append(position, () => ({ timeMs: logTimeMs, dateMs: dates.at(logTimeMs) }));
    return {
      view: this.#view,
      effects: this.#effects,
      buckets: this.buckets,
      segments: this.segments,
      dates,
      timeMs: logTimeMs,
      get dateMs() {
        return dates.at(logTimeMs);
      },
      position,
      tally: this.#tally,
    };
  }

  #end(timeMs: number): void {
    if (timeMs > this.#logTimeMs) {
      this.#logTimeMs = timeMs;
      this.#view.put(keys.meta("logTime"), rows.counter.encode({ value: timeMs }));
    }
    this.buckets.writeDirty();
    this.segments.writeDirty(this.#view);
  }
}

/** Nobody would miss it after a restore: it is done again wherever it is due. */
function isUpkeep({ kind }: Command): boolean {
  switch (kind) {
    case "tick":
    case "setDate":
    case "dropSegments":
    case "condemnCold":
    case "pardonCold":
      return true;
    default:
      return false;
  }
}

function applyCommand(context: ApplyContext, placed: PlacedCommand, sub: number): CommandResult {
  const { command, bodyOffset } = placed;
  switch (command.kind) {
    case "putObject":
      return applyPutObject(context, command, { sub, bodyOffset });
    case "deleteObject":
      return applyDeleteObject(context, command, sub);
    case "deleteVersion":
      return applyDeleteVersion(context, command);
    case "setVersioning":
      return applySetVersioning(context, command);
    case "createBucket":
      return applyCreateBucket(context, command);
    case "deleteBucket":
      return applyDeleteBucket(context, command.name);
    case "createUpload":
      return applyCreateUpload(context, command);
    case "putPart":
      return applyPutPart(context, command, bodyOffset);
    case "completeUpload":
      return applyCompleteUpload(context, command, sub);
    case "abortUpload":
      return applyAbortUpload(context, command);
    case "abortBody":
      return applyAbortBody(context, command.bodyId);
    case "reapBody":
      return applyReapBody(context, command.bodyId, command.page);
    case "reapParts":
      return applyReapParts(context, command);
    case "copyObject":
      return applyCopyObject(context, command, { sub, bodyOffset });
    case "copyPart":
      return applyCopyPart(context, command, bodyOffset);
    case "renameObject":
      return applyRenameObject(context, command, { sub, bodyOffset });
    case "appendObject":
      return applyAppendObject(context, command, { sub, bodyOffset });
    case "checkObject":
      return applyCheckObject(context, command);
    case "batch":
      return applyBatch(context, command, { sub, bodyOffset });
    case "putObjectTags":
      return applyPutObjectTags(context, command);
    case "setDate":
      context.dates.set(context.timeMs, command.dateMs);
      return { kind: "done" };
    case "tick":
      return { kind: "done" };
    case "dropSegments":
      return applyDropSegments(context, command.segmentIds);
    case "putBucketSetting":
    case "deleteBucketSetting":
    case "putAccount":
    case "deleteAccount":
    case "putDataKey":
      return applySetting(context, command);
    default:
      return isColdCommand(command) ? applyCold(context, command) : unreachable(command);
  }
}

function applyCreateBucket(
  context: ApplyContext,
  command: Extract<Command, { kind: "createBucket" }>,
): CommandResult {
  const existing = context.buckets.find(command.name);
  if (existing !== undefined) return { kind: "bucketExists", owner: existing.row.owner };
  const counterKey = keys.meta("nextBucketId");
  const counter = context.view.get(counterKey);
  const id = counter === undefined ? 1 : rows.counter.decode(counter).value;
  context.view.put(counterKey, rows.counter.encode({ value: id + 1 }));
  const { owner, location } = command;
  context.buckets.create(command.name, { id, owner, createdMs: context.dateMs, location });
  return { kind: "done" };
}

function applyDeleteBucket(context: ApplyContext, name: string): CommandResult {
  const bucket = context.buckets.find(name);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  const { objects, versions } = bucket.counters;
  if (objects > 0 || versions > 0) return { kind: "bucketNotEmpty" };
  removeSettings(context, bucket);
  context.buckets.delete(name, bucket);
  return { kind: "done" };
}

/** Objects that are there stay as they are: they are versions without an id. */
function applySetVersioning(
  context: ApplyContext,
  command: Extract<Command, { kind: "setVersioning" }>,
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  if (bucket === undefined) return { kind: "noSuchBucket" };
  context.buckets.setVersioning(command.bucket, bucket, command.versioning);
  return { kind: "done" };
}
