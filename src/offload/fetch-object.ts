/**
 * Brings objects of the cold tier into one file, in windows that are asked for ahead and written in order, so
 * that memory is bounded whatever their size. What an earlier attempt has left in the file is kept, as far as
 * the digests bear it out in the end; without one it is fetched anew.
 */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";

const WINDOW_BYTES = 4 * 1024 * 1024;
const WINDOWS_AHEAD = 4;
/** A sync of everything at the end would wait for gigabytes. */
const SYNC_BYTES = 64 * 1024 * 1024;

/** An object is not what it should be: something else may hold the same, or nothing does. */
export class DamagedObjectError extends Error {
  readonly code = "COLD_OBJECT_DAMAGED";
  override readonly name = "DamagedObjectError";
  readonly key: string;
  readonly reason: string;

  constructor(key: string, reason: string, options?: ErrorOptions) {
    super(`${key}: ${reason}`, options);
    this.key = key;
    this.reason = reason;
  }
}

export type FetchPart = {
  readonly key: string;
  readonly bytes: number;
  /** Of the whole object, if it is known. */
  readonly sha256: string | undefined;
};

export type FetchParts = {
  readonly store: ColdStore;
  readonly disk: Disk;
  /** Told of bytes that arrived. */
  readonly arrived: (bytes: number) => void;
  /** Told of objects that are whole and right. */
  readonly finished: (objects: number) => void;
  readonly signal?: AbortSignal | undefined;
};

/** One behind the other at `path`; stable when it returns. The SHA-256 of each, in hex. */
export async function fetchInto(
  with_: FetchParts,
  path: string,
  objects: readonly FetchPart[],
): Promise<readonly string[]> {
  const file = await with_.disk.open(path, "write");
  try {
    const canResume = objects.every(({ sha256 }) => sha256 !== undefined);
    const there = canResume ? await file.size() : 0;
    const first = await writeAll(with_, file, { objects, there });
    if (wrongOf(first, objects) === undefined) return finished(with_, first);
    // What an attempt before has left may be what is wrong (a power cut leaves zeros where nothing was
    // synced), or what came over the line: the object is blamed when it is wrong twice.
    const again = await writeAll(with_, file, { objects, there: 0 });
    const wrong = wrongOf(again, objects);
    if (wrong === undefined) return finished(with_, again);
    throw new DamagedObjectError(wrong.key, "it does not match its digest");
  } finally {
    await file.close();
  }
}

/** SHA-256 of an object that nobody wrote one down of. */
export async function digestOfObject(with_: FetchParts, object: FetchPart): Promise<string> {
  const hash = createHash("sha256");
  for await (const { bytes } of windows(with_, [object], 0)) {
    hash.update(bytes);
    with_.arrived(bytes.length);
  }
  return hash.digest("hex");
}

function finished(with_: FetchParts, digests: readonly string[]): readonly string[] {
  with_.finished(digests.length);
  return digests;
}

function wrongOf(digests: readonly string[], objects: readonly FetchPart[]): FetchPart | undefined {
  return objects.find(({ sha256 }, at) => sha256 !== undefined && sha256 !== digests[at]);
}

async function writeAll(
  with_: FetchParts,
  file: DiskFile,
  from: { readonly objects: readonly FetchPart[]; readonly there: number },
): Promise<readonly string[]> {
  const { objects } = from;
  const total = objects.reduce((sum, { bytes }) => sum + bytes, 0);
  const there = Math.floor(Math.min(from.there, total) / WINDOW_BYTES) * WINDOW_BYTES;
  await file.truncate(there);
  const hashes = objects.map(() => createHash("sha256"));
  await hashWhatIsThere(file, hashes, { objects, there });
  with_.arrived(there);
  let written = there;
  let synced = there;
  for await (const { bytes, at } of windows(with_, objects, there)) {
    (hashes[at] as Hash).update(bytes);
    await file.write(bytes, written);
    written += bytes.length;
    with_.arrived(bytes.length);
    if (written - synced < SYNC_BYTES) continue;
    await file.sync();
    synced = written;
  }
  await file.sync();
  return hashes.map((hash) => hash.digest("hex"));
}

async function hashWhatIsThere(
  file: DiskFile,
  hashes: readonly Hash[],
  { objects, there }: { readonly objects: readonly FetchPart[]; readonly there: number },
): Promise<void> {
  for (const { at, start, end } of windowsOf(objects)) {
    const offset = startOfPart(objects, at) + start;
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(end - start, there - offset)));
    if (bytes.length === 0) return;
    await file.read(bytes, offset);
    (hashes[at] as Hash).update(bytes);
  }
}

function startOfPart(objects: readonly FetchPart[], at: number): number {
  return objects.slice(0, at).reduce((sum, { bytes }) => sum + bytes, 0);
}

type Window = { readonly at: number; readonly key: string; readonly start: number; readonly end: number };

function* windowsOf(objects: readonly FetchPart[]): Generator<Window> {
  for (const [at, { key, bytes }] of objects.entries()) {
    for (let start = 0; start < bytes; start += WINDOW_BYTES) {
      yield { at, key, start, end: Math.min(bytes, start + WINDOW_BYTES) };
    }
  }
}

/** In order, those behind the first `there` bytes; some are on their way while one is worked on. */
async function* windows(
  { store, signal }: FetchParts,
  objects: readonly FetchPart[],
  there: number,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly at: number }> {
  const underWay: { readonly at: number; readonly bytes: Promise<Uint8Array> }[] = [];
  const next = windowsOf(objects);
  let before = 0;
  const begin = (): boolean => {
    for (;;) {
      const step = next.next();
      if (step.done === true) return false;
      const { at, key, end } = step.value;
      let { start } = step.value;
      const length = end - start;
      const skip = Math.max(0, Math.min(length, there - before));
      before += length;
      if (skip === length) continue;
      start += skip;
      const bytes = getRange(store, key, { start, end, signal });
      // Whoever comes to it hears of it; one before it may have failed first.
      bytes.catch(() => undefined);
      underWay.push({ at, bytes });
      return true;
    }
  };
  while (underWay.length < WINDOWS_AHEAD && begin());
  for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) {
    const bytes = await first.bytes;
    begin();
    yield { bytes, at: first.at };
  }
}

async function getRange(
  store: ColdStore,
  key: string,
  range: { readonly start: number; readonly end: number; readonly signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  const { start, end, signal } = range;
  const bytes = await blamed(key, store.get(key, { range: { start, end }, ...callOf(signal) }));
  if (bytes.length === end - start) return bytes;
  throw new DamagedObjectError(key, `${bytes.length} bytes where ${end - start} were asked for`);
}

/** A small one. */
export async function getWhole(
  store: ColdStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const bytes = await blamed(key, store.get(key, callOf(signal)));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function callOf(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** That nobody answers is no damage. */
async function blamed(key: string, work: Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ColdMissingError || error instanceof ColdDamagedError)) throw error;
    throw new DamagedObjectError(key, error.message, { cause: error });
  }
}
