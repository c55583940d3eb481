/**
 * What all requests of one edge share: options, limits, caches of signatures, counters. One per server, made
 * by create-edge.ts; requests themselves are Exchanges.
 */
import { createSigV4Caches } from "../s3/sigv4.ts";
import type { SigV4Caches } from "../s3/sigv4.ts";
import type { Identity, Service } from "../service/api.ts";
import { AnswerQueue } from "./answer-queue.ts";
import { BundledRequests } from "./client-usage.ts";
import { BodyWatch } from "./body-watch.ts";
import { CrossOriginRules } from "./cross-origin-rules.ts";
import { Credits } from "./credits.ts";
import type { EdgeOptions } from "./edge-options.ts";
import { OperationCounter } from "./operation-counter.ts";
import { RequestIds } from "./request-ids.ts";
import { SizeHistogram } from "./size-histogram.ts";
import { StalledReaders } from "./stalled-readers.ts";
import { TargetMemo } from "./target-memo.ts";
import { TierRuns } from "./tier-runs.ts";

const SIGNING_KEYS_MAX = 1024;
const AUTHORIZATIONS_MAX = 4096;
const PRESIGNED_MAX = 8192;

export type KnownIdentity = { readonly identity: Identity; readonly secretKey: string };

export class Edge {
  readonly options: EdgeOptions;
  readonly service: Service;
  readonly credits: Credits;
  readonly bodies: BodyWatch;
  readonly answers: AnswerQueue;
  readonly stalledReaders: StalledReaders;
  readonly ids: RequestIds;
  readonly crossOrigin: CrossOriginRules;
  readonly targets: TargetMemo;
  readonly signatures: SigV4Caches;
  readonly lookupSecret: (accessKey: string) => KnownIdentity | undefined;
  /** By name of the operation; `Other` counts what was refused before an operation was known. */
  readonly counters = new Map<string, OperationCounter>();
  readonly unknownOperation: OperationCounter;
  /**
   * What a read gets here is what the log says now: there is one voter, so nothing weaker is ever served. A
   * node that only reads may have lost what was acknowledged, and promises nothing.
   */
  readonly consistency: "linearizable" | "salvage";
  /** Operations per batch, keys per GET of many. */
  readonly batchSizes = new SizeHistogram();
  readonly batchReadSizes = new SizeHistogram();
  /** What was done in batches, archives and deletions of many. */
  readonly bundled = new BundledRequests();
  readonly tierRuns = new TierRuns();
  /** Requests whose answer is not complete yet. */
  inFlight = 0;
  /** Requests that met stored bytes which do not match their checksum; each has a line in the log. */
  damagedReads = 0;
  isDraining = false;
  connections = 0;
  /** Sockets above the limit on connections. */
  readonly excessSockets = new WeakSet<object>();

  constructor(options: EdgeOptions) {
    this.options = options;
    this.service = options.service;
    this.credits = new Credits({ bytesMax: options.limits.bytesInFlightMax });
    this.bodies = new BodyWatch(options.clock, {
      windowMs: options.limits.idleTimeoutMs,
      bytesPerSecondMin: options.limits.bodyBytesPerSecondMin,
    });
    this.stalledReaders = new StalledReaders(options.clock, { safeMs: options.limits.idleTimeoutMs / 2 });
    this.answers = new AnswerQueue(options.clock);
    this.ids = new RequestIds(options.random);
    this.crossOrigin = new CrossOriginRules(options);
    this.targets = new TargetMemo({ domain: options.domain });
    this.signatures = createSigV4Caches({
      signingKeysMax: SIGNING_KEYS_MAX,
      authorizationsMax: AUTHORIZATIONS_MAX,
      presignedMax: PRESIGNED_MAX,
    });
    const { identities } = options.service;
    this.lookupSecret = (accessKey): KnownIdentity | undefined => identities.find(accessKey);
    this.unknownOperation = this.counter("Other");
    this.consistency = options.readOnly === undefined ? "linearizable" : "salvage";
  }

  counter(name: string): OperationCounter {
    const known = this.counters.get(name);
    if (known !== undefined) return known;
    const made = new OperationCounter(name);
    this.counters.set(name, made);
    return made;
  }
}
