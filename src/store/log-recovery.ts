/**
 * What the log directory holds after a stop of any kind. Sealed segments are taken by head and trailer;
 * unsealed ones (the open one, and any that were cut but not sealed) are read record by record. Behind the
 * last good record, bytes above the acknowledged mark are a torn tail and are dropped; a bad record at or
 * below it is damage, and the store refuses to start rather than lose it silently (RULES.md R10). What lies
 * below the floor is no log any more and is left alone (R16).
 */
import { crc32c } from "../base/crc.ts";
import { OR_SALVAGE, RefusedError } from "../base/errors.ts";
import { logIndex, term } from "../base/units.ts";
import type { LogIndex, Term } from "../base/units.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { TRAILER_BYTES, readOffsetTable, readTrailer } from "../segment/footer.ts";
import type { Trailer } from "../segment/footer.ts";
import { RECORD_HEADER_BYTES, readRecordHeader, recordBytes, sameChain } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead } from "../segment/segment-head.ts";
import { NO_FLOOR } from "./floor-file.ts";
import type { Floor } from "./floor-file.ts";
import { OpenSegment } from "./open-segment.ts";
import type { SegmentFiles } from "./segment-files.ts";
import { scanSegment } from "./segment-scan.ts";

export type SealedSegment = {
  readonly id: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Bytes of head and records, where the footer starts. */
  readonly bytes: number;
};

export type RecoveredLog = {
  readonly sealed: readonly SealedSegment[];
  /** Cut segments without a footer, then the open one if the log is not empty. */
  readonly unsealed: readonly OpenSegment[];
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly endChain: ChainValue;
  readonly droppedBytes: number;
  readonly floor: Floor;
};

export type RecoveryOptions = {
  readonly disk: Disk;
  readonly files: SegmentFiles;
  readonly segmentBytesMax: number;
  /** The acknowledged mark. If it is lost every record counts as acknowledged. */
  readonly ackedIndex: LogIndex | undefined;
  /** What is below it is not looked at; the whole log, if nothing is said. */
  readonly floor?: Floor;
  readonly logger: Logger;
};

type Progress = { nextIndex: number; chain: ChainValue; lastTerm: number; droppedBytes: number };

export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const { files, disk, floor = NO_FLOOR } = options;
  const ids = (await files.list()).filter((id) => id > floor.segmentId);
  const sealed: SealedSegment[] = [];
  const unsealed: OpenSegment[] = [];
  const start = { nextIndex: floor.lastIndex + 1, chain: floor.chain };
  const progress: Progress = { ...start, lastTerm: 0, droppedBytes: 0 };
  let end: number | undefined;
  for (const [at, id] of ids.entries()) {
    const due = floor.segmentId + at + 1;
    if (id !== due) refuseMissing(files.path(due));
    if (end !== undefined) {
      await dropFile(options, id, progress);
      continue;
    }
    const file = await disk.open(files.path(id), "read");
    try {
      const done = await recoverSegment(options, file, id, progress);
      if (done.kind === "sealed") sealed.push(done.segment);
      else if (done.kind === "open") {
        unsealed.push(done.segment);
        if (!done.segment.cut) end = id;
      } else end = id;
    } finally {
      await file.close();
    }
  }
  const lastIndex = progress.nextIndex - 1;
  if (lastIndex < (options.ackedIndex ?? 0)) {
    throw new RefusedError(
      `the log ends at entry ${lastIndex}, but entries up to ${options.ackedIndex} were acknowledged: ` +
        `segment files are missing or damaged in ${files.directory}. Restore them from a copy, ${OR_SALVAGE}`,
    );
  }
  return {
    sealed,
    unsealed,
    lastIndex: logIndex(lastIndex),
    lastTerm: term(progress.lastTerm),
    endChain: progress.chain,
    droppedBytes: progress.droppedBytes,
    floor,
  };
}

function refuseMissing(path: string): never {
  throw new RefusedError(
    `segment file ${path} is missing, but later ones are there. Restore it, ${OR_SALVAGE}`,
  );
}

type Recovered =
  | { readonly kind: "sealed"; readonly segment: SealedSegment }
  | { readonly kind: "open"; readonly segment: OpenSegment }
  /** Made ahead and not written yet. */
  | { readonly kind: "blank" };

async function recoverSegment(
  options: RecoveryOptions,
  file: DiskFile,
  id: number,
  progress: Progress,
): Promise<Recovered> {
  const path = options.files.path(id);
  const size = await file.size();
  const head = await readHead(file, size);
  if (head.kind === "unknownVersion") {
    throw new RefusedError(`${path} has format version ${head.version}: a newer release wrote it`);
  }
  if (head.kind !== "head") {
    // Nothing of this segment was ever acknowledged, or the check of the mark at the end refuses.
    if (size > 0) await dropTail(options, { id, size: 0, reason: `${head.kind} segment head` }, progress);
    return { kind: "blank" };
  }
  const { firstIndex, chain } = head.head;
  if (head.head.id !== id || firstIndex !== progress.nextIndex || !sameChain(chain, progress.chain)) {
    throw new RefusedError(
      `${path} does not continue the segment before it: it belongs to another log. ` +
        `Restore the file, ${OR_SALVAGE}`,
    );
  }
  const trailer = await readTrailerOf(file, size);
  if (trailer !== undefined && (await isSealed(options, file, { id, size, trailer }))) {
    return await takeSealed(file, { id, size, trailer, path }, progress);
  }
  return await scanUnsealed(options, file, { id, size }, progress);
}

/**
 * Whether what looks like a trailer is one. Its offset table may have been torn off behind it, and an
 * object's last bytes may look like a trailer too: the head of the next segment, which continues from it,
 * cannot be forged. Without one the records are read, and tell where they end.
 */
async function isSealed(
  options: RecoveryOptions,
  file: DiskFile,
  found: { readonly id: number; readonly size: number; readonly trailer: Trailer },
): Promise<boolean> {
  const { trailer, size, id } = found;
  const tableOffset = size - TRAILER_BYTES - trailer.tableBytes;
  if (tableOffset < SEGMENT_HEAD_BYTES) return false;
  const table = Buffer.alloc(trailer.tableBytes);
  await file.read(table, tableOffset);
  if (crc32c(table) !== trailer.tableCheck) return false;
  const nextBytes = await readStart(options.disk, options.files.path(id + 1));
  const next = nextBytes === undefined ? undefined : readSegmentHead(nextBytes);
  if (next?.kind !== "head") return false;
  return next.head.firstIndex === trailer.lastIndex + 1 && sameChain(next.head.chain, trailer.endChain);
}

async function readStart(disk: Disk, path: string): Promise<Buffer | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

async function readHead(file: DiskFile, size: number): Promise<ReturnType<typeof readSegmentHead>> {
  const bytes = Buffer.alloc(Math.min(size, SEGMENT_HEAD_BYTES));
  await file.read(bytes, 0);
  return readSegmentHead(bytes);
}

export async function readTrailerOf(file: DiskFile, size: number): Promise<Trailer | undefined> {
  if (size < SEGMENT_HEAD_BYTES + TRAILER_BYTES) return undefined;
  const bytes = Buffer.alloc(TRAILER_BYTES);
  await file.read(bytes, size - TRAILER_BYTES);
  return readTrailer(bytes);
}

async function takeSealed(
  file: DiskFile,
  found: { readonly id: number; readonly size: number; readonly trailer: Trailer; readonly path: string },
  progress: Progress,
): Promise<Recovered> {
  const { id, trailer, size } = found;
  if (trailer.firstIndex !== progress.nextIndex) {
    throw new RefusedError(
      `the footer of ${found.path} does not belong to its head. Restore the file, ${OR_SALVAGE}`,
    );
  }
  const bytes = size - TRAILER_BYTES - trailer.tableBytes;
  progress.lastTerm = await termOfLast(file, trailer, bytes, progress.lastTerm);
  progress.nextIndex = trailer.lastIndex + 1;
  progress.chain = trailer.endChain;
  const { firstIndex, lastIndex } = trailer;
  return { kind: "sealed", segment: { id, firstIndex, lastIndex, bytes } };
}

/** Term of the record that ends at `bytes`; its length stands last in the offset table. */
async function termOfLast(
  file: DiskFile,
  trailer: Trailer,
  bytes: number,
  termBefore: number,
): Promise<number> {
  const table = Buffer.alloc(trailer.tableBytes);
  await file.read(table, bytes);
  const lastPayloadBytes = readOffsetTable(table, trailer).at(-1) as number;
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  await file.read(header, bytes - recordBytes(lastPayloadBytes));
  // A damaged header shows when its entry is read; the terms before it are a lower bound.
  return readRecordHeader(header, 0)?.term ?? termBefore;
}

async function scanUnsealed(
  options: RecoveryOptions,
  file: DiskFile,
  found: { readonly id: number; readonly size: number },
  progress: Progress,
): Promise<Recovered> {
  const { id, size } = found;
  const start = { id, firstIndex: progress.nextIndex, chain: progress.chain };
  const segment = new OpenSegment(start);
  const scan = scanSegment(file, { index: start.firstIndex, chain: start.chain }, size);
  let offset = SEGMENT_HEAD_BYTES;
  let unsettled: number | undefined;
  let reason = "bytes behind the end of a cut segment";
  for (;;) {
    const step = await scan.next();
    if (step.done) {
      offset = step.value.offset;
      if (step.value.kind === "bad") reason = step.value.reason;
      break;
    }
    const { header, headerBytes, chain, recordOffset, endOffset } = step.value;
    if (header.index > (options.ackedIndex ?? 0)) unsettled ??= recordOffset;
    segment.grow(
      { type: header.type, payloadBytes: header.payloadBytes, headerBytes },
      chain,
      options.segmentBytesMax,
    );
    progress.lastTerm = header.term;
    progress.nextIndex = header.index + 1;
    progress.chain = chain;
    offset = endOffset;
    if (segment.cut) break;
  }
  if (unsettled !== undefined) await settle(options, { id, from: unsettled, to: offset });
  if (segment.cut && (await endsInFooter(file, segment, size))) {
    const { firstIndex, lastIndex, bytes } = segment;
    return { kind: "sealed", segment: { id, firstIndex, lastIndex, bytes } };
  }
  if (offset < size) {
    const tail = { id, size: segment.bytes, reason };
    // Behind a cut segment stands its torn footer, which is made again: no entry is lost with it.
    if (segment.cut) await truncate(options, tail, progress);
    else await dropTail(options, tail, progress);
  }
  return segment.bytes === 0 ? { kind: "blank" } : { kind: "open", segment };
}

async function endsInFooter(file: DiskFile, segment: OpenSegment, size: number): Promise<boolean> {
  const footer = segment.footer();
  if (size - segment.bytes !== footer.length) return false;
  const bytes = Buffer.alloc(footer.length);
  await file.read(bytes, segment.bytes);
  return bytes.equals(footer);
}

const SETTLE_BYTES = 4 * 1024 * 1024;

/**
 * Records above the mark may have reached the system and not the disk: whoever wrote them may have died, or
 * met an error, before they were stable. They are written again before anybody can see what they say, or a
 * power cut later on would take back what was read.
 */
async function settle(
  options: RecoveryOptions,
  range: { readonly id: number; readonly from: number; readonly to: number },
): Promise<void> {
  const file = await options.disk.open(options.files.path(range.id), "durable");
  try {
    // The first record came together with the head.
    const start = range.from === SEGMENT_HEAD_BYTES ? 0 : range.from;
    for (let at = start; at < range.to; at += SETTLE_BYTES) {
      const bytes = Buffer.allocUnsafeSlow(Math.min(SETTLE_BYTES, range.to - at));
      await file.read(bytes, at);
      await file.write(bytes, at);
    }
  } finally {
    await file.close();
  }
}

type Tail = { readonly id: number; readonly size: number; readonly reason: string };

/** Drops what stands where entry `progress.nextIndex` should be, unless that one was acknowledged. */
async function dropTail(options: RecoveryOptions, tail: Tail, progress: Progress): Promise<void> {
  const { ackedIndex = Infinity } = options;
  if (progress.nextIndex <= ackedIndex) {
    const known =
      ackedIndex === Infinity ? "the mark is empty: all count as acknowledged" : `up to ${ackedIndex}`;
    throw new RefusedError(
      `entry ${progress.nextIndex} in ${options.files.path(tail.id)} was acknowledged and is damaged ` +
        `(${tail.reason}; acknowledged: ${known}). Restore the file from a copy, ${OR_SALVAGE}`,
    );
  }
  await truncate(options, tail, progress);
}

async function truncate(options: RecoveryOptions, tail: Tail, progress: Progress): Promise<void> {
  const path = options.files.path(tail.id);
  const file = await options.disk.open(path, "write");
  try {
    const before = await file.size();
    await file.truncate(tail.size);
    await file.sync();
    const bytes = before - tail.size;
    progress.droppedBytes += bytes;
    options.logger.info("dropped a torn tail", { path, fromOffset: tail.size, bytes, reason: tail.reason });
  } finally {
    await file.close();
  }
}

/** A file behind the end of the log: made ahead, or its records hang behind a torn one. */
async function dropFile(options: RecoveryOptions, id: number, progress: Progress): Promise<void> {
  const path = options.files.path(id);
  const file = await options.disk.open(path, "read");
  let size: number;
  try {
    size = await file.size();
  } finally {
    await file.close();
  }
  if (size > 0) await dropTail(options, { id, size: 0, reason: "behind the end of the log" }, progress);
}
