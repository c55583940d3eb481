/**
 * Planted bugs: each is one change of one line of the store that a tired person could make, and the fast
 * tests that must notice it. `find` stands exactly once in `file`.
 */
import { archiveMutants } from "./archive-mutants.ts";
import { answerMutants } from "./answer-mutants.ts";
import { memoryMutants } from "./memory-mutants.ts";
import { batchMutants } from "./batch-mutants.ts";
import { copyMutants } from "./copy-mutants.ts";
import { crashTierMutants } from "./crash-tier-mutants.ts";
import { edge } from "./edge-mutants.ts";
import { accountMutants } from "./account-mutants.ts";
import { failures } from "./failure-mutants.ts";
import { modelMutants } from "./model-mutants.ts";
import { restoreMutants } from "./restore-mutants.ts";
import { coldReadMutants } from "./cold-read-mutants.ts";
import { costMutants } from "./cost-mutants.ts";
import { localMutants } from "./local-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { versions } from "./version-mutants.ts";
import { space } from "./space-mutants.ts";
import { surfaceMutants } from "./surface-mutants.ts";
import { offloadMutants } from "./offload-mutants.ts";
import { tierMutants } from "./tier-mutants.ts";

const images = ["test/crash/crash-images.test.ts"];
const failingDisk = ["test/crash/failing-disk.test.ts"];
const fullDisk = ["test/crash/full-disk.test.ts"];
const wrongDirectory = ["test/crash/wrong-directory.test.ts"];
const damagedReads = ["test/crash/damaged-reads.test.ts"];
const order = ["test/crash/order-of-effects.test.ts"];
const bitFlips = ["test/crash/bit-flips.test.ts"];
const clocks = ["test/replica/log-clock.test.ts", "test/replica/clock-jumps.test.ts"];
const salvageTests = ["test/crash/salvage-directory.test.ts"];

const log: readonly Mutant[] = [
  {
    name: "acknowledge-before-sync",
    what: "a write is acknowledged while its record is on the way to the disk",
    file: "src/store/log.ts",
    find: "await piece.segment.file.write(bytes, piece.fileOffset);",
    replace: "void piece.segment.file.write(Buffer.from(bytes), piece.fileOffset);",
    killedBy: images,
  },
  {
    name: "log-without-sync",
    what: "segments are written without O_DSYNC",
    file: "src/store/log.ts",
    find: 'const file = await this.#disk.open(this.#files.path(id), "durable");',
    replace: 'const file = await this.#disk.open(this.#files.path(id), "write");',
    killedBy: images,
  },
  {
    name: "segment-name-not-synced",
    what: "a power cut forgets the name of a segment with acknowledged records",
    file: "src/store/log.ts",
    find: "await this.#disk.syncDirectory(this.#files.directory);",
    replace: "",
    killedBy: images,
  },
  {
    name: "directory-sync-retried",
    what: "a failed sync of the log's directory is tried again and believed",
    file: "src/store/log.ts",
    find: "if (isOutOfSpace(error) && this.#ahead?.id === id) this.#ahead = undefined;",
    replace: "if (this.#ahead?.id === id) this.#ahead = undefined;",
    killedBy: failingDisk,
  },
  {
    name: "failed-sync-retried",
    what: "a failed write of the log is tried again and believed",
    file: "src/replica/replica.ts",
    find: "if (!isOutOfSpace(error)) throw error;",
    replace: "",
    killedBy: failingDisk,
  },
  {
    name: "apply-ahead-of-the-log",
    what: "entries are committed, applied and answered before they are stable",
    file: "src/raft/raw-node.ts",
    find: 'if (this.#role === "leader" && counts) this.#commitIndex = this.#stableIndex;',
    replace: 'if (this.#role === "leader" && counts) this.#commitIndex = this.#lastIndex;',
    killedBy: [...images, "test/raft/raw-node.test.ts"],
  },
  {
    name: "mark-ahead-of-the-sync",
    what: "the acknowledged mark names entries that are not stable: a crash looks like damage",
    file: "src/replica/replica.ts",
    find: "const startMs = clock.monotonicMs();",
    replace:
      "const startMs = clock.monotonicMs(); " +
      "if (raft.role === 'leader') this.#options.acked.acknowledged(log.lastIndex);",
    killedBy: images,
  },
  {
    name: "footer-digest-wrong",
    what: "sealed segments carry a digest of nothing",
    file: "src/store/open-segment.ts",
    find: "headersDigest: this.#headers.digest(),",
    replace: "headersDigest: new Uint8Array(32),",
    killedBy: order,
  },
];

const recovery: readonly Mutant[] = [
  {
    name: "torn-tail-kept",
    what: "a record whose payload did not arrive is taken for a good one",
    file: "src/store/segment-scan.ts",
    find: "if (bytes.length < length || !payloadMatches(bytes, RECORD_HEADER_BYTES, header)) {",
    replace: "if (bytes.length < length) {",
    killedBy: images,
  },
  {
    name: "chain-not-checked",
    what: "a record of another history is taken for the next one",
    file: "src/store/segment-scan.ts",
    find: "if (!sameChain(header.chain, chain)) {",
    replace: "if (!sameChain(header.chain, header.chain)) {",
    killedBy: ["test/store/segment-scan.test.ts"],
  },
  {
    name: "acknowledged-record-dropped",
    what: "a damaged acknowledged record is cut off like a torn tail",
    file: "src/store/log-recovery.ts",
    find: "if (progress.nextIndex <= ackedIndex) {",
    replace: "if (progress.nextIndex < 0) {",
    killedBy: wrongDirectory,
  },
  {
    name: "short-log-accepted",
    what: "a log that ends before what was acknowledged is opened",
    file: "src/store/log-recovery.ts",
    find: "if (lastIndex < (options.ackedIndex ?? 0)) {",
    replace: "if (lastIndex < 0) {",
    killedBy: ["test/store/log-recovery.test.ts", ...wrongDirectory],
  },
  {
    name: "tail-shown-before-it-is-stable",
    what: "what a dead process wrote is read, and taken back by the next power cut",
    file: "src/store/log-recovery.ts",
    find: "if (unsettled !== undefined) await settle(options, { id, from: unsettled, to: offset });",
    replace: "",
    killedBy: images,
  },
  {
    name: "forged-trailer-believed",
    what: "an object whose last bytes look like a footer ends the segment",
    file: "src/store/log-recovery.ts",
    find: 'if (next?.kind !== "head") return false;',
    replace: "if (trailer.lastIndex > 0) return true;",
    killedBy: wrongDirectory,
  },
  {
    name: "torn-footer-believed",
    what: "a footer whose offset table did not arrive stops the start",
    file: "src/store/log-recovery.ts",
    find: "if (crc32c(table) !== trailer.tableCheck) return false;",
    replace: "",
    killedBy: bitFlips,
  },
  {
    name: "replay-cuts-by-file-offset",
    what: "replay cuts segments where a record starts, not where the entries say",
    file: "src/replica/replay.ts",
    find: "cut: cutsAfter(header.type, endOffset, options.segmentBytesMax),",
    replace: "cut: cutsAfter(header.type, recordOffset, options.segmentBytesMax),",
    killedBy: images,
  },
  {
    name: "vote-in-one-slot",
    what: "one damaged sector takes a vote back",
    file: "src/store/slot-file.ts",
    find: "  async writeBoth(payload: Uint8Array): Promise<void> {\n    await this.writeNext(payload);\n",
    replace: "  async writeBoth(payload: Uint8Array): Promise<void> {\n",
    killedBy: order,
  },
  {
    name: "incarnation-not-raised",
    what: "ids of bodies come twice",
    file: "src/replica/node-file.ts",
    find: "incarnation: before.incarnation + 1",
    replace: "incarnation: Math.max(1, before.incarnation)",
    killedBy: images,
  },
  {
    name: "node-file-unchecked",
    what: "a flipped bit in node.json changes where segments are cut",
    file: "src/replica/node-file.ts",
    find: "if (check !== checkOf(node) && node.format <= DATA_FORMAT) {",
    replace: "if (check === 0) {",
    killedBy: wrongDirectory,
  },
];

const index: readonly Mutant[] = [
  {
    name: "flush-marks-not-checked",
    what: "batches that LevelDB lost from the middle are missed by nobody",
    file: "src/store/flush-ring.ts",
    find: "if (mark === undefined) return {",
    replace: 'if (mark === undefined) return { kind: "whole", newest }; if (mark === undefined) return {',
    killedBy: ["store/flush-ring.test.ts"],
  },
  {
    name: "row-check-skipped",
    what: "a damaged row comes back as data",
    file: "src/store/row-seal.ts",
    find: "if (end < 0 || crc32c(value, crc32c(key)) !== readUint32(stored, end)) {",
    replace: "if (end < 0) {",
    killedBy: ["test/store/row-seal.test.ts"],
  },
  {
    name: "table-blocks-not-checked",
    what: "a flipped bit in a key of a LevelDB table makes a row vanish",
    file: "src/store/level-tables.ts",
    find: "for (const handle of [...indexEntries(bytes, meta), ...indexEntries(bytes, index)]) {",
    replace: "for (const handle of indexEntries(bytes, meta)) {",
    killedBy: bitFlips,
  },
  {
    name: "table-filter-not-checked",
    what: "a flipped bit in a LevelDB filter hides a key from point reads",
    file: "src/store/level-tables.ts",
    find: "for (const handle of [...indexEntries(bytes, meta), ...indexEntries(bytes, index)]) {",
    replace: "for (const handle of indexEntries(bytes, index)) {",
    killedBy: bitFlips,
  },
  {
    name: "overlay-not-read",
    what: "asynchronous reads do not see what is applied and not flushed",
    file: "src/store/state-index.ts",
    find: "const values = wanted.map((key) => this.#overlay.get(key));",
    replace: "const values: (Uint8Array | null | undefined)[] = wanted.map(() => undefined);",
    killedBy: images,
  },
  {
    name: "listing-without-flush",
    what: "a listing misses what was acknowledged a moment ago",
    file: "src/store/state-index.ts",
    find: "await this.flushedThrough(this.appliedIndex);\n      return {",
    replace: "return {",
    killedBy: ["test/store/state-index.test.ts"],
  },
  {
    name: "overlay-given-up-early",
    what: "rows vanish while they are flushed",
    file: "src/store/state-index.ts",
    find: "while (!(await this.#tryFlush(generation))) {",
    replace: "this.#overlay.endFlush();\n    while (!(await this.#tryFlush(generation))) {",
    killedBy: images,
  },
  {
    name: "stop-waits-for-a-listing",
    what: "a stop while somebody waits for a flush never ends",
    file: "src/store/state-index.ts",
    find: '    this.#ended = true;\n    this.#rejectWaiters(new UnavailableError("the index is closing"));',
    replace: "",
    killedBy: images,
  },
  {
    name: "index-full-is-fatal",
    what: "an index without space ends the process once the overlay is full",
    file: "src/replica/applier.ts",
    find: "if (!(error instanceof BusyError)) throw error;",
    replace: "throw error;",
    killedBy: fullDisk,
  },
  {
    name: "index-batch-not-synced",
    what: "LevelDB is told not to sync",
    file: "src/adapters/level-index-store.ts",
    find: "write: () => batch.write({ sync: true }),",
    replace: "write: () => batch.write({ sync: false }),",
    killedBy: ["test/crash/trace-syncs.test.ts"],
  },
];

const reads: readonly Mutant[] = [
  {
    name: "body-check-skipped",
    what: "a rotten byte of a small body is returned",
    file: "src/store/record-reader.ts",
    find: "return count === body.length && crc32c(bytes) === body.crc32c;",
    replace: "return count === body.length;",
    killedBy: damagedReads,
  },
  {
    name: "block-check-skipped",
    what: "a rotten byte of a range is returned",
    file: "src/store/record-reader.ts",
    find: "if (crc32c(table) !== header.payloadCheck || !blocksMatch(blocks, table, firstBlock)) {",
    replace: "if (crc32c(table) !== header.payloadCheck) {",
    killedBy: damagedReads,
  },
  {
    name: "block-table-check-skipped",
    what: "blocks are held against a rotten table",
    file: "src/store/record-reader.ts",
    find: "if (crc32c(table) !== header.payloadCheck || !blocksMatch(blocks, table, firstBlock)) {",
    replace: "if (blocks.length > 1e9) {",
    killedBy: damagedReads,
  },
  {
    name: "record-identity-unchecked",
    what: "another record in the place of the one that was meant is returned",
    file: "src/store/record-reader.ts",
    find: "const isIt = header?.index === extent.index && ",
    replace: "const isIt = ",
    killedBy: damagedReads,
  },
  {
    name: "stale-late-fill",
    what: "a slow read puts an overwritten object back into the cache",
    file: "src/store/object-cache.ts",
    find: "if (this.generation(path) === generation) this.#entries.set(path, object);",
    replace: "this.#entries.set(path, object);",
    killedBy: order,
  },
  {
    name: "deleted-object-cached",
    what: "a deleted object is still answered from memory",
    file: "src/store/object-cache.ts",
    find: "  objectRemoved(path: string): void {\n    this.#touch(path);\n    this.#entries.delete(path);",
    replace: "  objectRemoved(path: string): void {\n    this.#touch(path);",
    killedBy: images,
  },
];

const state: readonly Mutant[] = [
  {
    name: "effects-out-of-order",
    what: "commands of one entry are applied in another order than they came",
    file: "src/state/state-machine.ts",
    find: "for (const placed of entry.commands) {\n      results.push(applyCommand(context, placed, sub));",
    replace:
      "for (const placed of entry.commands.toReversed()) {\n" +
      "      results.unshift(applyCommand(context, placed, sub));",
    killedBy: order,
  },
  {
    name: "live-bytes-not-released",
    what: "segments never become empty",
    file: "src/state/apply-body.ts",
    find: "context.segments.addLive(birth.index, -birth.size);",
    replace: "",
    killedBy: images,
  },
  {
    name: "stage-stays-after-claim",
    what: "a body in use looks given up",
    file: "src/state/apply-body.ts",
    find: '      context.view.delete(keys.stage(body.bodyId));\n      return { kind: "stored"',
    replace: '      return { kind: "stored"',
    killedBy: images,
  },
  {
    name: "pinned-body-reaped",
    what: "a body is taken away under its reader",
    file: "src/replica/housekeeping.ts",
    find: "if (signal.aborted || ageMs < reapGraceMs || pins.has(id)) {",
    replace: "if (signal.aborted || ageMs < reapGraceMs || pins === undefined) {",
    killedBy: order,
  },
  {
    name: "clean-stop-looks-fatal",
    what: "a stop while bodies are reaped ends the process with a failure",
    file: "src/replica/housekeeping.ts",
    find: "if (signal.aborted || error instanceof UnavailableError) return;",
    replace: "if (signal.aborted) return;",
    killedBy: order,
  },
  {
    name: "counters-not-kept",
    what: "a bucket counts an overwritten object twice",
    file: "src/state/apply-object.ts",
    find: "context.buckets.count(bucket, objects, bytes);",
    replace: "context.buckets.count(bucket, 1, bytes);",
    killedBy: images,
  },
];

const time: readonly Mutant[] = [
  {
    name: "log-time-by-the-wall-clock",
    what: "a clock that jumps ahead gives up uploads and staged bodies",
    file: "src/replica/log-clock.ts",
    find: "return this.#startLogMs + Math.floor(this.#clock.monotonicMs() - this.#startMonotonicMs);",
    replace: "return this.#wallMs();",
    killedBy: clocks,
  },
  {
    name: "log-time-starts-at-the-wall-clock",
    what: "a start with a clock days ahead gives up uploads",
    file: "src/replica/log-clock.ts",
    find: "this.#startLogMs = isEmpty ? Math.max(1, this.#startWallMs) : logTimeMs;",
    replace:
      "this.#startLogMs = isEmpty ? Math.max(1, this.#startWallMs) : Math.max(this.#startWallMs, logTimeMs);",
    killedBy: clocks,
  },
  {
    name: "wrong-dates-stay",
    what: "after a clock that was days ahead new objects keep dates from the future",
    file: "src/state/dates.ts",
    find: "const isHeld = dateMs < shownMs && shownMs - dateMs <= HELD_MS_MAX;",
    replace: "const isHeld = dateMs < shownMs && shownMs - dateMs > 0;",
    killedBy: clocks,
  },
  {
    name: "log-time-not-kept",
    what: "in a store that nobody writes to, idle uploads get younger with each start",
    file: "src/replica/housekeeping.ts",
    find: "    await this.#keepLogTime();\n",
    replace: "",
    killedBy: ["test/replica/clock-jumps.test.ts"],
  },
];

const salvage: readonly Mutant[] = [
  {
    name: "salvage-opens-index-in-place",
    what: "the read-only start lets LevelDB write where nothing may change",
    file: "src/replica/salvage-state.ts",
    find: "const path = await scratch.shadowIndex(`${options.directory}/index`);",
    replace: "const path = `${options.directory}/index`;",
    killedBy: salvageTests,
  },
  {
    name: "salvage-links-every-table",
    what: "LevelDB writes through a link over a table of the damaged directory",
    file: "src/adapters/scratch-directory.ts",
    find: "if (table !== undefined && manifest.tables.has(Number(table))) {",
    replace: "if (table !== undefined) {",
    killedBy: salvageTests,
  },
  {
    name: "salvage-beside-a-server",
    what: "the read-only start locks a file of its own and reads what a server is writing",
    file: "src/adapters/scratch-directory.ts",
    find: 'await fs.symlink(original, join(shadow, "LOCK"));',
    replace: "",
    killedBy: salvageTests,
  },
  {
    name: "salvage-shows-half-an-entry",
    what: "an entry that could not be applied leaves some of its effects in what is served",
    file: "src/replica/salvage-state.ts",
    find: "through: first.end.index - 1 }",
    replace: "through: EVERYTHING }",
    killedBy: salvageTests,
  },
  {
    name: "salvage-hides-what-is-lost",
    what: "entries behind a damage are missing, and the report says that none is",
    file: "src/replica/salvage-node.ts",
    find: "if (known >= firstIndex) return { firstIndex, lastIndex: known, bytes };",
    replace: "if (known >= firstIndex) return undefined;",
    killedBy: ["test/crash/salvage.test.ts"],
  },
];

export const mutants: readonly Mutant[] = [
  ...log,
  ...recovery,
  ...index,
  ...reads,
  ...state,
  ...versions,
  ...batchMutants,
  ...archiveMutants,
  ...copyMutants,
  ...time,
  ...salvage,
  ...failures,
  ...edge,
  ...answerMutants,
  ...memoryMutants,
  ...accountMutants,
  ...space,
  ...coldReadMutants,
  ...modelMutants,
  ...surfaceMutants,
  ...tierMutants,
  ...offloadMutants,
  ...crashTierMutants,
  ...restoreMutants,
  ...localMutants,
  ...costMutants,
];
