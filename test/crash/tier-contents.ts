/**
 * What is in a store, as far as tier crashes compare it: every row behind everything that clients can see,
 * and the bytes of every object and version, read past the cache. And a client that goes on writing into a
 * bucket of its own, which is held against what it was told instead.
 */
import { createHash } from "node:crypto";
import type { FoundObject } from "../../src/service/api.ts";
import { parseVersionId } from "../../src/state/version-id.ts";
import { put, remove } from "../service/service-world.ts";
import type { SimRandom } from "../sim/sim-random.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { readBody } from "./workload-client.ts";

/** Where the client writes. */
export const BUSY = "busy";
const PAGE = 1000;
/** Of one node, or of the way that something came to its end. */
const UNSEEN = /^(mark|condemned|meta|stage|reap|segment)\//;

export type Contents = { readonly rows: string; readonly keys: readonly string[]; readonly objects: object };

/** Of everything but the bucket of the client. */
export async function contentsOf({ node, service }: SimStore): Promise<Contents> {
  node.cache.clear();
  const busy = node.state.buckets.find(BUSY)?.row.id.toString(36).padStart(6, "0");
  const isBusy = (key: string): boolean => key === `bucket/${BUSY}` || key.split("/", 2)[1] === busy;
  const digest = createHash("sha256");
  const keys: string[] = [];
  const iterator = await node.index.iterate({ from: "", to: "~" });
  for (;;) {
    const page = await iterator.next(PAGE);
    if (page.length === 0) break;
    for (const [key, value] of page) {
      if (UNSEEN.test(key) || isBusy(key)) continue;
      keys.push(key);
      digest.update(key).update("\0").update(value);
    }
  }
  await iterator.close();
  return { rows: digest.digest("hex"), keys, objects: await objectsOf({ node, service }) };
}

async function objectsOf({ service }: Pick<SimStore, "node" | "service">): Promise<object> {
  const objects: Record<string, string> = {};
  const digestOf = async (found: FoundObject): Promise<string> =>
    createHash("sha256")
      .update(await readBody(service, found))
      .digest("hex");
  const { buckets } = await service.buckets.list({ prefix: "", after: "", limit: PAGE });
  for (const { name } of buckets) {
    if (name === BUSY) continue;
    const cursor = await service.objects.list({ bucket: name, prefix: "", from: "" });
    for (const { key } of (await cursor?.next(PAGE)) ?? []) {
      const found = await service.objects.find(`${name}/${key}`);
      objects[`${name}/${key}`] = found === undefined ? "gone" : await digestOf(found);
    }
    await cursor?.close();
    const versions = await service.versions.list({ bucket: name, prefix: "", from: { key: "" } });
    for (const { key, versionId } of (await versions?.next(PAGE)) ?? []) {
      const version = parseVersionId(versionId);
      if (version === undefined) continue;
      const found = await service.versions.find({ bucket: name, key, version });
      const told = found.kind === "object" ? await digestOf(found.object) : found.kind;
      objects[`${name}/${key}?${versionId}`] = told;
    }
    await versions?.close();
  }
  return objects;
}

/** One write; entries above `after` and up to `index` are it, and nothing else that anybody sees. */
type Write = {
  readonly key: string;
  readonly bytes: Buffer | undefined;
  readonly after: number;
  index: number | undefined;
};

/** Puts, puts again and deletes, one after the other. */
export class BusyClient {
  readonly writes: Write[] = [];
  #answered = 0;

  get answered(): number {
    return this.#answered;
  }

  /** Not driven by itself. */
  async write({ service, node }: SimStore, random: SimRandom): Promise<void> {
    const key = `busy-${random.below(12)}`;
    const isThere = this.writes.findLast((write) => write.key === key)?.bytes !== undefined;
    const bytes = isThere && random.chance(0.3) ? undefined : random.bytes(random.between(200, 3000));
    const write: Write = { key, bytes, after: node.replica.appliedIndex, index: undefined };
    this.writes.push(write);
    if (bytes === undefined) await remove(service, key, { bucket: BUSY });
    else await put(service, key, bytes, { bucket: BUSY });
    write.index = node.replica.appliedIndex;
    this.#answered++;
  }

  /**
   * What is wrong in a store that ends with entry `index`, if that is given, or else right after so many of
   * the writes were begun, and so many answered.
   */
  async check(
    { service, node }: SimStore,
    end: { readonly begun: number; readonly answered: number; readonly index?: number },
  ): Promise<readonly string[]> {
    node.cache.clear();
    const wrong: string[] = [];
    for (const [key, allowed] of this.#allowed(end)) {
      const found = await service.objects.find(`${BUSY}/${key}`);
      const bytes = found === undefined ? undefined : await readBody(service, found);
      const fits = allowed.some((other) => (bytes === undefined ? other === bytes : other?.equals(bytes)));
      if (!fits) wrong.push(`${BUSY}/${key} is ${bytes === undefined ? "not there" : "another"}`);
    }
    return wrong;
  }

  #allowed({
    begun,
    answered,
    index = Infinity,
  }: {
    readonly begun: number;
    readonly answered: number;
    readonly index?: number;
  }): ReadonlyMap<string, readonly (Buffer | undefined)[]> {
    const allowed = new Map<string, (Buffer | undefined)[]>();
    for (const [at, write] of this.writes.slice(0, begun).entries()) {
      const before = allowed.get(write.key) ?? [undefined];
      if (write.after >= index) allowed.set(write.key, before);
      else if (at < answered && (write.index ?? Infinity) <= index) allowed.set(write.key, [write.bytes]);
      else allowed.set(write.key, [...before, write.bytes]);
    }
    return allowed;
  }
}
