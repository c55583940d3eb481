/**
 * Brings the cold copy of a segment into a file of this disk, held against the digest that the log knows, a
 * window at a time. Whoever asked makes it stable and gives it its name.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { ColdCopy } from "../state/rows.ts";
import type { TierPace } from "./tier-pace.ts";

/** In memory; each is one request. */
export const FETCH_WINDOW_BYTES = 16 * 1024 * 1024;
const HASHED_PER_STEP = 1024 * 1024;

export type FetchParts = {
  readonly store: ColdStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly pace: TierPace;
};

/** Throws ColdDamagedError if it is not what was uploaded; other errors of the port pass through. */
export async function fetchCopy(
  { store, disk, clock, pace }: FetchParts,
  { key, bytes, sha256 }: Pick<ColdCopy, "key" | "bytes" | "sha256">,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<void> {
  const file = await disk.open(path, "write");
  const hash = createHash("sha256");
  try {
    await file.truncate(0);
    for (let start = 0; start < bytes; start += FETCH_WINDOW_BYTES) {
      const range = { start, end: Math.min(bytes, start + FETCH_WINDOW_BYTES) };
      await pace.spend({ bytes: range.end - start, requests: 1 }, signal);
      const window = await store.get(key, { range, signal });
      if (window.length !== range.end - start) {
        throw new ColdDamagedError(`cold tier ${store.place}, ${key}: ${window.length} bytes at ${start}`);
      }
      for (let at = 0; at < window.length; at += HASHED_PER_STEP) {
        hash.update(window.subarray(at, at + HASHED_PER_STEP));
        await clock.yieldToOthers();
      }
      await file.write(window, start);
    }
  } finally {
    await file.close();
  }
  const found = hash.digest("hex");
  if (found === sha256) return;
  throw new ColdDamagedError(
    `cold tier ${store.place}, ${key}: the bytes have SHA-256 ${found}, not ${sha256}`,
  );
}
