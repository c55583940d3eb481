/**
 * Faults on purpose, for tests of programs that use the store: which requests meet one, how often, and that
 * what is asked for makes sense. Only code that embeds the server can add any; no request can. What a fault
 * does to a request is suffer-fault.ts's.
 */
import { s3Error, isS3ErrorCode } from "../s3/errors.ts";
import type { S3Error, S3ErrorCode } from "../s3/errors.ts";
import type { S3Operation } from "../s3/operations.ts";

/** Which requests; all that is given must fit. */
type FaultScope = {
  /** As S3 names it, for example `PutObject`; `*` for every signed request, also one that is refused. */
  readonly operation: S3Operation | "*";
  readonly bucket?: string;
  readonly key?: string;
  /** How many requests meet it; all until it is removed, if left out. */
  readonly times?: number;
  /**
   * Wait so many milliseconds before anything else; a request may be only late. Nothing of it has happened
   * yet.
   */
  readonly delay?: number;
  /** The older name of `delay`. */
  readonly delayMs?: number;
};

/** An error answer; the operation is not done. */
type ErrorFault = {
  /** 400 to 599. */
  readonly status: number;
  /** One that fits the status, if left out: `SlowDown` for 503, `InternalError` for 500. */
  readonly code?: S3ErrorCode;
  readonly message?: string;
};

/** The connection is cut. */
type CutFault = {
  /**
   * `true`: before the operation is done. `"answer"`: the operation is done, and nothing of its answer is
   * sent. `{ afterBytes }`: the head and so many bytes of the answer's body are sent; shorter ones are whole.
   */
  readonly cut: true | "answer" | { readonly afterBytes: number };
};

type DelayFault = { readonly delay: number } | { readonly delayMs: number };

export type Fault = FaultScope & (ErrorFault | CutFault | DelayFault);

export type AddedFault = Disposable & {
  /** Requests that met it. */
  readonly hits: number;
  /** No further request meets it. Twice is harmless. */
  remove(): void;
};

/** What code that embeds a server gets. Of several faults that fit a request, it meets the oldest alone. */
export type FaultInjection = {
  /** Throws TypeError for a fault that could never be met or says nothing. */
  add(fault: Fault): AddedFault;
  /** Removes all; requests that are being delayed go on at once. */
  clear(): void;
};

/** What is done to a request that meets a fault. */
export type Effect =
  | { readonly kind: "none" }
  | { readonly kind: "error"; readonly error: S3Error }
  | { readonly kind: "cutRequest" }
  /** `undefined`: not even the head. */
  | { readonly kind: "cutAnswer"; readonly afterBytes: number | undefined };

export type Suffering = {
  readonly effect: Effect;
  readonly delayMs: number;
  /** Ends the delay. */
  readonly cleared: AbortSignal;
};

type Entry = { readonly fault: Fault; hits: number; timesLeft: number };

export class Faults implements FaultInjection {
  readonly #operations: ReadonlySet<string>;
  #entries: Entry[] = [];
  #cleared = new AbortController();

  constructor(options: { readonly operations: readonly string[] }) {
    this.#operations = new Set(options.operations);
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  add(fault: Fault): AddedFault {
    const problem = problemOf(fault, this.#operations);
    if (problem !== undefined) throw new TypeError(`this fault cannot be: ${problem}`);
    const entry: Entry = { fault: { ...fault }, hits: 0, timesLeft: fault.times ?? Number.POSITIVE_INFINITY };
    this.#entries.push(entry);
    const remove = (): void => this.#remove(entry);
    return {
      get hits() {
        return entry.hits;
      },
      remove,
      [Symbol.dispose]: remove,
    };
  }

  #remove(entry: Entry): void {
    this.#entries = this.#entries.filter((each) => each !== entry);
  }

  clear(): void {
    this.#entries = [];
    this.#cleared.abort();
    this.#cleared = new AbortController();
  }

  /** The fault that this request meets, which has then been met once more. */
  meet(request: {
    readonly operation: string | undefined;
    readonly bucket: string;
    readonly key: string;
  }): Suffering | undefined {
    const entry = this.#entries.find(({ fault }) => fits(fault, request));
    if (entry === undefined) return undefined;
    entry.hits++;
    entry.timesLeft--;
    if (entry.timesLeft === 0) this.#remove(entry);
    const { fault } = entry;
    const delayMs = fault.delay ?? fault.delayMs ?? 0;
    return { effect: effectOf(fault), delayMs, cleared: this.#cleared.signal };
  }
}

function fits(
  fault: Fault,
  request: { readonly operation: string | undefined; readonly bucket: string; readonly key: string },
): boolean {
  return (
    (fault.operation === "*" || fault.operation === request.operation) &&
    (fault.bucket === undefined || fault.bucket === request.bucket) &&
    (fault.key === undefined || fault.key === request.key)
  );
}

function effectOf(fault: Fault): Effect {
  if ("status" in fault) return { kind: "error", error: errorOf(fault) };
  if (!("cut" in fault)) return { kind: "none" };
  if (fault.cut === true) return { kind: "cutRequest" };
  return { kind: "cutAnswer", afterBytes: fault.cut === "answer" ? undefined : fault.cut.afterBytes };
}

const CODES: ReadonlyMap<number, S3ErrorCode> = new Map([
  [403, "AccessDenied"],
  [404, "NoSuchKey"],
  [409, "ConditionalRequestConflict"],
  [412, "PreconditionFailed"],
  [503, "SlowDown"],
]);

function errorOf({ status, code, message }: ErrorFault): S3Error {
  const fitting = code ?? CODES.get(status) ?? (status >= 500 ? "InternalError" : "BadRequest");
  return s3Error(fitting, { status, ...(message === undefined ? {} : { message }) });
}

/** Plain JavaScript may hand over anything, and a fault that is never met makes a test that cannot fail. */
function problemOf(fault: Fault, operations: ReadonlySet<string>): string | undefined {
  const { operation, times } = fault;
  const delay = fault.delay ?? fault.delayMs;
  const { status, code, cut } = fault as { readonly [name in "status" | "code" | "cut"]?: unknown };
  if (operation !== "*" && !operations.has(operation)) return `no operation is called ${operation}`;
  if (times !== undefined && !isCount(times, 1)) return "times is a whole number from 1";
  if (fault.delay !== undefined && fault.delayMs !== undefined) return "delay and delayMs are one thing";
  if (delay !== undefined && !(Number.isFinite(delay) && delay >= 0)) return "delay is a number from 0";
  if (status === undefined && cut === undefined && delay === undefined)
    return "it has no status, delay or cut";
  if (status !== undefined && cut !== undefined) return "status and cut exclude each other";
  if (status !== undefined && !(isCount(status, 400) && status <= 599)) return "status is 400 to 599";
  if (code !== undefined && status === undefined) return "a code needs a status";
  if (code !== undefined && !(typeof code === "string" && isS3ErrorCode(code))) {
    return `S3 has no error ${JSON.stringify(code)}`;
  }
  return cut === undefined || isCut(cut) ? undefined : 'cut is true, "answer" or { afterBytes }';
}

function isCut(cut: unknown): boolean {
  if (cut === true || cut === "answer") return true;
  return typeof cut === "object" && cut !== null && "afterBytes" in cut && isCount(cut.afterBytes, 0);
}

function isCount(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min;
}
