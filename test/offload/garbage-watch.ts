/** Holds what collectors do against the rules, and lets them do it until nothing is left to be done. */
import { expect } from "vitest";
import { parseColdKey } from "../../src/offload/cold-names.ts";
import type { CollectorOptions } from "../../src/offload/collector.ts";
import type { GarbagePlan } from "../../src/offload/garbage-plan.ts";
import { expectRestorable } from "./garbage-deeds.ts";
import { collectorOf } from "./garbage-store.ts";
import type { OnDelete } from "./garbage-store.ts";
import { HOUR, garbageSettings } from "./garbage-world.ts";
import type { GarbageWorld } from "./garbage-world.ts";

const { signal } = new AbortController();

/** Holds every deletion against the rules: what is left is restorable, and the grace came after manifests. */
export function watched(store: GarbageWorld): OnDelete {
  const namedUntilMs = new Map<string, number>();
  return (key, manifest) => {
    if (manifest !== undefined) {
      const copies = manifest.segments.map(({ copy }) => copy);
      for (const object of [...copies, ...(manifest.snapshot?.parts ?? [])]) {
        if (object !== undefined) namedUntilMs.set(object.key, store.nowMs);
      }
    }
    const untilMs = namedUntilMs.get(key);
    if (untilMs !== undefined) expect(store.nowMs - untilMs).toBeGreaterThanOrEqual(garbageSettings.graceMs);
    expectRestorable(store, store.plan().retained);
  };
}

export function round(store: GarbageWorld, changes: Partial<CollectorOptions> = {}): Promise<GarbagePlan> {
  return collectorOf(store, changes).collect(signal);
}

/** What manifests and segments name, the log behind the oldest snapshot, and tails of what has no copy. */
export function unneeded(store: GarbageWorld): readonly string[] {
  const { retained, oldestSnapshotIndex } = store.plan();
  const needed = new Set(retained);
  for (const key of retained) {
    const reading = store.world.manifests.get(key);
    if (reading?.kind !== "manifest") continue;
    for (const { key: part } of reading.manifest.snapshot?.parts ?? []) needed.add(part);
    for (const { copy } of reading.manifest.segments) if (copy !== undefined) needed.add(copy.key);
  }
  for (const { cold } of store.segments) if (cold !== undefined) needed.add(cold.key);
  const open = new Set(store.segments.filter(({ cold }) => cold === undefined).map(({ id }) => id));
  return [...store.world.objects.keys()].filter((key) => {
    const name = parseColdKey(key)?.name;
    if (name?.kind === "segment" && name.last > oldestSnapshotIndex) return false;
    if (name?.kind === "tail" && open.has(name.segment)) return false;
    return !needed.has(key);
  });
}

/** New manifests push the old ones out, and time goes on, until nothing is deleted any more. */
export async function settle(store: GarbageWorld, changes: Partial<CollectorOptions> = {}): Promise<void> {
  for (const segment of store.sealed) store.upload(segment);
  for (let more = 0; more < 2; more++) {
    store.append(1);
    for (const segment of store.sealed) store.upload(segment);
    store.manifest(0);
  }
  store.nowMs += 1000 * HOUR;
  for (let looks = 0; looks < 500; looks++) {
    const before = store.world.objects.size;
    const { mark, unmark } = await round(store, changes);
    const isQuiet = store.world.objects.size === before && mark.length + unmark.length === 0;
    if (isQuiet && store.marks.size === 0) return;
    store.nowMs += HOUR;
  }
  expect.unreachable("it never settles");
}
