/** A machine whose segments have copies in a cold store, put and proposed by hand: each step when asked. */
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { SpaceWorld, smallSpace } from "./space-world.ts";

export class LocalWorld {
  readonly space: SpaceWorld;
  readonly cold: SimColdStore;
  /** What the floor may not pass; changes while a node runs. */
  readonly tier = { uploadedThroughSegment: Infinity };

  constructor(livePercentMin = 0) {
    this.space = new SpaceWorld(smallSpace({ livePercentMin }));
    const { disk, clock } = this.space.machine;
    this.cold = new SimColdStore({ disk, clock });
    this.space.options = { tier: this.tier, cold: this.cold };
  }

  keyOf(id: number): string {
    return `cluster/lineage/segments/${id}.seg`;
  }

  /** One object for ever in each of the first segments, and a floor above them. */
  async filled(): Promise<SimStore> {
    const store = await this.space.openWithBucket();
    for (let at = 0; at < 6; at++) {
      await this.space.write(store, `kept-${at}`);
      await this.space.overwrite(store, 20, 1);
    }
    await this.space.overwrite(store, 40, 10);
    return store;
  }

  async offload(store: SimStore, id: number): Promise<void> {
    await offloadTo(this, store, id);
  }

  free(store: SimStore, id: number): Promise<boolean> {
    return this.space.run(store.node.local.free(id));
  }

  recall(store: SimStore, id: number): Promise<boolean> {
    return this.space.run(store.node.local.recall(id, (path) => this.fetch(id, path)));
  }

  async fetch(id: number, path: string): Promise<void> {
    const bytes = await this.cold.get(this.keyOf(id));
    const file = await this.space.machine.disk.open(path, "write");
    await file.write(bytes, 0);
    await file.close();
  }

  async files(): Promise<readonly string[]> {
    return await this.space.names("log");
  }

  nameOf(id: number): string {
    return `${String(id).padStart(10, "0")}.seg`;
  }
}

/** Puts the file as it is, and has the state know. */
export async function offloadTo(
  world: {
    readonly cold: SimColdStore;
    readonly keyOf: (id: number) => string;
    readonly space: { readonly run: <Result>(work: Promise<Result>) => Promise<Result> };
  },
  { node }: Pick<SimStore, "node">,
  id: number,
): Promise<void> {
  const key = world.keyOf(id);
  const work = node.local.withFile(id, async ({ path, kind }) => {
    const stored = await world.cold.putFile(key, path, { kind: kind === "packed" ? "packed" : "segment" });
    return { kind, key, ...stored };
  });
  const copy = await world.space.run(work);
  const row = node.state.segments.byId(id);
  if (copy === undefined || row === undefined) throw new Error(`segment ${id} is not here`);
  const { firstIndex, entries } = row;
  const command = { kind: "segmentOffloaded", segmentId: id, firstIndex, entries, copy } as const;
  await world.space.run(node.replica.propose(command));
}
