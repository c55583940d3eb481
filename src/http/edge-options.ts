/**
 * What the edge is built from. It takes only the settings it uses, so that nothing here depends on how they
 * are read; sizes are bytes, durations milliseconds.
 */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Random } from "../ports/random.ts";
import type { Service } from "../service/api.ts";
import type { TierDesk } from "../service/tier-api.ts";
import type { Faults } from "./faults.ts";
import type { Telemetry } from "./telemetry.ts";

export type EdgeLimits = {
  /** Body bytes in memory over all requests; past it 503 SlowDown. */
  readonly bytesInFlightMax: number;
  /** XML body of one request. */
  readonly xmlBytesMax: number;
  /** Request line and headers of one request. */
  readonly headerBytesMax: number;
  /** Open connections; requests on further ones are answered 503 SlowDown. */
  readonly connectionsMax: number;
  /** Silence of a client, between requests or inside a body, before its connection is closed. */
  readonly idleTimeoutMs: number;
  /** What a body has to bring, averaged over `idleTimeoutMs`; 0 for any rate. */
  readonly bodyBytesPerSecondMin: number;
  /** Time that a client has for sending all headers. */
  readonly headersTimeoutMs: number;
};

export type EdgeOptions = {
  readonly service: Service;
  /** What buckets report; requests may be signed for any. */
  readonly region: string;
  /** Switches on virtual-host style; lower case, without a port. */
  readonly domain: string | undefined;
  /** Origins whose pages may use every bucket, each with one wildcard at most. */
  readonly corsAllowOrigin: readonly string[];
  /** The account that may use the admin API, and every bucket. */
  readonly rootAccountId: string;
  readonly limits: EdgeLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** Why every write is refused, if so: reads are then of what is left, and answers say it. */
  readonly readOnly?: string | undefined;
  /** Whether debug lines are written at all: an access line costs more than a hot GET may. */
  readonly accessLog: boolean;
  /** Read for every answer, so it has to be cheap. */
  readonly appliedIndex: () => number;
  /** A broken invariant: the process must not go on. Called at most once per error, and may return. */
  readonly onFatal: (error: Error) => void;
  /** What requests are to suffer on purpose; a server that is no test's has none. */
  readonly faults?: Faults;
  /** Only where there is a cold tier. */
  readonly tier?: TierDesk | undefined;
};
