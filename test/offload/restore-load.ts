/**
 * What a store goes through before it is lost, drawn from a seed: objects of every kind of body, overwrites,
 * versions, markers, tags, settings, uploads open, completed and aborted, deletions. And everything that can
 * be told of a store: all its rows, and the bytes behind each object.
 */
import { createHash } from "node:crypto";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { NULL_VERSION, parseVersionId } from "../../src/state/version-id.ts";
import { describeStore } from "../golden/describe-store.ts";
import { bodyOf, completeInput, createUpload, md5, put, putPart, remove } from "../service/service-world.ts";
import { SimRandom } from "../sim/sim-random.ts";
import type { SimStore } from "../sim/sim-store.ts";

const KEYS = 40;
const TAGS = [["team", "ice"]] as const;

type Load = {
  readonly service: StoreService;
  readonly random: SimRandom;
  readonly open: Map<string, string>;
};

/** Each step is one call of a client; `after` is told when it was answered. Not driven by itself. */
export async function load(
  { service }: Pick<SimStore, "service">,
  how: { readonly seed: string; readonly steps: number; readonly after?: () => void },
): Promise<void> {
  const random = new SimRandom(how.seed);
  const world: Load = { service, random, open: new Map() };
  if (service.buckets.find("b") === undefined) await makeBuckets(service);
  for (let at = 0; at < how.steps; at++) {
    await random.pick(STEPS)(world, `${how.seed}/${at}`);
    how.after?.();
  }
}

async function makeBuckets(service: StoreService): Promise<void> {
  for (const name of ["b", "versioned"]) {
    await service.buckets.create({ name, owner: "root", location: "" });
  }
  await service.versions.setVersioning("versioned", "Enabled");
  await service.buckets.putSetting("b", "tagging", "<Tagging/>");
}

type Step = (load: Load, name: string) => Promise<unknown>;

function keyOf({ random }: Load): string {
  return `key-${random.below(KEYS)}`;
}

const putSmall: Step = ({ service, random, ...rest }) =>
  put(service, keyOf({ service, random, ...rest }), random.bytes(random.between(0, 3000)));

const putInChunks: Step = (world) => put(world.service, keyOf(world), world.random.bytes(70_000));

const putVersion: Step = (world) =>
  put(world.service, keyOf(world), world.random.bytes(400), { bucket: "versioned" });

const putTagged: Step = async ({ service, random }, name) => {
  const bytes = random.bytes(300);
  const rest = { etag: md5(bytes), attributes: NO_ATTRIBUTES, condition: { kind: "none" } } as const;
  const body = await bodyOf(service, bytes);
  return await service.objects.put({ bucket: "b", key: `tagged/${name}`, ...rest, body, tags: TAGS });
};

const removeOne: Step = (world) => remove(world.service, keyOf(world));

const markDeleted: Step = (world) => remove(world.service, keyOf(world), { bucket: "versioned" });

const removeVersion: Step = async (world) => {
  const { service, random } = world;
  const from = { key: keyOf(world) };
  const cursor = await service.versions.list({ bucket: "versioned", prefix: "", from });
  const listed = (await cursor?.next(5)) ?? [];
  await cursor?.close();
  if (listed.length === 0) return;
  const { key, versionId } = random.pick(listed);
  await service.versions.delete({
    bucket: "versioned",
    key,
    version: parseVersionId(versionId) ?? NULL_VERSION,
  });
};

const startUpload: Step = async ({ service, random, open }, name) => {
  const key = `upload/${name}`;
  const uploadId = await createUpload(service, key);
  open.set(uploadId, key);
  await putPart(service, uploadId, 1, random.bytes(66_000));
};

const addPart: Step = async ({ service, random, open }) => {
  const [uploadId] = open.keys();
  if (uploadId === undefined) return;
  await putPart(service, uploadId, random.between(2, 9), random.bytes(500));
};

const endUpload: Step = async ({ service, random, open }, name) => {
  if (open.size < 3) return;
  const [found] = open;
  const [uploadId, key] = found ?? ["", ""];
  open.delete(uploadId);
  if (random.chance(0.5)) return void (await service.uploads.abort({ bucket: "b", key, uploadId }));
  const part = await putPart(service, uploadId, 1, Buffer.from(name));
  await service.uploads.complete(completeInput(key, uploadId, [part]));
};

const STEPS: readonly Step[] = [
  putSmall,
  putSmall,
  putSmall,
  putSmall,
  putSmall,
  putInChunks,
  putVersion,
  putVersion,
  putTagged,
  removeOne,
  markDeleted,
  removeVersion,
  startUpload,
  addPart,
  endUpload,
];

/** Of this one node, and not of what is in the store. */
const OWN = ["mark/", "condemned/", "meta/", "stage/", "reap/", "segment/"];

/** Every row but those. */
export async function rowsOf({
  node,
}: Pick<SimStore, "node">): Promise<{ readonly keys: readonly string[]; readonly digest: string }> {
  const digest = createHash("sha256");
  const keys: string[] = [];
  const iterator = await node.index.iterate({ from: "", to: "\u{10ffff}" });
  try {
    for (;;) {
      const page = await iterator.next(1000);
      if (page.length === 0) break;
      for (const [key, value] of page) {
        if (OWN.some((prefix) => key.startsWith(prefix))) continue;
        keys.push(key);
        digest.update(key).update("\0").update(value);
      }
    }
  } finally {
    await iterator.close();
  }
  return { keys, digest: digest.digest("hex") };
}

/** Every row, and the bytes behind every object, past the cache. */
export async function contentsOf(store: SimStore): Promise<unknown> {
  const { node, service } = store;
  node.cache.clear();
  const rows = await rowsOf(store);
  const segments = node.state.segments.all.map(({ id, firstIndex, liveBytes }) => [
    id,
    firstIndex,
    liveBytes,
  ]);
  const live = segments.filter(([, , liveBytes]) => liveBytes !== 0);
  return { store: await describeStore(service), rows, live };
}
