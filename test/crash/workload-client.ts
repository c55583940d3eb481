/**
 * One client of a workload: draws what to do next with the names of its own bucket, never two things for one
 * name at a time.
 */
import type { Clock } from "../../src/ports/clock.ts";
import { PART_BYTES_MIN } from "../../src/s3/names.ts";
import type { FoundObject, Service } from "../../src/service/api.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import { SimRandom } from "../sim/sim-random.ts";
import type { StoreModel } from "./object-model.ts";
import type { NewObject, RecordedClient } from "./recorded-client.ts";

const METADATA: readonly Attributes[] = [
  NO_ATTRIBUTES,
  { ...NO_ATTRIBUTES, headers: [["content-type", "text/plain"]] },
  // Too large for the listing row.
  { ...NO_ATTRIBUTES, metadata: [["long", "x".repeat(700)]] },
];

export type ClientParts = {
  readonly random: SimRandom;
  readonly clock: Clock;
  readonly service: Service;
  readonly model: StoreModel;
  readonly name: string;
};

export class WorkloadClient {
  readonly #calls: RecordedClient;
  readonly #parts: ClientParts;
  readonly #bucket: string;
  #bodies = 0;

  constructor(id: number, calls: RecordedClient, parts: ClientParts) {
    this.#bucket = `bucket-${id}`;
    this.#calls = calls;
    this.#parts = parts;
  }

  async run(steps: number): Promise<void> {
    const { random, clock } = this.#parts;
    for (let step = 0; step < steps; step++) {
      if (!this.#hasBucket) await this.#calls.createBucket(this.#bucket);
      await this.#step();
      if (random.chance(0.4)) await clock.sleep(random.pick([1, 20, 450]) * random.fraction());
      if (random.chance(0.01)) await clock.sleep(12_000);
    }
  }

  get #hasBucket(): boolean {
    return this.#parts.model.buckets.of(this.#bucket).current === "exists";
  }

  async #step(): Promise<void> {
    const draw = this.#parts.random.below(100);
    if (draw < 24) await this.#calls.put(this.#object(this.#small()));
    else if (draw < 38) await this.#calls.put(this.#object(this.#small() * 60));
    else if (draw < 50) await this.#calls.put(this.#streamed(this.#key()));
    else if (draw < 58) await this.#putMany();
    else if (draw < 68) await this.#delete();
    else if (draw < 72) await this.#deleteMany();
    else if (draw < 80) await this.#read();
    else if (draw < 83) await this.#list();
    else if (draw < 93) await this.#upload();
    else if (draw < 97) await this.#abandon();
    else await this.#emptyBucket();
  }

  #key(): string {
    const { random } = this.#parts;
    return random.pick(["a", "a/b", "ä\u{ffff}", "ä\u{1f600}", "k%2e", "z z"]) + random.below(3);
  }

  #small(): number {
    const { random } = this.#parts;
    return random.pick([0, 1, 255, 256, 257, random.between(1, 1000)]);
  }

  #object(size: number, key = this.#key()): NewObject {
    const { random, name } = this.#parts;
    const bytes = new SimRandom(`${name} ${this.#bodies++}`).bytes(size);
    return { bucket: this.#bucket, key, bytes, attributes: random.pick(METADATA) };
  }

  #streamed(key: string): NewObject {
    const { random } = this.#parts;
    const huge = random.chance(0.03);
    // More chunks than one row of extents holds.
    if (random.chance(0.02)) return { ...this.#object(110_000, key), chunkBytes: 400 };
    const size = huge ? random.between(2, 4) * 1024 * 1024 + 17 : random.between(1, 250_000);
    const chunkBytes = huge ? 1024 * 1024 : random.pick([20_000, 65_536, 70_000, 200_000]);
    return { ...this.#object(size, key), chunkBytes };
  }

  #keys(): readonly string[] {
    const { random } = this.#parts;
    return [...new Set(Array.from({ length: random.between(2, 6) }, () => this.#key()))];
  }

  async #putMany(): Promise<void> {
    await this.#calls.putMany(this.#keys().map((key) => this.#object(this.#small(), key)));
  }

  async #delete(): Promise<void> {
    await this.#calls.delete(this.#bucket, this.#key());
  }

  async #deleteMany(): Promise<void> {
    await this.#calls.deleteMany(this.#bucket, this.#keys());
  }

  async #read(): Promise<void> {
    const path = `${this.#bucket}/${this.#key()}`;
    const { service, model } = this.#parts;
    const found = await service.objects.find(path);
    const wanted = model.objects.of(path).current;
    if (found?.etag !== wanted?.etag) throw new Error(`${path} shows ${found?.etag}`);
    if (found === undefined || wanted === undefined) return;
    const bytes = await readBody(service, found);
    if (!bytes.equals(wanted.bytes)) throw new Error(`${path} has wrong bytes`);
  }

  /** Also flushes the index. */
  async #list(): Promise<void> {
    const cursor = await this.#parts.service.objects.list({ bucket: this.#bucket, prefix: "", from: "" });
    await cursor?.next(10);
    await cursor?.close();
  }

  async #upload(): Promise<void> {
    const { random } = this.#parts;
    const key = this.#key();
    const attributes = random.pick(METADATA);
    const uploadId = await this.#calls.createUpload(this.#bucket, key, attributes);
    const objects = new Map<number, NewObject>();
    const several = random.chance(0.02);
    for (let part = several ? 2 : 1; part > 0; part--) {
      const number = random.between(1, 4) + part * 10;
      const first = several && part === 1;
      const object = first ? this.#object(PART_BYTES_MIN, key) : this.#streamed(key);
      const chunkBytes = first ? 1024 * 1024 : (object.chunkBytes ?? 0);
      objects.set(number, { ...object, chunkBytes });
      await this.#calls.putPart(uploadId, number, { ...object, chunkBytes });
    }
    // One that will not be chosen, and one that is replaced.
    if (random.chance(0.3)) await this.#calls.putPart(uploadId, 99, this.#object(random.pick([7, 700]), key));
    const end = random.below(10);
    if (end < 2) return;
    if (end < 4) {
      await this.#calls.abort(uploadId);
      return;
    }
    const chosen = [...objects.keys()].toSorted((a, b) => a - b);
    const bytes = Buffer.concat(chosen.map((number) => (objects.get(number) as NewObject).bytes));
    await this.#calls.complete(uploadId, chosen, { bucket: this.#bucket, key, bytes, attributes });
  }

  /** A body that is begun and never named. */
  async #abandon(): Promise<void> {
    const body = await this.#calls.body({ ...this.#streamed(this.#key()), chunkBytes: 60_000 });
    if (body.kind === "written" && this.#parts.random.chance(0.5)) body.writer.abort();
  }

  async #emptyBucket(): Promise<void> {
    const { model } = this.#parts;
    const keys = [...model.objects.all.keys()]
      .filter((path) => path.startsWith(`${this.#bucket}/`))
      .map((path) => path.slice(this.#bucket.length + 1));
    if (keys.length > 0) await this.#calls.deleteMany(this.#bucket, keys);
    await this.#calls.deleteBucket(this.#bucket);
  }
}

export async function readBody(service: Service, found: FoundObject): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const { signal } = new AbortController();
  for await (const piece of service.objects.read(found, { start: 0, end: found.size }, { signal })) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
