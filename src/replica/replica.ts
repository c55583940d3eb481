/**
 * The order of effects: proposals are gathered into entries, made stable, committed, applied, answered, and
 * in that order only. One log write is in flight; while it syncs, the next batch gathers, so load makes
 * batches and no timer adds latency. Consensus decides in raft/, bytes are store/'s, meaning is state/'s;
 * this loop joins them and knows what to do when the disk is full (wait, refuse) or broken (stop: promises
 * P7, P9).
 */
import { assert } from "../base/assert.ts";
import { BusyError, TooLargeError, UnavailableError, UnknownOutcomeError } from "../base/errors.ts";
import type { LogIndex } from "../base/units.ts";
import type { Clock } from "../ports/clock.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { RawNode } from "../raft/raw-node.ts";
import { PAYLOAD_BYTES_MAX } from "../segment/record.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import { ENTRY_HEAD_BYTES, chunkBytesMax, commandBytesMax } from "../state/command-size.ts";
import type { Log } from "../store/log.ts";
import type { AckedWriter } from "./acked-writer.ts";
import type { Applier } from "./applier.ts";
import { BodyTurns } from "./body-turns.ts";
import type { DiskGuard } from "./disk-guard.ts";
import { BLANK, encodeEntry, ownEntry, pendingEntry, sealEntry } from "./entry.ts";
import type { PendingEntry, PlacedEntry } from "./entry.ts";
import type { LogClock } from "./log-clock.ts";
import { ProposalQueue } from "./proposal-queue.ts";
import type { Proposal } from "./proposal-queue.ts";

/**
 * A batch is also closed at so many commands: some 2 ms of encoding and applying, which then overlap with the
 * disk.
 */
const BATCH_COMMANDS = 2000;
const FULL_DISK_RETRY_MS = 250;
/** Of all commands of an entry, as command-size.ts tells them. */
const ENTRY_BYTES_MAX = PAYLOAD_BYTES_MAX - ENTRY_HEAD_BYTES;

export type ReplicaOptions = {
  readonly raft: RawNode<PendingEntry>;
  readonly log: Log;
  readonly applier: Applier;
  readonly acked: AckedWriter;
  readonly guard: DiskGuard;
  readonly clock: Clock;
  readonly logClock: LogClock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly payloadEntriesMax: number;
  /**
   * A batch is closed at this size; it is also the most that one disk write carries, beside a large entry.
   */
  readonly batchBytesMax: number;
  readonly pendingCountMax: number;
  readonly pendingBytesMax: number;
  /** Told once when the node must not go on. */
  readonly onFatal: (error: unknown) => void;
};

type Wanted = {
  readonly commands: readonly Command[];
  readonly chunk: Chunk;
  readonly seals: boolean;
};

export class Replica implements ReplicatedLog<Command, Chunk, CommandResult> {
  readonly #options: ReplicaOptions;
  readonly #queue: ProposalQueue;
  /** In the log, not applied yet, in order. */
  #placed: PlacedEntry[] = [];
  #wake: (() => void) | undefined;
  #stopping = false;
  #gatheredCommands = 0;
  readonly #turns = new BodyTurns();
  #failure: unknown;
  #diskFull = false;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#queue = new ProposalQueue({ countMax: options.pendingCountMax, bytesMax: options.pendingBytesMax });
  }

  get appliedIndex(): LogIndex {
    return this.#options.applier.appliedIndex;
  }

  get commitIndex(): LogIndex {
    return this.#options.raft.commitIndex;
  }

  get term(): number {
    return this.#options.raft.term;
  }

  /** Why nothing can be written, or `undefined`. */
  get failure(): unknown {
    return this.#failure;
  }

  /** With one voter applied state is never behind what was acknowledged, here or elsewhere. */
  readBarrier(): undefined {
    return undefined;
  }

  async propose(command: Command): Promise<CommandResult> {
    const [result] = await this.#submit({ commands: [command] });
    return result as CommandResult;
  }

  proposeTogether(commands: readonly Command[]): Promise<readonly CommandResult[]> {
    if (commands.length === 0) return Promise.resolve([]);
    return this.#submit({ commands });
  }

  async proposeChunk(chunk: Chunk): Promise<CommandResult> {
    const [result] = await this.#submit({ chunk });
    return result as CommandResult;
  }

  /** Ends the open segment, if there is any entry in it; all that came before is applied when it resolves. */
  async seal(): Promise<void> {
    await this.#submit({ seals: true });
  }

  #submit(wanted: Partial<Wanted>): Promise<readonly CommandResult[]> {
    return new Promise((resolve, reject) => {
      const { commands = [], chunk, seals = false } = wanted;
      this.#admit(commands, chunk);
      const bytes = chunk === undefined ? bytesOf(commands) : chunkBytesMax(chunk);
      if (bytes > ENTRY_BYTES_MAX) throw tooLarge(commands.length, bytes);
      const group = commands.length > 1;
      const followsBodies = commands.some(followsBody);
      this.#queue.push({ commands, chunk, bytes, group, followsBodies, seals, resolve, reject });
      this.#wake?.();
    });
  }

  #admit(commands: readonly Command[], chunk: Chunk | undefined): void {
    if (this.#stopping || this.#failed) throw new UnavailableError("this node is stopping");
    const { refusal } = this.#options.guard;
    if (refusal === "none" && !this.#diskFull) return;
    const frees = chunk === undefined && commands.every(freesSpace);
    if (frees && !this.#diskFull) return;
    const bodies = chunk !== undefined || commands.some(bringsBytes);
    if (refusal === "bodies" && !bodies && !this.#diskFull) return;
    throw new BusyError("the disk is nearly full: writes are refused until there is space");
  }

  /**
   * The loop. Ends after `stop`, when everything that was admitted is answered; a failure that must end the
   * process is given to `onFatal`.
   */
  async run(): Promise<void> {
    try {
      while (!this.#failed && !(this.#stopping && this.#queue.length === 0)) await this.#turn();
      // What was on its way from the queue to the log when another part failed.
      if (this.#failed) this.#rejectAll(this.#failure);
    } catch (error) {
      if (this.#isGivenUp(error)) this.#rejectAll(error);
      else this.fail(error);
    }
  }

  /** A stop does not wait for space, neither of the log nor of the index: nothing is wrong with the node. */
  #isGivenUp(error: unknown): boolean {
    return this.#stopping && error instanceof UnavailableError;
  }

  async #turn(): Promise<void> {
    if (this.#queue.length === 0) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
      // Whatever else arrived in this turn of the event loop comes along in the same batch.
      await this.#options.clock.yieldToOthers();
    }
    this.#gather();
    while (this.#options.log.gatheredEntries > 0 && !this.#failed) {
      const committed = this.#takeCommitted();
      // Applying what the last write committed and encoding the next batch overlap with this write.
      await this.#bothOf(
        this.#makeStable(),
        this.#apply(committed).then(() => this.#gather()),
      );
      this.#gather();
    }
    await this.#apply(this.#takeCommitted());
  }

  /** A failure ends the node at once; a stop closes the files, so nothing may go on beside it. */
  async #bothOf(stable: Promise<void>, applied: Promise<void>): Promise<void> {
    try {
      await Promise.all([stable, applied]);
    } catch (error) {
      if (!this.#isGivenUp(error)) throw error;
      for (const end of await Promise.allSettled([stable, applied])) {
        if (end.status === "rejected" && !this.#isGivenUp(end.reason)) throw end.reason;
      }
      throw error;
    }
  }

  async #apply(committed: readonly PlacedEntry[]): Promise<void> {
    try {
      await this.#options.applier.applyPlaced(committed);
    } catch (error) {
      leaveUnknown(proposalsOf(committed), error);
      throw error;
    }
    this.#acknowledge();
  }

  #acknowledge(): void {
    const { raft, applier, acked, log } = this.#options;
    if (applier.appliedIndex === raft.appliedIndex) return;
    raft.applied(applier.appliedIndex);
    acked.acknowledged(applier.appliedIndex);
    void log.sealThrough(raft.commitIndex).catch((error: unknown) => this.fail(error));
  }

  /** Moves waiting proposals into the batch that gathers, up to its size. */
  #gather(): void {
    const { log, payloadEntriesMax, batchBytesMax, telemetry } = this.#options;
    while (log.gatheredBytes < batchBytesMax && this.#gatheredCommands < BATCH_COMMANDS) {
      const bytesMax = Math.min(batchBytesMax - log.gatheredBytes, ENTRY_BYTES_MAX);
      const othersWait = this.#queue.othersWait;
      const chunkBytes = this.#turns.chunkBytesMax({ othersWait, isWriting: log.writing });
      const proposals = this.#queue.takeEntry(payloadEntriesMax, bytesMax, { chunkBytesMax: chunkBytes });
      if (proposals.length === 0) return;
      if (this.#isNothingToSeal(proposals)) continue;
      try {
        const entry = this.#stamped(proposals);
        telemetry.batchEntries(Math.max(1, entry.commands.length));
        this.#gatheredCommands += entry.commands.length;
        this.#countTurns(proposals);
        this.#place(entry);
      } catch (error) {
        // They stand neither in the queue nor among the placed: nobody else would answer them.
        leaveUnknown(proposals, error);
        throw error;
      }
    }
  }

  /** A segment of a seal alone would be for nothing. The answer waits for what is on its way all the same. */
  #isNothingToSeal([first]: readonly Proposal[]): boolean {
    if (first?.seals !== true || this.#options.log.openEntries > 0) return false;
    const last = this.#placed.pop();
    if (last === undefined) first.resolve([]);
    else {
      const proposals = [...last.entry.proposals, first];
      this.#placed.push({ ...last, entry: { ...last.entry, proposals } });
    }
    return true;
  }

  #countTurns([first]: readonly Proposal[]): void {
    if (first === undefined || first.followsBodies) return;
    if (first.chunk === undefined) this.#turns.tookOthers();
    else this.#turns.tookChunk(first.bytes);
  }

  /** The entry of these proposals, at the log time of now; one before it sets the date if that is due. */
  #stamped(proposals: readonly Proposal[]): PendingEntry {
    const { logClock } = this.#options;
    if (proposals[0]?.seals === true) return sealEntry(proposals);
    const entry = pendingEntry(proposals, logClock.nowMs());
    // Nobody sees a date of a chunk.
    const dateMs = entry.chunk === undefined ? logClock.dateToSet(entry.timeMs) : undefined;
    if (dateMs !== undefined) this.#place(ownEntry({ kind: "setDate", dateMs }, entry.timeMs));
    return entry;
  }

  /** Now, and not behind the loop that gathers: what it encodes is what the bounds there count. */
  #place(entry: PendingEntry): void {
    const outcome = this.#options.raft.propose([entry]);
    assert(outcome.kind === "accepted", "a single voter leads its term");
    this.#placeReady();
  }

  /** Appends to the gathering batch what the core wants to be stable. */
  #placeReady(): void {
    const { log, raft } = this.#options;
    for (const { index, term, data } of raft.ready().entries) {
      const entry = data ?? BLANK;
      const position = log.add({ type: entry.type, index, term }, (writer, start) => {
        if (data !== undefined) encodeEntry(writer, data, start);
      });
      this.#placed.push({ entry, position });
    }
  }

  /** Writes the gathered batch. A full disk is waited for; every other error ends the node. */
  async #makeStable(): Promise<void> {
    const { log, raft, clock, telemetry } = this.#options;
    const startMs = clock.monotonicMs();
    const bytes = log.gatheredBytes;
    this.#gatheredCommands = 0;
    this.#turns.closed();
    for (;;) {
      try {
        await log.write();
        break;
      } catch (error) {
        if (!isOutOfSpace(error)) throw error;
        await this.#waitForSpace(error);
      }
    }
    this.#diskFull = false;
    telemetry.logWrite((clock.monotonicMs() - startMs) / 1000, bytes);
    raft.persistedEntries(log.stableIndex, log.stableTerm);
  }

  async #waitForSpace(error: unknown): Promise<void> {
    const { guard, clock, logger } = this.#options;
    if (await guard.releaseReserve()) return;
    if (!this.#diskFull) logger.error("the disk is full: the log waits for space", { reason: String(error) });
    this.#diskFull = true;
    this.#queue.rejectAll(new BusyError("the disk is full: writes are refused until there is space"));
    await clock.sleep(FULL_DISK_RETRY_MS);
    if (this.#stopping) throw new UnavailableError("stopped while the disk was full");
  }

  #takeCommitted(): readonly PlacedEntry[] {
    const { commitIndex } = this.#options.raft;
    const count = this.#placed.findIndex(({ position }) => position.index > commitIndex);
    return this.#placed.splice(0, count === -1 ? this.#placed.length : count);
  }

  /** Applies what is committed without the loop, at start. */
  async applyCommitted(): Promise<void> {
    await this.#apply(this.#takeCommitted());
  }

  /** Makes one batch stable and applies nothing: the first entry of a term, at start. */
  async persistReady(): Promise<void> {
    this.#placeReady();
    await this.#makeStable();
  }

  /** Nothing is written any more, whichever part of the node failed, and `onFatal` is told. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failure = error;
    this.#rejectAll(error);
    this.#options.onFatal(error);
  }

  get #failed(): boolean {
    return this.#failure !== undefined;
  }

  /** What is in the log may take effect, what waits for it cannot any more. */
  #rejectAll(cause: unknown): void {
    leaveUnknown(proposalsOf(this.#placed), cause);
    this.#placed = [];
    this.#queue.rejectAll(new UnavailableError("this node writes no more", { cause }));
  }

  /** Refuses new proposals; `run` ends when the admitted ones are answered. */
  stop(): void {
    this.#stopping = true;
    this.#options.applier.stop();
    this.#wake?.();
  }
}

/** Those that were answered already do not hear it. */
function leaveUnknown(proposals: readonly Proposal[], cause: unknown): void {
  const unknown = new UnknownOutcomeError("this node ended before it could tell", { cause });
  for (const proposal of proposals) proposal.reject(unknown);
}

function proposalsOf(placed: readonly PlacedEntry[]): readonly Proposal[] {
  return placed.flatMap(({ entry }) => entry.proposals);
}

function bytesOf(commands: readonly Command[]): number {
  let bytes = 0;
  for (const command of commands) bytes += commandBytesMax(command);
  return bytes;
}

function tooLarge(count: number, bytes: number): TooLargeError {
  return new TooLargeError(
    `${count} commands of up to ${bytes} bytes do not fit into one entry of the log, ` +
      `which holds ${ENTRY_BYTES_MAX}: nothing was done, write them in smaller groups`,
  );
}

function followsBody(command: Command): boolean {
  switch (command.kind) {
    case "putObject":
    case "putPart":
    case "copyObject":
    case "copyPart":
    case "renameObject":
      return command.body.kind === "stored";
    case "appendObject":
      return command.body.kind === "stored" || command.base.kind === "stored";
    case "abortBody":
      return true;
    default:
      return false;
  }
}

function bringsBytes(command: Command): boolean {
  switch (command.kind) {
    case "putObject":
    case "putPart":
    case "appendObject":
      return true;
    case "copyObject":
    case "copyPart":
      return command.body.kind !== "shared";
    case "batch":
      return command.steps.some(bringsBytes);
    default:
      return false;
  }
}

function freesSpace(command: Command): boolean {
  switch (command.kind) {
    case "batch":
      return command.steps.every(freesSpace);
    case "checkObject":
    case "deleteObject":
    case "deleteVersion":
    case "deleteBucket":
    case "deleteBucketSetting":
    case "abortUpload":
    case "abortBody":
    case "reapBody":
    case "reapParts":
    case "dropSegments":
    case "segmentOffloaded":
    case "condemnCold":
    case "pardonCold":
      return true;
    default:
      return false;
  }
}
