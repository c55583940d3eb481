/**
 * Whether an object that was just put is really there: stores answer "done" and keep nothing, or keep less.
 * Nothing relies on a copy before this returned (promise P5).
 *
 * `auto`: the endpoint checked the digest when it took the bytes, so it is asked for length and digest, and
 * the end of the object is read, which is the last that arrives. `full`: every byte is read back.
 */
import { createHash } from "node:crypto";
import { unreachable } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { ColdStore, ColdStored } from "../ports/cold-store.ts";
import { parseColdKey } from "./cold-names.ts";
import type { TierHealth } from "./tier-health.ts";

export type VerifyMode = "auto" | "full";

/** `end`: its last bytes, as they are here. */
export type PutCopy = ColdStored & { readonly key: string; readonly end: Uint8Array };

export type Verification = {
  readonly mode: VerifyMode;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told whether objects like this one are kept. */
  readonly health?: Pick<TierHealth, "kept"> | undefined;
};

/** Of a segment or a snapshot: its trailer, and some of the table before it. */
export const END_BYTES = 4096;
/** So much is read at once; hashed in slices, so that nobody waits for it. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const HASHED_PER_STEP = 1024 * 1024;

/** Requests that it takes, for the budget. */
export function verifyRequests(mode: VerifyMode, bytes: number): number {
  return mode === "auto" ? 2 : 1 + Math.ceil(bytes / WINDOW_BYTES);
}

/** Throws ColdDamagedError if what lies there is not what was put; other errors of the port pass through. */
export async function verifyCopy(store: ColdStore, copy: PutCopy, verification: Verification): Promise<void> {
  const kind = parseColdKey(copy.key)?.name.kind ?? "manifest";
  try {
    await verifyHead(store, copy, verification);
    await verifyBytes(store, copy, verification);
    verification.health?.kept(kind, undefined);
  } catch (error) {
    const isLost = error instanceof ColdMissingError || error instanceof ColdDamagedError;
    if (!isLost) throw error;
    verification.health?.kept(kind, error.message);
    if (error instanceof ColdDamagedError) throw error;
    throw new ColdDamagedError(`${whatOf(store, copy)}: it went while it was verified`, { cause: error });
  }
}

function whatOf({ place }: ColdStore, { key }: PutCopy): string {
  return `cold tier ${place}, ${key}`;
}

async function verifyHead(store: ColdStore, copy: PutCopy, { signal }: Verification): Promise<void> {
  const { key, bytes, sha256 } = copy;
  const what = whatOf(store, copy);
  const head = await store.head(key, { signal });
  if (head === undefined) throw new ColdDamagedError(`${what}: it was put, and is not there`);
  if (head.bytes !== bytes)
    throw new ColdDamagedError(`${what}: ${bytes} bytes were put, ${head.bytes} are there`);
  if (head.sha256 !== undefined && head.sha256 !== sha256) {
    throw new ColdDamagedError(`${what}: it was put with SHA-256 ${sha256}, and has ${head.sha256}`);
  }
}

async function verifyBytes(store: ColdStore, copy: PutCopy, verification: Verification): Promise<void> {
  switch (verification.mode) {
    case "auto":
      return await verifyEnd(store, copy, verification);
    case "full":
      return await verifyAll(store, copy, verification);
    default:
      return unreachable(verification.mode);
  }
}

async function verifyEnd(store: ColdStore, copy: PutCopy, { signal }: Verification): Promise<void> {
  const { key, bytes, end } = copy;
  const what = whatOf(store, copy);
  const range = { start: bytes - end.length, end: bytes };
  const found = await store.get(key, { range, signal });
  if (Buffer.compare(found, end) !== 0) {
    throw new ColdDamagedError(`${what}: its last ${end.length} bytes are not those that were put`);
  }
}

async function verifyAll(store: ColdStore, copy: PutCopy, { signal, clock }: Verification): Promise<void> {
  const { key, bytes, sha256 } = copy;
  const what = whatOf(store, copy);
  const hash = createHash("sha256");
  for (let start = 0; start < bytes; start += WINDOW_BYTES) {
    const range = { start, end: Math.min(bytes, start + WINDOW_BYTES) };
    const window = await store.get(key, { range, signal });
    if (window.length !== range.end - range.start) {
      throw new ColdDamagedError(
        `${what}: ${window.length} bytes at ${start}, not ${range.end - range.start}`,
      );
    }
    for (let at = 0; at < window.length; at += HASHED_PER_STEP) {
      hash.update(window.subarray(at, at + HASHED_PER_STEP));
      await clock.yieldToOthers();
    }
  }
  const found = hash.digest("hex");
  if (found !== sha256) throw new ColdDamagedError(`${what}: the bytes have SHA-256 ${found}, not ${sha256}`);
}
