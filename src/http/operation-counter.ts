/**
 * Requests of one operation, counted: by class of status, by latency, and the bytes of their bodies. Plain
 * numbers in typed arrays, because this runs once per request; metrics.ts makes a page of them when somebody
 * asks.
 */

/** Upper bounds in seconds. Hot reads take fractions of a millisecond, synced writes some milliseconds. */
export const LATENCY_BOUNDS: readonly number[] = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

export class OperationCounter {
  readonly name: string;
  /** Index 2 counts 2xx and so on. */
  readonly byStatusClass = new Float64Array(6);
  /** Not cumulative; the last one counts what is above all bounds. */
  readonly latencyCounts = new Float64Array(LATENCY_BOUNDS.length + 1);
  latencySum = 0;
  /** Of bodies, as they went over the wire. */
  receivedBytes = 0;
  sentBytes = 0;

  constructor(name: string) {
    this.name = name;
  }

  record(status: number, seconds: number): void {
    const statusClass = (status / 100) | 0;
    this.byStatusClass[statusClass] = (this.byStatusClass[statusClass] ?? 0) + 1;
    let bucket = 0;
    while (seconds > (LATENCY_BOUNDS[bucket] ?? Infinity)) bucket++;
    this.latencyCounts[bucket] = (this.latencyCounts[bucket] ?? 0) + 1;
    this.latencySum += seconds;
  }
}
