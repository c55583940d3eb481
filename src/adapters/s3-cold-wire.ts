/**
 * What every operation of the S3 cold store goes through: names become addresses in the bucket, each request
 * is guarded (slots, time limits, retries, circuit), and whatever fails is one of the port's errors.
 */
import type { PutObjectCommandInput, S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../ports/clock.ts";
import type { ColdKind, ColdPut, ColdRange, OnColdRequest } from "../ports/cold-store.ts";
import { ColdRefusedError, isColdKey } from "../ports/cold-store.ts";
import type { Random } from "../ports/random.ts";
import { GuardedCalls, defaultGuard } from "./guarded-calls.ts";
import { defaultTimeouts, isAws, makeS3Client, nameOf, requestMsFor } from "./s3-cold-client.ts";
import type { S3ColdPlace, S3ColdTimeouts } from "./s3-cold-client.ts";
import { judgeS3Error } from "./s3-cold-errors.ts";
import { QuickGets } from "./s3-cold-quick.ts";
import { tellGet, watchRequests } from "./s3-cold-watch.ts";

/** Any command of the SDK: its own types of different commands do not fit into one. */
export type SdkCommand = { readonly input: object; readonly middlewareStack: object };

export type S3WireOptions = S3ColdPlace & {
  /** The bucket's default for kinds that are left out. */
  readonly storageClasses?: Partial<Readonly<Record<ColdKind, string>>>;
  /** Asked for with each object; the bucket's default if left out. */
  readonly encryption?:
    { readonly kind: "AES256" } | { readonly kind: "aws:kms"; readonly keyId: string | undefined };
  readonly clock: Clock;
  readonly random: Random;
  readonly timeouts?: S3ColdTimeouts;
  readonly guard?: Partial<typeof defaultGuard>;
  /** Told of each request once it was answered, or was not. */
  readonly onRequest?: OnColdRequest | undefined;
};

export type Asking = {
  /** On the way in either direction: they get time. */
  readonly bytes: number;
  readonly key?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly attemptsMax?: number;
};

export class S3Wire {
  readonly place: string;
  readonly client: S3Client;
  readonly keepsChecksums: boolean;
  readonly bucket: string;
  readonly #options: S3WireOptions;
  readonly #guard: GuardedCalls;
  readonly #quick: QuickGets;
  readonly #timeouts: S3ColdTimeouts;

  constructor(options: S3WireOptions) {
    this.#options = options;
    this.place = nameOf(options);
    this.keepsChecksums = options.keepsChecksums ?? isAws(options);
    this.bucket = options.bucket;
    this.#timeouts = options.timeouts ?? defaultTimeouts;
    this.client = makeS3Client(options, this.#timeouts);
    const { onRequest } = options;
    if (onRequest !== undefined) watchRequests(this.client, { onRequest, ownPrefix: this.fullKey("") });
    this.#quick = new QuickGets(this.client);
    this.#guard = new GuardedCalls({
      place: this.place,
      clock: options.clock,
      random: options.random,
      settings: { ...defaultGuard, ...options.guard, concurrencyMax: options.poolSize },
    });
  }

  /** Aborted by `close`, with the error that callers get. */
  get closing(): AbortSignal {
    return this.#guard.closing;
  }

  /** As errors call it. */
  what(key: string): string {
    return `cold tier ${this.place}, ${key}`;
  }

  /** Of a key or of the beginning of one, in the bucket. */
  fullKey(key: string): string {
    const { prefix } = this.#options;
    return prefix === "" ? key : `${prefix}/${key}`;
  }

  address(key: string): { readonly Bucket: string; readonly Key: string } {
    if (!isColdKey(key)) throw new ColdRefusedError(`cold tier ${this.place}: ${quoted(key)} is no cold key`);
    return { Bucket: this.bucket, Key: this.fullKey(key) };
  }

  putParams(key: string, { kind }: ColdPut): Omit<PutObjectCommandInput, "Body"> {
    const { storageClasses, encryption } = this.#options;
    const storageClass = storageClasses?.[kind];
    const keyId = encryption?.kind === "aws:kms" ? encryption.keyId : undefined;
    return {
      ...this.address(key),
      ContentType: "application/octet-stream",
      ...(storageClass === undefined ? {} : { StorageClass: storageClass as never }),
      ...(encryption === undefined ? {} : { ServerSideEncryption: encryption.kind }),
      ...(keyId === undefined ? {} : { SSEKMSKeyId: keyId }),
    };
  }

  /** Attempts of `work` until one succeeds; within it, everything is sent by `send` with its signal. */
  async guarded<Result>(asking: Asking, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    return await this.#guard.run(work, {
      ...asking,
      timeoutMs: requestMsFor(asking.bytes, this.#timeouts),
      judge: (error) => judgeS3Error(error, { place: this.place, key: asking.key }),
    });
  }

  /** One request; what comes back is what the SDK's types say of this command. */
  async send<Output>(command: SdkCommand, bytes: number, signal: AbortSignal): Promise<Output> {
    const requestTimeout = requestMsFor(bytes, this.#timeouts);
    return (await this.client.send(command as never, { abortSignal: signal, requestTimeout })) as Output;
  }

  /** A ranged GET by the shortest way; `undefined` where the SDK has to make it. */
  async quickGet(key: string, range: ColdRange, signal: AbortSignal): ReturnType<QuickGets["get"]> {
    const { onRequest } = this.#options;
    return await this.#quick.get({
      fullKey: this.fullKey(key),
      range,
      signal,
      requestMs: requestMsFor(range.end - range.start, this.#timeouts),
      onEnd: (end) => {
        if (onRequest !== undefined) tellGet({ onRequest, key }, end);
      },
    });
  }

  async ask<Output>(command: SdkCommand, asking: Asking): Promise<Output> {
    return await this.guarded(asking, (signal) => this.send<Output>(command, asking.bytes, signal));
  }

  async close(): Promise<void> {
    await this.#guard.close();
    this.client.destroy();
  }
}

/**
 * The digest of a body goes into the signature instead of being computed in one go on the event loop, or, for
 * streams, being left out.
 */
export function signPayload(command: SdkCommand, sha256: string): void {
  const stack = command.middlewareStack as S3Client["middlewareStack"];
  stack.add(
    (next) => async (args) => {
      const { headers } = args.request as { readonly headers: Record<string, string> };
      headers["x-amz-content-sha256"] = sha256;
      return await next(args);
    },
    { step: "build", name: "signPayload", override: true },
  );
}

function quoted(key: string): string {
  return JSON.stringify(key.length > 100 ? `${key.slice(0, 97)}...` : key);
}
