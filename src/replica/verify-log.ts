/**
 * Reads every byte of the log and holds it against every checksum there is: heads, chains, headers, payloads,
 * footers. What lies below the floor is held against the rows that name it, elsewhere. Changes nothing.
 */
import { createHash } from "node:crypto";
import { crc32c } from "../base/crc.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import { TRAILER_BYTES } from "../segment/footer.ts";
import type { Trailer } from "../segment/footer.ts";
import { sameChain } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead } from "../segment/segment-head.ts";
import type { SegmentHead } from "../segment/segment-head.ts";
import type { Floor } from "../store/floor-file.ts";
import { readTrailerOf } from "../store/log-recovery.ts";
import { SegmentFiles } from "../store/segment-files.ts";
import { scanSegment } from "../store/segment-scan.ts";
import type { ScanEnd } from "../store/segment-scan.ts";

export type LogReport = {
  readonly entries: number;
  readonly lastTerm: number;
  readonly segments: number;
  readonly bytes: number;
  readonly tornBytes: number;
  readonly problems: readonly string[];
};

type Walk = {
  lastTerm: number;
  next: number;
  chain: ChainValue;
  bytes: number;
  tornBytes: number;
  readonly problems: string[];
  /** `undefined`: everything counts as acknowledged. */
  readonly ackedIndex: number | undefined;
};

export async function verifyLog(
  disk: Disk,
  directory: string,
  known: { readonly ackedIndex: number | undefined; readonly floor: Floor },
): Promise<LogReport> {
  const files = new SegmentFiles(disk, directory);
  const { ackedIndex, floor } = known;
  const walk: Walk = {
    lastTerm: 0,
    next: floor.lastIndex + 1,
    chain: floor.chain,
    bytes: 0,
    tornBytes: 0,
    problems: [],
    ackedIndex,
  };
  const all = await files.list();
  const ids = all.filter((id) => id > floor.segmentId);
  for (const [at, id] of ids.entries()) {
    const path = files.path(id);
    const due = floor.segmentId + at + 1;
    if (id !== due) {
      walk.problems.push(`${files.path(due)} is missing`);
      break;
    }
    const nextPath = id === ids.at(-1) ? undefined : files.path(id + 1);
    const next = nextPath === undefined ? undefined : await headOf(disk, nextPath);
    const file = await disk.open(path, "read");
    let whole: boolean;
    try {
      whole = await verifySegment(file, { id, path, next }, walk);
    } finally {
      await file.close();
    }
    if (!whole) break;
  }
  const entries = walk.next - 1;
  if (ackedIndex !== undefined && entries < ackedIndex) {
    walk.problems.push(`the log ends at entry ${entries}; entries up to ${ackedIndex} were acknowledged`);
  }
  const { bytes, tornBytes, problems, lastTerm } = walk;
  return { entries, lastTerm, segments: all.length, bytes, tornBytes, problems };
}

type Place = {
  readonly id: number;
  readonly path: string;
  /** Head of the next segment, if it has one. */
  readonly next: SegmentHead | undefined;
};

async function headOf(disk: Disk, path: string): Promise<SegmentHead | undefined> {
  const file = await disk.open(path, "read");
  try {
    const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
    const reading = readSegmentHead(bytes.subarray(0, await file.read(bytes, 0)));
    return reading.kind === "head" ? reading.head : undefined;
  } finally {
    await file.close();
  }
}

/** Whether the walk can go on behind this segment. */
async function verifySegment(file: DiskFile, place: Place, walk: Walk): Promise<boolean> {
  const size = await file.size();
  const headBytes = Buffer.alloc(Math.min(size, SEGMENT_HEAD_BYTES));
  await file.read(headBytes, 0);
  const reading = readSegmentHead(headBytes);
  if (reading.kind === "blank") return true;
  if (reading.kind !== "head") {
    walk.problems.push(`${place.path}: the head is damaged (${reading.kind})`);
    return false;
  }
  const { head } = reading;
  if (head.id !== place.id || head.firstIndex !== walk.next || !sameChain(head.chain, walk.chain)) {
    walk.problems.push(`${place.path}: it does not continue the segment before it`);
    return false;
  }
  const trailer = await readTrailerOf(file, size);
  const end = trailer === undefined ? size : size - TRAILER_BYTES - trailer.tableBytes;
  const { scanEnd, digest } = await scanAll(file, end, walk);
  walk.bytes += size;
  if (trailer !== undefined) {
    // Torn off by a crash, or damaged: the entries tell as much, and the next start writes it again.
    if (!(await isTableSound(file, trailer, end))) walk.tornBytes += size - end;
    return checkSealed(place, trailer, walk, { scanEnd, digest });
  }
  if (scanEnd.kind === "end") return true;
  const { next } = place;
  if (next !== undefined && next.firstIndex === scanEnd.index && sameChain(next.chain, walk.chain)) {
    // All its entries are there: what follows them is a torn footer, which the next start writes again.
    walk.tornBytes += size - scanEnd.offset;
    return true;
  }
  if (scanEnd.index <= (walk.ackedIndex ?? Infinity)) {
    walk.problems.push(
      `${place.path}: entry ${scanEnd.index} at offset ${scanEnd.offset} is damaged: ${scanEnd.reason}`,
    );
    return false;
  }
  walk.tornBytes += size - scanEnd.offset;
  return true;
}

async function scanAll(
  file: DiskFile,
  end: number,
  walk: Walk,
): Promise<{ readonly scanEnd: ScanEnd; readonly digest: Buffer }> {
  const hash = createHash("sha256");
  const scan = scanSegment(file, { index: walk.next, chain: walk.chain }, end);
  for (;;) {
    const step = await scan.next();
    if (step.done) return { scanEnd: step.value, digest: hash.digest() };
    hash.update(step.value.headerBytes);
    walk.lastTerm = step.value.header.term;
    walk.next = step.value.header.index + 1;
    walk.chain = step.value.chain;
  }
}

async function isTableSound(file: DiskFile, trailer: Trailer, start: number): Promise<boolean> {
  const table = Buffer.alloc(trailer.tableBytes);
  await file.read(table, start);
  return crc32c(table) === trailer.tableCheck;
}

function checkSealed(
  place: Place,
  trailer: Trailer,
  walk: Walk,
  found: { readonly scanEnd: ScanEnd; readonly digest: Buffer },
): boolean {
  const { scanEnd, digest } = found;
  if (scanEnd.kind === "bad") {
    walk.problems.push(
      `${place.path}: entry ${scanEnd.index} at offset ${scanEnd.offset} is damaged: ${scanEnd.reason}`,
    );
    // The footer tells how it goes on, so that one damaged record does not hide the next one.
    walk.next = trailer.lastIndex + 1;
    walk.chain = trailer.endChain;
    return true;
  }
  const agrees = trailer.lastIndex === walk.next - 1 && sameChain(trailer.endChain, walk.chain);
  if (!agrees || !digest.equals(trailer.headersDigest)) {
    walk.problems.push(`${place.path}: the footer does not match the records`);
  }
  return true;
}
