/**
 * Keeps what the core reports, as plain numbers and histograms, for whoever shows them. Recording is a few
 * additions: it happens once per log write, not per request.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Telemetry } from "../ports/telemetry.ts";

class Histogram {
  readonly bounds: readonly number[];
  /** One longer than `bounds`: the last counts what is above all of them. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > (this.bounds[at] as number)) at++;
    this.counts[at] = (this.counts[at] as number) + 1;
    this.sum += value;
  }
}

const SYNC_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];
const ENTRIES = [1, 2, 4, 8, 16, 32, 64, 128, 300, 1000];
const BYTES = [4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];
const DELAY_RESOLUTION_MS = 20;
const SAME_LOOK_MS = 500;

type Delay = { readonly p50: number; readonly p99: number; readonly max: number };

export class CoreTelemetry implements Telemetry {
  readonly logSyncSeconds = new Histogram(SYNC_SECONDS);
  readonly commandsPerEntry = new Histogram(ENTRIES);
  readonly batchBytes = new Histogram(BYTES);
  logBytesWritten = 0;
  logSyncs = 0;
  readonly #delay: ReturnType<typeof monitorEventLoopDelay>;
  #lastDelay: Delay = { p50: 0, p99: 0, max: 0 };
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
    this.#delay.enable();
  }

  logWrite(seconds: number, bytes: number): void {
    this.logSyncs++;
    this.logBytesWritten += bytes;
    this.logSyncSeconds.record(seconds);
    this.batchBytes.record(bytes);
  }

  batchEntries(count: number): void {
    this.commandsPerEntry.record(count);
  }

  /** How late the event loop was since it was last looked at, for a moment the same: one page asks thrice. */
  eventLoopDelaySeconds(): Delay {
    const now = performance.now();
    if (now - this.#lookedMs < SAME_LOOK_MS) return this.#lastDelay;
    this.#lookedMs = now;
    this.#lastDelay = this.#look();
    return this.#lastDelay;
  }

  #look(): Delay {
    const late = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - DELAY_RESOLUTION_MS / 1000) : 0;
    const delay = {
      p50: late(this.#delay.percentile(50)),
      p99: late(this.#delay.percentile(99)),
      max: late(this.#delay.max),
    };
    this.#delay.reset();
    return delay;
  }

  close(): void {
    this.#delay.disable();
  }
}
