/**
 * One machine per test: a simulated disk and clock, a store on them, and short words for putting and getting.
 */
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { openSimStore } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { md5 } from "./recorded-client.ts";
import { readBody } from "./workload-client.ts";

export class SimWorld {
  readonly clock = new SimClock();
  /** Of each effect of the disk; may be changed at any time. */
  latencyMs = 0.1;
  readonly disk = new SimDisk({ latency: () => this.clock.sleep(this.latencyMs) });
  readonly random = new SimRandom("world");

  async open(changes: Partial<StorageNodeOptions> = {}): Promise<SimStore> {
    return await this.clock.run(openSimStore(this, changes));
  }

  /** With one bucket, `b`. */
  async openWithBucket(changes: Partial<StorageNodeOptions> = {}): Promise<SimStore> {
    const store = await this.open(changes);
    await this.clock.run(store.service.buckets.create({ name: "b", owner: "root", location: "" }));
    return store;
  }

  async close({ node }: SimStore): Promise<void> {
    await this.clock.run(node.close());
  }

  /** Not awaited: the clock has to run for it. */
  put({ service }: SimStore, key: string, bytes: Buffer): Promise<string> {
    return service.objects
      .put({
        bucket: "b",
        key,
        etag: md5(bytes),
        attributes: NO_ATTRIBUTES,
        body: { kind: "bytes", bytes: Buffer.from(bytes) },
        condition: { kind: "none" },
      })
      .then(({ kind }) => kind);
  }

  async get({ service }: SimStore, key: string): Promise<Buffer | undefined> {
    return await this.clock.run(
      (async () => {
        const found = await service.objects.find(`b/${key}`);
        return found === undefined ? undefined : await readBody(service, found);
      })(),
    );
  }

  /** The name of the error that `work` ends with, or what it resolves to. */
  async outcome(work: Promise<unknown>): Promise<unknown> {
    return await this.clock.run(
      work.catch((error: unknown) => (error instanceof Error ? error.name : String(error))),
    );
  }

  bytes(size: number): Buffer {
    return this.random.bytes(size);
  }
}
