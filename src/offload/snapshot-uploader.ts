/**
 * Puts a snapshot of the index into the bucket as it lies on this disk: one object, or parts where it is
 * larger than a single request may be. Verified like everything that a restore relies on.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore, ColdStored } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { SnapshotInfo } from "../store/snapshot-file.ts";
import { coldKey } from "./cold-names.ts";
import type { Attempt, ColdPlace } from "./cold-names.ts";
import type { ColdObject, ManifestSnapshot } from "./manifest.ts";
import type { TierHealth } from "./tier-health.ts";
import type { TierPace } from "./tier-pace.ts";
import { END_BYTES, verifyCopy, verifyRequests } from "./verify-copy.ts";
import type { VerifyMode } from "./verify-copy.ts";

/** Below what S3 takes in one request. */
export const PART_BYTES_MAX = 4 * 1024 ** 3;
const WINDOW_BYTES = 1024 * 1024;

export type SnapshotParts = {
  readonly store: ColdStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly pace: TierPace;
  readonly verify: VerifyMode;
  readonly health?: Pick<TierHealth, "kept"> | undefined;
  readonly partBytesMax?: number;
};

type Range = { readonly start: number; readonly end: number };

/** `hold` is told of each key before anything is put there. */
export async function uploadSnapshot(
  parts: SnapshotParts,
  snapshot: Pick<SnapshotInfo, "path" | "index" | "bytes">,
  how: {
    readonly place: ColdPlace;
    readonly attempt: Omit<Attempt, "index">;
    readonly hold: (key: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<ManifestSnapshot> {
  const { place, signal, hold } = how;
  const attempt = { ...how.attempt, index: snapshot.index };
  const { partBytesMax = PART_BYTES_MAX, store, pace, clock, health, verify: mode } = parts;
  const objects: ColdObject[] = [];
  for (let start = 0; start < snapshot.bytes; start += partBytesMax) {
    const range = { start, end: Math.min(snapshot.bytes, start + partBytesMax) };
    const key = coldKey(place, { kind: "snapshot", part: objects.length + 1, ...attempt });
    hold(key);
    const bytes = range.end - range.start;
    await pace.spend({ bytes, requests: 1 + verifyRequests(mode, bytes) }, signal);
    const stored = await putPart(parts, { key, snapshot, range, signal });
    const end = await readRange(parts.disk, snapshot.path, {
      start: Math.max(range.start, range.end - END_BYTES),
      end: range.end,
    });
    await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal, health });
    objects.push({ key, ...stored });
  }
  return { ...attempt, parts: objects };
}

async function putPart(
  { store, disk }: SnapshotParts,
  part: {
    readonly key: string;
    readonly snapshot: Pick<SnapshotInfo, "path" | "bytes">;
    readonly range: Range;
    readonly signal: AbortSignal;
  },
): Promise<ColdStored> {
  const { key, snapshot, range, signal } = part;
  const put = { kind: "snapshot", signal } as const;
  const isWhole = range.start === 0 && range.end === snapshot.bytes;
  if (isWhole) return await store.putFile(key, snapshot.path, put);
  return await store.putStream(key, windows(disk, snapshot.path, range), put);
}

async function* windows(disk: Disk, path: string, { start, end }: Range): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += WINDOW_BYTES) {
    yield await readRange(disk, path, { start: at, end: Math.min(end, at + WINDOW_BYTES) });
  }
}

async function readRange(disk: Disk, path: string, { start, end }: Range): Promise<Buffer> {
  const file = await disk.open(path, "read");
  try {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    return bytes.subarray(0, await file.read(bytes, start));
  } finally {
    await file.close();
  }
}
