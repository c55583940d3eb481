/**
 * Holds a segment file against everything that it says about itself and that the log says about it, before
 * its bytes are called a copy: damage on this disk would be given away as sound, and what is sound elsewhere
 * would be believed no more.
 */
import { FormatError } from "../base/bytes.ts";
import { crc32c } from "../base/crc.ts";
import { DamageError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk, DiskFile, FileReading } from "../ports/disk.ts";
import { TRAILER_BYTES, readOffsetTable } from "../segment/footer.ts";
import { PACKED_HEAD_BYTES, PACKED_TRAILER_BYTES, readPackedTrailer } from "../segment/packed-segment.ts";
import type { ChainValue } from "../segment/record.ts";
import { sameChain } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead } from "../segment/segment-head.ts";
import type { LocalFile } from "../store/local-segments.ts";
import { readTrailerOf } from "../store/log-recovery.ts";
import { scanSegment } from "../store/segment-scan.ts";
import { DigestedFile } from "./digested-file.ts";

/** What the log says. */
export type SealedFacts = {
  readonly id: number;
  readonly first: number;
  readonly last: number;
  readonly chainBefore: ChainValue;
  readonly chainAfter: ChainValue;
};

/** Between two breaths: below a millisecond, however small the records are. */
const RECORDS_PER_STEP = 400;
const WINDOW_BYTES = 1024 * 1024;

/** `end`: its last bytes, up to `endBytes`; `sha256` of all of them in hex. */
export type SoundFile = { readonly end: Buffer; readonly sha256: string };

/** Throws DamageError for a file that is not sound. */
export async function checkSound(
  disk: Disk,
  file: LocalFile,
  check: {
    readonly facts: SealedFacts;
    readonly endBytes: number;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<SoundFile> {
  const { facts, clock, signal } = check;
  const opened = await disk.open(file.path, "read");
  const breathe = async (): Promise<void> => {
    await clock.yieldToOthers();
    signal.throwIfAborted();
  };
  try {
    const size = await opened.size();
    if (size !== file.bytes) throw new FormatError(`it has ${size} bytes, not ${file.bytes}`);
    const reading = new DigestedFile(opened, breathe);
    const known = { file: opened, reading, size, facts, breathe };
    if (file.kind === "verbatim") await checkVerbatim(known);
    else await checkPacked(known);
    const start = Math.max(0, size - check.endBytes);
    return { end: await readAt(opened, start, size - start), sha256: await reading.digest(size) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new DamageError(`${file.path} is damaged: ${error.message}`, { cause: error });
  } finally {
    await opened.close();
  }
}

type Checking = {
  /** For what is read out of turn. */
  readonly file: DiskFile;
  /** The same file, from its start to its end. */
  readonly reading: DigestedFile;
  readonly size: number;
  readonly facts: SealedFacts;
  readonly breathe: () => Promise<void>;
};

async function checkVerbatim({ file, reading, size, facts, breathe }: Checking): Promise<void> {
  const { id, first, last, chainBefore, chainAfter } = facts;
  const found = readSegmentHead(await readAt(reading, 0, SEGMENT_HEAD_BYTES));
  const isOurs =
    found.kind === "head" &&
    found.head.id === id &&
    found.head.firstIndex === first &&
    sameChain(found.head.chain, chainBefore);
  if (!isOurs) throw new FormatError("its head is not that of the segment");
  const trailer = await readTrailerOf(file, size);
  if (
    trailer?.firstIndex !== first ||
    trailer.lastIndex !== last ||
    !sameChain(trailer.endChain, chainAfter)
  ) {
    throw new FormatError("its footer is not that of the segment");
  }
  const end = size - TRAILER_BYTES - trailer.tableBytes;
  readOffsetTable(await readAt(file, end, trailer.tableBytes), trailer);
  const scan = scanSegment(reading, { index: first, chain: chainBefore }, end, { reusesBuffer: true });
  for (let count = 1; ; count++) {
    const step = await scan.next();
    if (step.done === true) {
      if (step.value.kind === "end" && step.value.offset === end) return;
      const { offset, reason } = { reason: "it ends too early", ...step.value };
      throw new FormatError(`at ${offset}: ${reason}`);
    }
    if (count % RECORDS_PER_STEP === 0) await breathe();
  }
}

async function checkPacked({ file, reading, size, facts: { id }, breathe }: Checking): Promise<void> {
  const head = await readAt(reading, 0, PACKED_HEAD_BYTES);
  const trailer = readPackedTrailer(
    head,
    await readAt(file, size - PACKED_TRAILER_BYTES, PACKED_TRAILER_BYTES),
  );
  const { segmentId, dataBytes, tableBytes, tableCheck, dataCheck } = trailer;
  const isWhole = PACKED_HEAD_BYTES + dataBytes + tableBytes + PACKED_TRAILER_BYTES === size;
  if (segmentId !== id || !isWhole) throw new FormatError("it is of another segment, or of another length");
  const dataEnd = PACKED_HEAD_BYTES + dataBytes;
  let check = 0;
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  for (let at = PACKED_HEAD_BYTES; at < dataEnd; at += WINDOW_BYTES) {
    check = crc32c(await readInto(reading, at, window.subarray(0, dataEnd - at)), check);
    await breathe();
  }
  if (check !== dataCheck) throw new FormatError("its bytes do not match their checksum");
  if (crc32c(await readAt(file, dataEnd, tableBytes)) !== tableCheck) {
    throw new FormatError("its table does not match its checksum");
  }
}

async function readAt(file: FileReading, offset: number, count: number): Promise<Buffer> {
  return await readInto(file, offset, Buffer.allocUnsafeSlow(Math.max(0, count)));
}

async function readInto(file: FileReading, offset: number, bytes: Buffer): Promise<Buffer> {
  const got = await file.read(bytes, offset);
  if (got !== bytes.length) throw new FormatError(`it ends at ${offset + got}`);
  return bytes;
}
