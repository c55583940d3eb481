/**
 * Writes one segment file of a restore. A sealed segment is fetched as it is, an open one is put together
 * from its tails; both are read record by record before they get their name, and must end in the very
 * footer that their records make. Where the log ends within a segment the file ends there.
 */
import { ByteReader } from "../base/bytes.ts";
import type { Clock } from "../ports/clock.ts";
import type { DiskFile } from "../ports/disk.ts";
import { RecordType, sameChain } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead, writeSegmentHead } from "../segment/segment-head.ts";
import { decodeTail, recordOf } from "../segment/tail-format.ts";
import { logIndex, segmentId } from "../base/units.ts";
import { OpenSegment } from "../store/open-segment.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { scanSegment } from "../store/segment-scan.ts";
import { UNFINISHED } from "../store/snapshot-files.ts";
import type { DateLimit } from "./date-limit.ts";
import { DamagedObjectError, fetchInto, getWhole } from "./fetch-object.ts";
import type { FetchParts } from "./fetch-object.ts";
import type { RestoreFetch } from "./restore-plan.ts";
import type { SegmentWork } from "./restore-segments.ts";

const WRITE_BYTES = 1024 * 1024;
const RECORDS_PER_TURN = 64;

export type SegmentParts = FetchParts & {
  readonly files: SegmentFiles;
  readonly clock: Clock;
  readonly segmentBytes: number;
  /** Ends the log within a segment, maybe. */
  readonly dateLimit?: DateLimit | undefined;
};

export type WrittenSegment = {
  readonly id: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly chain: ChainValue;
  /** Of its entries; 0 if none of them says one. */
  readonly logTimeMs: number;
  /** Whether it ends with its last entry, and the next one goes into another file. */
  readonly cut: boolean;
  /** Of the object that holds just this segment, where there is one. */
  readonly sha256: string | undefined;
};

type Read = Omit<WrittenSegment, "sha256" | "id"> & {
  /** Where its last record ends. */
  readonly bytes: number;
  readonly footer: Buffer | undefined;
};

/**
 * Stable under its name when it returns, but for the name itself. What came wrong over the line is right the
 * second time, or the object is to blame.
 */
export async function writeSegment(parts: SegmentParts, work: SegmentWork): Promise<WrittenSegment> {
  try {
    return await writeOnce(parts, work);
  } catch (error) {
    if (!(error instanceof DamagedObjectError)) throw error;
    await parts.disk.remove(parts.files.path(work.id));
    await parts.disk.remove(parts.files.path(work.id) + UNFINISHED);
    return await writeOnce(parts, work);
  }
}

async function writeOnce(parts: SegmentParts, work: SegmentWork): Promise<WrittenSegment> {
  const { disk, files } = parts;
  const path = files.path(work.id);
  const [first] = work.pieces;
  const isSealed = first?.kind === "segment";
  const sha256 = isSealed ? await fetchSealed(parts, work, first) : await joinTails(parts, work);
  const file = await disk.open(path + UNFINISHED, "write");
  try {
    const { bytes, footer, ...read } = await readAll(parts, file, work);
    await finish(file, { bytes, footer }, { isSealed, key: first?.key ?? path });
    const isWhole = read.lastIndex === work.last && first?.keep === "cold";
    await disk.rename(path + UNFINISHED, path);
    return { id: work.id, ...read, sha256: isWhole ? sha256 : undefined };
  } finally {
    await file.close();
  }
}

/** A file of an earlier attempt is where this one goes on. */
async function fetchSealed(
  parts: SegmentParts,
  { id, pieces }: SegmentWork,
  object: RestoreFetch,
): Promise<string | undefined> {
  if (pieces.length > 1) throw new DamagedObjectError(object.key, "something else holds entries of it, too");
  const { disk, files } = parts;
  const path = files.path(id);
  const names = await disk.list(files.directory);
  const isThere = names.some((name) => path.endsWith(`/${name}`));
  if (isThere) await disk.rename(path, path + UNFINISHED);
  const [sha256] = await fetchInto(parts, path + UNFINISHED, [object]);
  return sha256;
}

async function joinTails(parts: SegmentParts, work: SegmentWork): Promise<undefined> {
  const path = parts.files.path(work.id) + UNFINISHED;
  const file = await parts.disk.open(path, "write");
  try {
    await file.truncate(0);
    let offset = SEGMENT_HEAD_BYTES;
    for (const piece of work.pieces) {
      const { records, chain, segmentFirstIndex } = await fetchTail(parts, piece);
      if (piece === work.pieces[0]) {
        if (segmentFirstIndex !== work.first) {
          throw new DamagedObjectError(piece.key, `its segment begins with entry ${segmentFirstIndex}`);
        }
        const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
        writeSegmentHead(head, 0, { id: segmentId(work.id), firstIndex: logIndex(work.first), chain });
        await file.write(head, 0);
      }
      for (let at = 0; at < records.length; at += WRITE_BYTES) {
        await file.write(records.subarray(at, at + WRITE_BYTES), offset + at);
      }
      offset += records.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Those of its records that are wanted, and the chain value before them. */
async function fetchTail(
  { store, arrived, finished, signal }: SegmentParts,
  { key, first, last, bytes }: RestoreFetch,
): Promise<{ readonly records: Buffer; readonly chain: ChainValue; readonly segmentFirstIndex: number }> {
  const reading = decodeTail(await getWhole(store, key, signal));
  arrived(bytes);
  finished(1);
  if (reading.kind !== "tail") {
    const reason = reading.kind === "damaged" ? reading.reason : `it is of version ${reading.version}`;
    throw new DamagedObjectError(key, reason);
  }
  const { tail } = reading;
  const [begin, end] = [recordOf(tail, first), recordOf(tail, last)];
  const start = begin.byteOffset - tail.records.byteOffset;
  const records = tail.records.subarray(start, end.byteOffset - tail.records.byteOffset + end.length);
  return { records, chain: tail.chainBefore, segmentFirstIndex: tail.segmentFirstIndex };
}

/** Every record up to the last one that is wanted, against its checks and the chain. */
async function readAll(parts: SegmentParts, file: DiskFile, work: SegmentWork): Promise<Read> {
  const { id, first, last, pieces } = work;
  const bad = (reason: string): never => {
    throw new DamagedObjectError(pieces[0]?.key ?? parts.files.path(id), reason);
  };
  const chain = await requireHead(file, work, bad);
  const segment = new OpenSegment({ id, firstIndex: first, chain });
  let lastTerm = 0;
  let logTimeMs = 0;
  let ended = false;
  const scan = scanSegment(file, { index: first, chain }, await file.size());
  while (segment.lastIndex < last && !ended) {
    const step = await scan.next();
    if (step.done === true) {
      return bad(step.value.kind === "bad" ? step.value.reason : `it ends before entry ${last}`);
    }
    const { header, headerBytes, payload } = step.value;
    ended = parts.dateLimit?.isBeyond({ index: header.index, type: header.type, payload }) === true;
    if (ended) break;
    if (segment.cut) bad(`it is cut behind entry ${segment.lastIndex}, but goes on`);
    const { type, payloadBytes } = header;
    segment.grow({ type, payloadBytes, headerBytes }, step.value.chain, parts.segmentBytes);
    lastTerm = header.term;
    logTimeMs = Math.max(logTimeMs, timeOf(type, payload));
    if (segment.lastIndex % RECORDS_PER_TURN === 0) await parts.clock.yieldToOthers();
  }
  const { lastIndex, cut, bytes } = segment;
  const footer = cut ? segment.footer() : undefined;
  return { lastIndex, lastTerm, logTimeMs, cut, bytes, chain: segment.chain, footer };
}

/** It stands first, in commands and chunks. */
function timeOf(type: RecordType, payload: Buffer): number {
  const isStamped = type === RecordType.commands || type === RecordType.chunk;
  return isStamped ? new ByteReader(payload).varint() : 0;
}

async function requireHead(
  file: DiskFile,
  { id, first, chainBefore }: SegmentWork,
  bad: (reason: string) => never,
): Promise<ChainValue> {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
  await file.read(bytes, 0);
  const reading = readSegmentHead(bytes);
  if (reading.kind !== "head") return bad(`its head is ${reading.kind}`);
  const { head } = reading;
  if (head.id !== id || head.firstIndex !== first) {
    return bad(`it says that it is segment ${head.id} from entry ${head.firstIndex} on`);
  }
  if (chainBefore !== undefined && !sameChain(chainBefore, head.chain)) {
    return bad("it continues another history");
  }
  return head.chain;
}

/** A file of tails gets its footer, a sealed one has the right one, and one that goes too far is cut. */
async function finish(
  file: DiskFile,
  { bytes, footer }: Pick<Read, "bytes" | "footer">,
  { isSealed, key }: { readonly isSealed: boolean; readonly key: string },
): Promise<void> {
  if (footer === undefined || !isSealed) {
    await file.truncate(bytes);
    if (footer !== undefined) await file.write(footer, bytes);
    await file.sync();
    return;
  }
  const found = Buffer.alloc(footer.length);
  await file.read(found, bytes);
  if (!found.equals(footer) || (await file.size()) !== bytes + footer.length) {
    throw new DamagedObjectError(key, "its footer is not that of its records");
  }
}
