/** A restore to an earlier state: a manifest, a time, or one of several lineages. */
import { describe, expect, test } from "vitest";
import { coldKey } from "../../src/offload/cold-names.ts";
import { RestoreRefusedError } from "../../src/offload/restore-outline.ts";
import type { RestoreWish } from "../../src/offload/restore-plan.ts";
import { put } from "../service/service-world.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { contentsOf, load } from "./restore-load.ts";
import { Bucket, NEWEST, RestoreWorld, placeOf } from "./restore-world.ts";

const upTo = (key: string): RestoreWish => ({ target: { kind: "manifest", key }, acceptGap: false });
const asOf = (dateMs: number): RestoreWish => ({ target: { kind: "time", dateMs }, acceptGap: false });

type Moment = { readonly dateMs: number; readonly contents: unknown };

/** A store that goes on while it is restored, with what was in it at some moments. */
class History {
  readonly world = new RestoreWorld();
  readonly moments: Moment[] = [];
  readonly manifests: { readonly key: string; readonly contents: unknown }[] = [];
  store!: SimStore;
  bucket!: Bucket;

  async begin(): Promise<this> {
    this.store = await this.world.open();
    this.bucket = new Bucket(this.world, this.store);
    return this;
  }

  async live(seed: string, steps = 40): Promise<void> {
    await this.world.run(load(this.store, { seed, steps }));
    await this.world.machine.clock.advance(2000);
    this.moments.push({ dateMs: this.world.machine.clock.nowMs(), contents: await this.contents() });
    await this.world.machine.clock.advance(2000);
  }

  async contents(): Promise<unknown> {
    return await this.world.run(contentsOf(this.store));
  }

  async manifest(): Promise<void> {
    const contents = await this.contents();
    const key = String(await this.bucket.run((to) => to.everything()));
    this.manifests.push({ key, contents });
  }

  async tail(): Promise<void> {
    await this.bucket.run((to) => to.segments());
    await this.bucket.run((to) => to.tail());
  }
}

async function usualHistory(): Promise<History> {
  const history = await new History().begin();
  await history.live("one", 80);
  await history.manifest();
  await history.live("two");
  await history.tail();
  await history.live("three");
  await history.manifest();
  await history.live("four");
  await history.tail();
  return history;
}

describe("to a manifest", () => {
  test.each([0, 1])(
    "number %i ends with its last entry, whatever came later; the old store still runs",
    async (at) => {
      const { world, manifests, store: old } = await usualHistory();
      const { key = "", contents } = manifests[at] ?? {};
      const { store } = await world.revived(upTo(key));
      expect(await world.run(contentsOf(store))).toEqual(contents);
      expect(old.fatal).toEqual([]);
      await world.run(put(store.service, "goes", "on"));
      await world.close(store);
    },
  );

  test("that is not there is refused", async () => {
    const { world, manifests } = await usualHistory();
    const restoring = world.restore(world.newDisk(), upTo(`${manifests[0]?.key}x.json`));
    await expect(restoring).rejects.toThrow(RestoreRefusedError);
  });
});

describe("to a time", () => {
  test.each([1, 2, 3])("moment %i ends before the first entry that is younger", async (at) => {
    const { world, moments } = await usualHistory();
    const { dateMs = 0, contents } = moments[at] ?? {};
    const { store } = await world.revived(asOf(dateMs));
    expect(await world.run(contentsOf(store))).toEqual(contents);
    await world.run(load(store, { seed: "and on", steps: 60 }));
    expect(store.fatal).toEqual([]);
    await world.close(store);
  });

  test("before the first manifest is refused", async () => {
    const { world, moments } = await usualHistory();
    const restoring = world.restore(world.newDisk(), asOf(moments[0]?.dateMs ?? 0));
    await expect(restoring).rejects.toThrow("no manifest is that old");
  });

  test("follows dates as users saw them: held for minutes, and put back by hours", async () => {
    const history = await new History().begin();
    const { clock } = history.world.machine;
    await history.live("one");
    await history.manifest();
    const first = await history.contents();
    const [hour, minute] = [3_600_000, 60_000];
    for (const offsetMs of [hour, hour - minute, 0, 2 * hour]) {
      clock.wallOffsetMs = offsetMs;
      await history.live(`at ${offsetMs}`, 12);
      await history.tail();
    }
    const [, ahead, held, back, far] = history.moments;
    // What was shown as an hour later stands before all that came when the clock was right again.
    const cases = [
      [ahead, ahead?.contents],
      [held, first],
      [back, first],
      [far, far?.contents],
    ] as const;
    const { lineage } = placeOf(history.store.node);
    for (const [moment, contents] of cases) {
      const { store } = await history.world.revived({ ...asOf(moment?.dateMs ?? 0), lineage });
      expect(await history.world.run(contentsOf(store))).toEqual(contents);
      await history.world.close(store);
    }
  });
});

describe("lineages", () => {
  test("of which one goes on from the other: the younger one", async () => {
    const { world } = await usualHistory();
    const child = await world.revived();
    await world.run(put(child.store.service, "of the child", "x"));
    const bucket = new Bucket(world, child.store, child.disk);
    await bucket.run((to) => to.everything());
    const contents = await world.run(contentsOf(child.store));
    await world.close(child.store);
    const { store } = await world.revived();
    expect(await world.run(contentsOf(store))).toEqual(contents);
  });

  test("two from one parent: it has to be said which", async () => {
    const { world, store: old } = await usualHistory();
    const parent = placeOf(old.node).lineage;
    const [one, two] = [await world.revived(), await world.revived({ ...NEWEST, lineage: parent })];
    await world.run(put(two.store.service, "of the second", "x"));
    await new Bucket(world, two.store, two.disk).run((to) => to.everything());
    await expect(world.restore(world.newDisk())).rejects.toThrow("say which lineage");
    for (const { store, disk } of [one, two]) {
      const contents = await world.run(contentsOf(store));
      const again = await world.revived({ ...NEWEST, lineage: placeOf(store.node).lineage });
      expect(await world.run(contentsOf(again.store))).toEqual(contents);
      await world.close(again.store);
      expect(disk).toBeDefined();
      await world.close(store);
    }
  });

  test("to a time before the restore leads into the parent", async () => {
    const { world, moments } = await usualHistory();
    const child = await world.revived();
    await world.close(child.store);
    const { store } = await world.revived(asOf(moments[1]?.dateMs ?? 0));
    expect(await world.run(contentsOf(store))).toEqual(moments[1]?.contents);
  });
});

test("rows name what the manifest names, though the log says that a later copy took its place", async () => {
  const { world, store: old, manifests } = await usualHistory();
  const [segment] = old.node.state.segments.all;
  const { id = 0, firstIndex = 0, entries = 0, cold } = segment ?? {};
  const key = coldKey(placeOf(old.node), { kind: "packed", id, incarnation: "n1.x" });
  const copy = { kind: "packed", key, bytes: 100, sha256: "ab".repeat(32) } as const;
  await world.run(
    old.node.replica.propose({ kind: "segmentOffloaded", segmentId: id, firstIndex, entries, copy }),
  );
  await new Bucket(world, old).run((to) => to.tail());
  // Deleted with the manifests that knew it, while the manifest that is restored holds the one before.
  expect(world.objects.has(key)).toBe(false);
  const { store } = await world.revived();
  expect(old.node.state.segments.byId(id)?.cold?.key).toBe(key);
  expect(store.node.state.segments.byId(id)?.cold).toEqual(cold);
  expect(manifests).toHaveLength(2);
});
