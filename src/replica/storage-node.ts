/**
 * A data directory in operation: opens it in the order that RULES.md asks for, runs its loops, and closes it
 * so that the next start replays nothing. Everything above works with the members; everything below is joined
 * here.
 */
import { OR_SALVAGE, RefusedError } from "../base/errors.ts";
import { logIndex } from "../base/units.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import type { DirectoryLock, Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import type { Random } from "../ports/random.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import { RawNode } from "../raft/raw-node.ts";
import { AckedFile } from "../store/acked-file.ts";
import { readFloor } from "../store/floor-file.ts";
import { Log } from "../store/log.ts";
import { RESTORING_NAME, readRestored } from "../store/restored-file.ts";
import type { Restored } from "../store/restored-file.ts";
import { recoverLog } from "../store/log-recovery.ts";
import type { RecoveredLog } from "../store/log-recovery.ts";
import type { ObjectCache } from "../store/object-cache.ts";
import type { ObjectReader } from "../store/object-reader.ts";
import { openIndex } from "../store/open-index.ts";
import type { OpenedIndex } from "../store/open-index.ts";
import { SegmentFiles } from "../store/segment-files.ts";
import { SNAPSHOTS_NAME } from "../store/snapshot-files.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { LocalSegments, TierView } from "../store/local-segments.ts";
import { VoteFile } from "../store/vote-file.ts";
import type { StateMachine } from "../state/state-machine.ts";
import { AckedWriter } from "./acked-writer.ts";
import { DiskGuard, PROBE, RESERVE, expectRoom } from "./disk-guard.ts";
import { dropDamagedIndex } from "./drop-damaged-index.ts";
import type { PendingEntry } from "./entry.ts";
import { Housekeeping } from "./housekeeping.ts";
import { LocalStore } from "./local-store.ts";
import { LocalValues } from "./local-values.ts";
import { LogClock } from "./log-clock.ts";
import { markGivenUp } from "./missing-values.ts";
import { openNodeFile, refuseForeign } from "./node-file.ts";
import type { NodeFile } from "./node-file.ts";
import { openState } from "./open-state.ts";
import type { OpenState, StateOptions } from "./open-state.ts";
import { replay } from "./replay.ts";
import { Replica } from "./replica.ts";
import { SpaceKeeper } from "./space-keeper.ts";
import { DISK_CAUTION } from "./space-policy.ts";
import type { Caution, SpaceSettings } from "./space-policy.ts";

export type StorageNodeOptions = StateOptions & {
  readonly directory: string;
  readonly nodeId: string;
  readonly segmentBytes: number;
  readonly payloadEntriesMax: number;
  readonly batchBytesMax: number;
  readonly pendingWritesMax: number;
  readonly pendingBytesMax: number;
  readonly space: SpaceSettings;
  /** That of a disk, unless said otherwise. */
  readonly caution?: Caution;
  /** What the bucket has; the floor goes by what is on this disk alone, if nothing is said. */
  readonly tier?: TierView;
  readonly disk: Disk;
  readonly openIndexStore: (path: string) => Promise<IndexStore>;
  readonly random: Random;
  readonly telemetry: Telemetry;
  /** The node found something that forbids going on; the process has to end. */
  readonly onFatal: (error: unknown) => void;
};

/** LevelDB needs some room for the files it makes when it is opened. */
const REOPEN_BYTES_MIN = 32 * 1024 * 1024;

type Opened = {
  readonly lock: DirectoryLock;
  readonly node: NodeFile;
  readonly vote: VoteFile;
  readonly acked: AckedFile;
  readonly files: SegmentFiles;
  readonly recovered: RecoveredLog;
  readonly index: OpenedIndex;
  readonly restored: Restored | undefined;
};

export class StorageNode {
  readonly node: NodeFile;
  readonly replica: Replica;
  readonly index: StateIndex;
  readonly state: StateMachine;
  readonly cache: ObjectCache;
  readonly reader: ObjectReader;
  readonly guard: DiskGuard;
  readonly logClock: LogClock;
  readonly space: SpaceKeeper;
  /** For the cold tier. */
  readonly local: LocalSegments;
  readonly replayedEntries: number;
  readonly indexRebuilt: string | undefined;
  /** What a restore left to be done before anybody is served. */
  readonly restored: Restored | undefined;
  readonly #parts: Parts;
  readonly #loops: Loops;
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts, loops: Loops, replayedEntries: number) {
    this.#parts = parts;
    this.#loops = loops;
    this.node = parts.opened.node;
    this.replica = parts.replica;
    this.index = parts.index;
    this.state = parts.state;
    this.cache = parts.cache;
    this.reader = parts.reader;
    this.guard = parts.guard;
    this.logClock = parts.logClock;
    this.space = parts.space;
    this.local = parts.local;
    this.replayedEntries = replayedEntries;
    this.indexRebuilt = parts.opened.index.rebuilt;
    this.restored = parts.opened.restored;
  }

  /** Throws RefusedError where going on could lose or falsify something. */
  static async open(options: StorageNodeOptions): Promise<StorageNode> {
    const opened = await withReserve(options, () => openFiles(options));
    const parts = await assemble(options, opened).catch(async (error: unknown) => {
      await opened.index.store.close();
      await closeOpened(opened);
      throw error;
    });
    const loops = startLoops(parts);
    try {
      const replayedEntries = await takeOffice(options, parts);
      loops.add(parts.replica.run());
      loops.add(parts.housekeeping.run(loops.signal));
      loops.add(parts.space.run(loops.signal));
      loops.add(dropDamagedIndex({ ...options, index: parts.index }, loops.signal));
      return new StorageNode(parts, loops, replayedEntries);
    } catch (error) {
      await loops.stop();
      await closeFiles(parts);
      throw error;
    }
  }

  /** Incarnation of this gateway, as it stands in what it names. */
  get incarnation(): string {
    return incarnationOf(this.node);
  }

  async stopWriting(): Promise<void> {
    this.replica.stop();
    await this.#loops.writingEnded;
  }

  /** Answers what was admitted, flushes, and leaves exact marks. Closing twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.stopWriting();
    await this.#loops.stop();
    await closeFiles(this.#parts);
  }
}

function incarnationOf(node: NodeFile): string {
  return `${node.nodeId}.${node.incarnation.toString(36)}`;
}

/** Loops that run beside each other; the first failure ends them all. */
class Loops {
  readonly #abort = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #onFatal: (error: unknown) => void;

  constructor(onFatal: (error: unknown) => void) {
    this.#onFatal = onFatal;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  add(loop: Promise<void>): void {
    this.#running.push(
      loop.catch((error: unknown) => {
        if (!this.signal.aborted) this.#onFatal(error);
      }),
    );
  }

  /** The replica's loop ends by its own `stop`. */
  get writingEnded(): Promise<void> | undefined {
    return this.#running[REPLICA_LOOP];
  }

  /** The others end by the signal, after it. */
  async stop(): Promise<void> {
    await this.writingEnded;
    this.#abort.abort();
    await Promise.all(this.#running);
  }
}
const REPLICA_LOOP = 3;

async function openFiles(options: StorageNodeOptions): Promise<Opened> {
  const { disk, directory, random, nodeId, segmentBytes, logger } = options;
  await disk.makeDirectory(directory);
  await refuseForeign(disk, directory);
  const lock = await disk.lock(`${directory}/lock`);
  if (lock === undefined) {
    throw new RefusedError(`another process uses ${directory}. Stop it, or give this one its own --data-dir`);
  }
  const undo: (() => Promise<void>)[] = [() => lock.release()];
  try {
    const node = await openNodeFile({ disk, random, directory, nodeId, segmentBytes });
    // A restore that did all and died before it could say so must not be done again from here on.
    await disk.remove(`${directory}/${RESTORING_NAME}`);
    const restored = await readRestored(disk, directory);
    await disk.makeDirectory(`${directory}/log`);
    // Of a process that died over it.
    await disk.remove(`${directory}/${PROBE}`);
    const files = new SegmentFiles(disk, `${directory}/log`);
    await AckedFile.refuseMissing(disk, { path: `${directory}/acked`, log: files });
    const vote = await VoteFile.open(disk, `${directory}/vote`);
    undo.unshift(() => vote.close());
    const acked = await AckedFile.open(disk, `${directory}/acked`);
    undo.unshift(() => acked.close());
    // The names of everything made so far; without it a power cut could leave a log without its vote.
    await disk.syncDirectory(directory);
    const floor = await readFloor(disk, directory);
    const recovered = await recoverLog({
      disk,
      files,
      floor,
      segmentBytesMax: node.segmentBytes,
      ackedIndex: acked.isEmpty ? undefined : acked.index,
      logger,
    });
    if (recovered.lastTerm > vote.vote.term) {
      throw new RefusedError(
        `the log of ${directory} reaches term ${recovered.lastTerm}, its vote only ${vote.vote.term}: ` +
          `the vote file is older than the log. Restore both from the same moment, ${OR_SALVAGE}`,
      );
    }
    const index = await openIndex({
      disk,
      directory: `${directory}/index`,
      open: options.openIndexStore,
      logger,
      snapshots: {
        directory: `${directory}/${SNAPSHOTS_NAME}`,
        floorIndex: floor.lastIndex,
        spend: () => options.clock.yieldToOthers(),
      },
    });
    undo.unshift(() => index.store.close());
    if (index.appliedIndex > recovered.lastIndex) {
      throw new RefusedError(
        `the index of ${directory} has applied entry ${index.appliedIndex}, but the log ends at ` +
          `${recovered.lastIndex}: segment files are missing. Restore them, ${OR_SALVAGE}`,
      );
    }
    // Before the log gets a byte: from then on the mark is never missing.
    if (acked.isEmpty) await acked.begin(recovered.lastIndex);
    return { lock, node, vote, acked, files, recovered, index, restored };
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

/** A disk that is full at the start is started on with the reserve. */
async function withReserve<Result>(
  { disk, directory, logger }: StorageNodeOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isOutOfSpace(error)) throw error;
    if (!(await disk.list(directory)).includes(RESERVE)) {
      const message = `there is no space for ${directory}: free some, nothing in it is damaged`;
      throw new RefusedError(message, { cause: error });
    }
    logger.warn("the disk is full: the reserve is given up for the start");
    await disk.remove(`${directory}/${RESERVE}`);
    return await work();
  }
}

type Parts = OpenState & {
  readonly opened: Opened;
  readonly guard: DiskGuard;
  readonly logClock: LogClock;
  readonly log: Log;
  readonly raft: RawNode<PendingEntry>;
  readonly acked: AckedWriter;
  readonly replica: Replica;
  readonly housekeeping: Housekeeping;
  readonly space: SpaceKeeper;
  readonly local: LocalStore;
};

async function assemble(options: StorageNodeOptions, opened: Opened): Promise<Parts> {
  const { disk, directory, clock, logger } = options;
  const { files } = opened;
  const applied = await openState(options, { opened: opened.index, files, reopen: reopener(options) });
  const { index, state, pins, applier } = applied;
  const segmentBytesMax = opened.node.segmentBytes;
  const guard = new DiskGuard({ disk, directory, segmentBytesMax, clock, logger });
  const log = new Log({ disk, files, segmentBytesMax, recovered: opened.recovered });
  const { vote } = opened.vote;
  const raft = new RawNode<PendingEntry>({
    id: options.nodeId,
    voters: [options.nodeId],
    hardState: vote,
    lastIndex: opened.recovered.lastIndex,
    lastTerm: opened.recovered.lastTerm,
    appliedIndex: logIndex(opened.index.appliedIndex),
  });
  const acked = new AckedWriter(opened.acked, clock);
  const logClock = new LogClock({ clock, logger });
  const replica = new Replica({
    raft,
    log,
    applier,
    acked,
    guard,
    clock,
    logClock,
    logger,
    telemetry: options.telemetry,
    payloadEntriesMax: options.payloadEntriesMax,
    batchBytesMax: options.batchBytesMax,
    pendingCountMax: options.pendingWritesMax,
    pendingBytesMax: options.pendingBytesMax,
    onFatal: options.onFatal,
  });
  const incarnation = incarnationOf(opened.node);
  const { caution = DISK_CAUTION } = options;
  const { reapGraceMs } = caution;
  const work = { replica, index, state, pins, clock, logClock, logger, reapGraceMs, incarnation };
  const housekeeping = new Housekeeping(work);
  const keeping = keepSpace(options, { opened, applied, log, replica });
  return { ...applied, ...keeping, opened, guard, logClock, log, raft, acked, replica, housekeeping };
}

/** Who gives space back, and who lets the cold tier at what lies here. */
function keepSpace(
  options: StorageNodeOptions,
  parts: {
    readonly opened: Opened;
    readonly applied: OpenState;
    readonly log: Log;
    readonly replica: Replica;
  },
): { readonly space: SpaceKeeper; readonly local: LocalStore } {
  const { disk, directory, clock, logger, caution = DISK_CAUTION, tier, space: settings } = options;
  const { opened, applied, log, replica } = parts;
  const { index, state } = applied;
  const { files, recovered } = opened;
  const { floor } = recovered;
  const { segments } = state;
  const fail = (error: unknown): void => replica.fail(error);
  const values = new LocalValues({ disk, files, log, segments, floor, fail });
  const propose: Replica["propose"] = (command) => replica.propose(command);
  const work = { disk, directory, files, log, index, segments, values, tier, propose };
  const space = new SpaceKeeper({ ...work, settings, caution, clock, logger });
  return { space, local: new LocalStore({ values, files, keeper: space, replica, log, segments }) };
}

function reopener(options: StorageNodeOptions): (old: IndexStore) => Promise<IndexStore> {
  return async (old) => {
    const { freeBytes } = await options.disk.space(options.directory);
    if (freeBytes < REOPEN_BYTES_MIN) throw new Error(`only ${freeBytes} bytes are free`);
    // Once the old one is closed there is no way back to it.
    await expectRoom(options.disk, options.directory, REOPEN_BYTES_MIN);
    await old.close();
    return await options.openIndexStore(`${options.directory}/index`);
  };
}

function startLoops(parts: Parts): Loops {
  const loops = new Loops((error) => parts.replica.fail(error));
  loops.add(parts.index.run(loops.signal));
  loops.add(parts.guard.run(loops.signal));
  loops.add(parts.acked.run(loops.signal));
  return loops;
}

/** Votes for itself, opens the term, and applies what the log has and the index has not. */
async function takeOffice(options: StorageNodeOptions, parts: Parts): Promise<number> {
  const { raft, opened, cache, replica } = parts;
  await parts.guard.check();
  raft.campaign();
  const { hardState } = raft.ready();
  if (hardState === undefined) throw new RefusedError("a candidate has no vote to keep");
  await opened.vote.write(hardState);
  raft.persistedHardState(hardState);
  await replica.persistReady();
  cache.filling = false;
  const replayed = await replay({
    recovered: opened.recovered,
    files: opened.files,
    segmentBytesMax: opened.node.segmentBytes,
    index: parts.index,
    applier: parts.applier,
    clock: options.clock,
    through: opened.recovered.lastIndex,
  });
  cache.filling = true;
  await replica.applyCommitted();
  await expectValues(parts);
  parts.logClock.lead(parts.state);
  return replayed;
}

/** Segments below the floor that rows still name are as much the store as the log above it. */
async function expectValues({ opened, state }: Parts): Promise<void> {
  const { files, recovered, restored } = opened;
  const copied = new Set(restored?.copies.map(({ first }) => first));
  const missing = await markGivenUp(files, state.segments, recovered.floor);
  // Rows hear of these copies before anybody reads: nobody is served until then.
  for (const { id, firstIndex } of missing) if (copied.has(firstIndex)) files.markGone(id);
  const lost = missing.find(({ firstIndex }) => !copied.has(firstIndex));
  if (lost === undefined) return;
  throw new RefusedError(
    `segment file ${files.path(lost.id)} is missing, ${lost.liveBytes} bytes in it are still named, and ` +
      "nothing says that they are in the cold tier. Restore it",
  );
}

async function closeFiles(parts: Parts): Promise<void> {
  const { opened } = parts;
  try {
    await parts.index.close();
    await parts.log.close();
    await parts.acked.close();
  } finally {
    await closeOpened(opened);
  }
}

async function closeOpened({ vote, acked, files, lock }: Opened): Promise<void> {
  await acked.close();
  await vote.close();
  await files.close();
  await lock.release();
}
