/**
 * The metrics page: a prom-client registry that reads the edge's own counters, the service's status and the
 * telemetry of the store when it is asked for, so that nothing is spent on metrics between two scrapes.
 */
import { Counter, Gauge, Registry } from "prom-client";
import type { Metric } from "prom-client";
import type { NodeStatus } from "../service/api.ts";
import type { Edge } from "./edge.ts";
import { LATENCY_BOUNDS } from "./operation-counter.ts";
import type { HistogramView, Telemetry } from "./telemetry.ts";

export type Metrics = {
  readonly contentType: string;
  page(): Promise<string>;
};

const PREFIX = "thermocline_";
const STATUS_CLASSES = [1, 2, 3, 4, 5] as const;

type Labels = Readonly<Record<string, string>>;
type LabelledHistogram = { readonly labels: Labels; readonly view: HistogramView };
type Sample = {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
};

function samplesOf(name: string, { labels, view }: LabelledHistogram): readonly Sample[] {
  let count = 0;
  const samples: Sample[] = view.bounds.map((bound, index) => {
    count += view.counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: count };
  });
  count += view.counts[view.bounds.length] ?? 0;
  samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count });
  samples.push({ metricName: `${name}_sum`, labels, value: view.sum });
  samples.push({ metricName: `${name}_count`, labels, value: count });
  return samples;
}

/**
 * prom-client's own Histogram only observes, one value at a time; ours are counted elsewhere. The registry asks a
 * metric for nothing but `name` and `get()`.
 */
class CountedHistogram {
  readonly name: string;
  readonly #help: string;
  readonly #read: () => readonly LabelledHistogram[];

  constructor(name: string, help: string, read: () => readonly LabelledHistogram[]) {
    this.name = PREFIX + name;
    this.#help = help;
    this.#read = read;
  }

  get(): object {
    const values = this.#read().flatMap((histogram) => samplesOf(this.name, histogram));
    return { name: this.name, help: this.#help, type: "histogram", values, aggregator: "sum" };
  }

  reset(): void {
    // The counts are not ours.
  }
}

function registerRequests(registry: Registry, edge: Edge): void {
  const requests: Counter = new Counter({
    name: `${PREFIX}http_requests_total`,
    help: "Requests by operation and class of status",
    labelNames: ["operation", "status"],
    registers: [registry],
    collect: () => {
      requests.reset();
      for (const { name, byStatusClass } of edge.counters.values()) {
        for (const statusClass of STATUS_CLASSES) {
          const count = byStatusClass[statusClass] ?? 0;
          if (count > 0) requests.inc({ operation: name, status: `${statusClass}xx` }, count);
        }
      }
    },
  });
  const latency = new CountedHistogram("http_request_duration_seconds", "Until the answer was complete", () =>
    [...edge.counters.values()].map(({ name, latencyCounts, latencySum }) => ({
      labels: { operation: name },
      view: { bounds: LATENCY_BOUNDS, counts: latencyCounts, sum: latencySum },
    })),
  );
  registry.registerMetric(latency as unknown as Metric);
}

type Reading = readonly [name: string, help: string, read: () => number];

function registerGauges(registry: Registry, readings: readonly Reading[]): void {
  for (const [name, help, read] of readings) {
    const gauge: Gauge = new Gauge({
      name: PREFIX + name,
      help,
      registers: [registry],
      collect: () => gauge.set(read()),
    });
  }
}

function registerCounters(registry: Registry, readings: readonly Reading[]): void {
  for (const [name, help, read] of readings) {
    const counter: Counter = new Counter({
      name: PREFIX + name,
      help,
      registers: [registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }
}

function statusReadings(status: () => NodeStatus): readonly Reading[] {
  return [
    ["ready", "1 if this node serves", () => Number(status().ready)],
    ["raft_term", "Current term", () => status().term],
    ["commit_index", "Log index up to which entries are committed", () => status().commitIndex],
    ["applied_index", "Log index up to which entries are applied", () => status().appliedIndex],
    ["segments", "Segments of the log", () => status().segments],
    ["log_bytes", "Bytes of the log on disk", () => status().logBytes],
    ["live_bytes", "Bytes of the log that some object still names", () => status().liveBytes],
    ["segment_live_ratio", "Live bytes by log bytes", () => ratio(status().liveBytes, status().logBytes)],
    ["overlay_rows", "Applied rows that are not flushed to the index yet", () => status().overlayRows],
    ["cache_bytes", "Bytes in the object cache", () => status().cacheBytes],
    ["cache_entries", "Objects in the object cache", () => status().cacheEntries],
    ["disk_free_bytes", "Free bytes on the disk of the data directory", () => status().diskFreeBytes],
    ["writes_refused", "0 none, 1 bodies, 2 all but deletes", () => refusal(status().writesRefused)],
  ];
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole;
}

function refusal(refused: NodeStatus["writesRefused"]): number {
  return refused === "none" ? 0 : refused === "bodies" ? 1 : 2;
}

function registerTelemetry(registry: Registry, telemetry: Telemetry): void {
  registerCounters(registry, [
    ["cache_hits_total", "Reads answered from the object cache", () => telemetry.cacheHits],
    ["cache_misses_total", "Reads that went to the store", () => telemetry.cacheMisses],
    ["cache_evictions_total", "Objects pushed out of the cache", () => telemetry.cacheEvictions],
    ["log_written_bytes_total", "Bytes appended to the log", () => telemetry.logBytesWritten],
    ["log_syncs_total", "Syncs of the log", () => telemetry.logSyncs],
  ]);
  const histograms: readonly (readonly [name: string, help: string, read: () => HistogramView])[] = [
    ["log_sync_seconds", "Duration of a write and sync of the log", () => telemetry.logSyncSeconds],
    ["log_batch_entries", "Entries per write of the log", () => telemetry.batchEntries],
    ["log_batch_bytes", "Bytes per write of the log", () => telemetry.batchBytes],
  ];
  for (const [name, help, read] of histograms) {
    const histogram = new CountedHistogram(name, help, () => [{ labels: {}, view: read() }]);
    registry.registerMetric(histogram as unknown as Metric);
  }
  registerGauges(registry, [
    ["event_loop_delay_p50_seconds", "Median delay of the loop", () => telemetry.eventLoopDelaySeconds.p50],
    ["event_loop_delay_p99_seconds", "99th percentile", () => telemetry.eventLoopDelaySeconds.p99],
    ["event_loop_delay_max_seconds", "Longest delay", () => telemetry.eventLoopDelaySeconds.max],
  ]);
}

export function createMetrics(edge: Edge): Metrics {
  const registry = new Registry();
  registerRequests(registry, edge);
  registerGauges(registry, [
    ["http_requests_in_flight", "Requests without a complete answer", () => edge.inFlight],
    ["http_body_bytes_in_flight", "Credits taken for bodies", () => edge.credits.taken],
    ["http_connections", "Open connections", () => edge.connections],
    ...statusReadings(() => edge.service.status()),
  ]);
  registerTelemetry(registry, edge.options.telemetry);
  return { contentType: registry.contentType, page: () => registry.metrics() };
}
