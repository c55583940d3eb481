/**
 * The cold tier: named, immutable byte strings in a bucket or below a folder. Adapters keep one contract
 * (`test/contract/cold-store.test.ts`), so the offload code does not know which of them it talks to.
 *
 * What a `put` resolved for is whole and durable under its key; what it rejected for may be there whole or
 * not at all, never in half. Names and digests are the caller's business: nothing here decides what is live.
 * Every method rejects with one of the four ColdErrors below, or with the reason of `signal` once that is
 * aborted; the message is one line that says what, where and how to mend it.
 */

/** What an object is for; an adapter may store each kind in a class of its own. */
export type ColdKind = "segment" | "packed" | "snapshot" | "tail" | "manifest";

/** Half open, in bytes, not empty: `[start, end)`. */
export type ColdRange = { readonly start: number; readonly end: number };

export type ColdCall = { readonly signal?: AbortSignal };

export type ColdPut = ColdCall & {
  readonly kind: ColdKind;
  /** SHA-256 of the whole, in hex, if the caller knows it: bytes that differ are ColdDamaged, not stored. */
  readonly sha256?: string;
};

export type ColdGet = ColdCall & {
  /** The whole object if left out, which may not be larger than COLD_WHOLE_BYTES_MAX. */
  readonly range?: ColdRange;
  /** SHA-256 of the bytes asked for, in hex; others are ColdDamaged. */
  readonly sha256?: string;
};

/** What was stored, for the manifest: length, and SHA-256 of the whole in hex. */
export type ColdStored = { readonly bytes: number; readonly sha256: string };

export type ColdHead = {
  readonly bytes: number;
  /** When it was put or later, by the clock of the store; cut to whole seconds by most buckets. */
  readonly modifiedMs: number;
  /**
   * SHA-256 of the whole that the store had when the object was put; `undefined` where none was kept (every
   * `putStream`, every folder). What lies there now is only known by reading it.
   */
  readonly sha256: string | undefined;
  /** Opaque; changes when other bytes are stored under the key. */
  readonly etag: string | undefined;
  /** As the bucket calls it, `undefined` for its default. */
  readonly storageClass: string | undefined;
};

export type ColdEntry = { readonly key: string; readonly bytes: number; readonly modifiedMs: number };

/** What is asked of the place, as buckets price it: everything that writes is a put. */
export type ColdOperation = "put" | "get" | "head" | "list" | "delete";

/** One request as it went out: one that is made again, because the first one failed, is another. */
export type ColdRequest = {
  readonly operation: ColdOperation;
  /** Of the object; of a list, what its keys begin with. Empty for the place as a whole. */
  readonly key: string;
  /** As HTTP has it; 0 if there was no answer. */
  readonly status: number;
  /** Of bodies, as they were announced. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
};

/** Must not throw. */
export type OnColdRequest = (request: ColdRequest) => void;

/** Larger objects are read range by range: memory is bounded (P8). */
export const COLD_WHOLE_BYTES_MAX = 256 * 1024 * 1024;

export interface ColdStore {
  /** As users write it, without secrets: `s3://bucket/prefix at https://host`, `folder:/path`. */
  readonly place: string;

  /** Asks the place for something small: whether it is there and lets us in. For starts and `doctor`. */
  check(call?: ColdCall): Promise<void>;

  /** Bytes in memory, in one piece or several, in a single request. Replaces what has the key. */
  put(key: string, body: Uint8Array | readonly Uint8Array[], put: ColdPut): Promise<ColdStored>;

  /**
   * A file that nobody changes any more, by its path on the disk that the store was opened with, in a single
   * request. A folder on the same file system links it: whoever later wrote into the file in place would
   * write into the cold copy too.
   */
  putFile(key: string, path: string, put: ColdPut): Promise<ColdStored>;

  /**
   * Bytes of unknown length, which are read once. Only this one may take several requests, and some tens of
   * MiB of memory.
   */
  putStream(key: string, source: AsyncIterable<Uint8Array>, put: ColdPut): Promise<ColdStored>;

  /** Exactly the bytes asked for. ColdMissing, or ColdDamaged if the object ends before the range does. */
  get(key: string, get?: ColdGet): Promise<Uint8Array>;

  /** `undefined` if there is no such object. */
  head(key: string, call?: ColdCall): Promise<ColdHead | undefined>;

  /**
   * Objects whose key starts with `prefix`, in the byte order of their keys; those above the key `after` if
   * that is given. Objects that came or went meanwhile may be told or not; names that are no cold keys are
   * somebody else's and left out.
   */
  list(prefix: string, list?: ColdCall & { readonly after?: string }): AsyncIterable<ColdEntry>;

  /** Absent ones are no error. If it rejects, any of them may be gone. */
  delete(keys: readonly string[], call?: ColdCall): Promise<void>;

  /** Ends what is under way with ColdUnavailable and frees every socket. Closing twice is harmless. */
  close(): Promise<void>;
}

/** There is no such object. Answered at once, never after retries. */
export class ColdMissingError extends Error {
  readonly code = "COLD_MISSING";
  override readonly name = "ColdMissingError";
}

/** The place does not let us in, or is not there: trying again is useless until somebody mends it. */
export class ColdRefusedError extends Error {
  readonly code = "COLD_REFUSED";
  override readonly name = "ColdRefusedError";
}

/** No answer, or "not now", after all retries; the outcome of a put or delete is unknown. */
export class ColdUnavailableError extends Error {
  readonly code = "COLD_UNAVAILABLE";
  override readonly name = "ColdUnavailableError";
  /** When it makes sense to try again, from now. */
  readonly retryAfterMs: number;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs: number }) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The bytes are not those that were asked for, by length or by digest. */
export class ColdDamagedError extends Error {
  readonly code = "COLD_DAMAGED";
  override readonly name = "ColdDamagedError";
}

export type ColdError = ColdMissingError | ColdRefusedError | ColdUnavailableError | ColdDamagedError;

export function isColdError(error: unknown): error is ColdError {
  return (
    error instanceof ColdMissingError ||
    error instanceof ColdRefusedError ||
    error instanceof ColdUnavailableError ||
    error instanceof ColdDamagedError
  );
}

const KEY_PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;
/** Below S3's 1,024, with room for a prefix. */
const KEY_LENGTH_MAX = 800;

/**
 * A name that means the same in every bucket and every folder: parts of letters, digits, `.`, `_` and `-`
 * between single slashes, none beginning with a dot. No key may be a folder of another one.
 */
export function isColdKey(key: string): boolean {
  return key.length <= KEY_LENGTH_MAX && key.split("/").every((part) => KEY_PART.test(part));
}

/** Whether any cold key begins with it. Buckets refuse, or misread, what no key of theirs can begin with. */
export function isColdPrefix(prefix: string): boolean {
  return prefix === "" || isColdKey(prefix) || isColdKey(`${prefix}x`);
}
