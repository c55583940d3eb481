/** The bucket and the state of a GarbageWorld as the collector sees them: behind ports. */
import type { Clock } from "../../src/ports/clock.ts";
import type { IndexIterator } from "../../src/ports/index-store.ts";
import { ColdMissingError } from "../../src/ports/cold-store.ts";
import type { ColdEntry, ColdStore } from "../../src/ports/cold-store.ts";
import { Collector } from "../../src/offload/collector.ts";
import type { CollectorOptions } from "../../src/offload/collector.ts";
import type { Manifest } from "../../src/offload/manifest.ts";
import { TierHealth } from "../../src/offload/tier-health.ts";
import type { Command, CommandResult } from "../../src/state/command.ts";
import { keys, ranges } from "../../src/state/keys.ts";
import { rows } from "../../src/state/rows.ts";
import type { SegmentEntry } from "../../src/state/segment-table.ts";
import { silentLogger } from "../support/open-store.ts";
import { garbageSettings } from "./garbage-world.ts";
import type { GarbageWorld } from "./garbage-world.ts";
import { at, bytesOf } from "./manifests.ts";

/** `onDelete` is told of each key that goes, with its manifest if it was one, once it is gone. */
export function storeOf(store: GarbageWorld, onDelete: OnDelete = () => undefined): ColdStore {
  const { world } = store;
  const refuse = (): never => {
    throw new Error("collectors write nothing");
  };
  return {
    place: "memory:garbage",
    check: () => Promise.resolve(),
    put: refuse,
    putFile: refuse,
    putStream: refuse,
    get: (key) => {
      const reading = world.manifests.get(key);
      if (reading?.kind === "manifest") return Promise.resolve(bytesOf(reading.manifest));
      if (world.objects.has(key)) return Promise.resolve(Buffer.from("no manifest"));
      return Promise.reject(new ColdMissingError(key));
    },
    head: (key) => {
      const bytes = world.objects.get(key);
      const facts = { modifiedMs: 0, sha256: undefined, etag: undefined, storageClass: undefined };
      return Promise.resolve(bytes === undefined ? undefined : { bytes, ...facts });
    },
    async *list(prefix, { after = "" } = {}): AsyncGenerator<ColdEntry> {
      await Promise.resolve();
      for (const key of [...world.objects.keys()].toSorted()) {
        const bytes = world.objects.get(key);
        const isWanted = key.startsWith(prefix) && key > after;
        if (isWanted && bytes !== undefined) yield { key, bytes, modifiedMs: 0 };
      }
    },
    delete: (doomed) => {
      for (const key of doomed) {
        const isThere = world.objects.has(key);
        const reading = world.manifests.get(key);
        world.remove(key);
        if (isThere) onDelete(key, reading?.kind === "manifest" ? reading.manifest : undefined);
      }
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

export type OnDelete = (key: string, manifest: Manifest | undefined) => void;

export function nodeOf(store: GarbageWorld): CollectorOptions["node"] {
  const propose = (command: Command): Promise<CommandResult> => {
    if (command.kind === "condemnCold") {
      for (const key of command.keys) if (!store.marks.has(key)) store.marks.set(key, store.nowMs);
    } else if (command.kind === "pardonCold") {
      for (const key of command.keys) store.pardon(key);
    } else if (command.kind === "adoptLineages") store.adopted = command.adopted;
    return Promise.resolve({ kind: "done" });
  };
  return {
    place: at(store.lineage),
    segments: {
      get all() {
        return store.segments.map(entryOf);
      },
    },
    logTimeMs: () => store.nowMs,
    propose,
  };
}

export function rowsOf(store: GarbageWorld): CollectorOptions["index"] {
  const lineage = (): Buffer | undefined => {
    const { parent, adopted } = store;
    if (parent === undefined) return undefined;
    return rows.lineage.encode({
      lineage: store.lineage,
      parent: parent.lineage,
      cutIndex: parent.cutIndex,
      ...(adopted.length > 0 ? { adopted } : {}),
    });
  };
  return {
    iterate: ({ from }) =>
      Promise.resolve(iteratorOf(from === ranges.condemned.from ? condemned(store) : [])),
    getLater: (key) => {
      if (key === keys.meta("logTime")) return Promise.resolve(rows.counter.encode({ value: store.nowMs }));
      return Promise.resolve(lineage());
    },
  };
}

function condemned({ marks, replaced }: GarbageWorld): readonly (readonly [string, Uint8Array])[] {
  return [...marks].map(([key, sinceMs]) => {
    const row = rows.condemned.encode({ sinceMs, wasNamed: replaced.has(key) });
    return [ranges.condemned.from + key, row] as const;
  });
}

function iteratorOf(all: readonly (readonly [string, Uint8Array])[]): IndexIterator<Uint8Array> {
  let place = 0;
  return {
    next: (limit) => Promise.resolve(all.slice(place, (place += limit))),
    seek: () => undefined,
    close: () => Promise.resolve(),
  };
}

function entryOf({ id, first, last, cold }: GarbageWorld["segments"][number]): SegmentEntry {
  const copy = cold && { ...cold, bytes: 1000, sha256: "0".repeat(64) };
  const facts = { bytes: 1000, liveBytes: 1, cut: true, chainLow: 0, chainHigh: 0 };
  return { id, firstIndex: first, entries: last - first + 1, ...facts, ...(copy && { cold: copy }) };
}

/** Nothing takes any time: the world's own clock is log time. */
export const atOnce: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  sleep: () => Promise.resolve(),
  yieldToOthers: () => Promise.resolve(),
};

/** As after a start: it knows nothing but what the ports tell it. */
export function collectorOf(store: GarbageWorld, changes: Partial<CollectorOptions> = {}): Collector {
  return new Collector({
    store: storeOf(store),
    node: nodeOf(store),
    index: rowsOf(store),
    isInFlight: (key) => store.inFlight.has(key),
    mayWrite: () => true,
    settings: garbageSettings,
    clock: atOnce,
    logger: silentLogger,
    health: new TierHealth(silentLogger, "nothing was heard"),
    ...changes,
  });
}
