/**
 * One client of a workload with a bucket that keeps versions: puts, deletes, removes versions and switches
 * between Enabled and Suspended. A version's id is known once its write is acknowledged; what never was may
 * be there after a crash without anybody knowing it.
 */
import type { Service } from "../../src/service/api.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { parseVersionId } from "../../src/state/version-id.ts";
import type { OperationLog } from "../sim/disk-operation.ts";
import { SimRandom } from "../sim/sim-random.ts";
import type { StoreModel, VersionState } from "./object-model.ts";
import { md5 } from "./recorded-client.ts";
import type { RecordedClient } from "./recorded-client.ts";

export const VERSIONED_BUCKET = "versioned";
const KEYS = ["v", "v/1", "v\u{1f600}"];
const NO_CONDITION = { kind: "none" } as const;
const NULL = "null";

export type VersionedParts = {
  readonly service: Service;
  readonly model: StoreModel;
  readonly log: OperationLog;
  readonly calls: RecordedClient;
  readonly random: SimRandom;
  readonly name: string;
};

export class VersionedClient {
  readonly #parts: VersionedParts;
  #bodies = 0;

  constructor(parts: VersionedParts) {
    this.#parts = parts;
  }

  async run(steps: number): Promise<void> {
    const { service, random } = this.#parts;
    for (let step = 0; step < steps; step++) {
      const bucket = service.buckets.find(VERSIONED_BUCKET);
      const draw = random.below(100);
      if (bucket === undefined) {
        await service.buckets.create({ name: VERSIONED_BUCKET, owner: "root", location: "" });
      } else if (bucket.versioning === undefined || draw < 8) {
        const versioning = bucket.versioning === "Enabled" ? "Suspended" : "Enabled";
        await service.versions.setVersioning(VERSIONED_BUCKET, versioning);
      } else if (draw < 55) await this.#put(bucket.versioning === "Suspended");
      else if (draw < 70) await this.#delete(bucket.versioning === "Suspended");
      else await this.#removeVersion();
    }
  }

  #history(key: string, id: string) {
    return this.#parts.model.versions.of(`${key}?${id}`);
  }

  /** Runs a write; the version that it makes is `state`, called null or as the answer says. */
  async #write(
    key: string,
    options: { readonly isNull: boolean; readonly state: VersionState },
    work: () => Promise<string | undefined>,
  ): Promise<void> {
    const { log } = this.#parts;
    const started = log.length;
    const early = options.isNull ? this.#history(key, NULL).begin(started, options.state) : undefined;
    const id = await work();
    if (id === undefined || (id === NULL) !== options.isNull) throw new Error(`a version called ${id}`);
    const change = early ?? this.#history(key, id).begin(started, options.state);
    change.acknowledged = log.length;
  }

  async #put(isNull: boolean): Promise<void> {
    const { random, service, calls, name } = this.#parts;
    const key = random.pick(KEYS);
    const size = random.pick([0, 200, 3000, 90_000]);
    const bytes = new SimRandom(`${name} ${this.#bodies++}`).bytes(size);
    const etag = md5(bytes);
    const target = { bucket: VERSIONED_BUCKET, key };
    const body = await calls.body({ ...target, bytes, chunkBytes: size > 65_536 ? 40_000 : 0 });
    await this.#write(key, { isNull, state: { etag, bytes } }, async () => {
      const input = { ...target, etag, attributes: NO_ATTRIBUTES, body, condition: NO_CONDITION };
      const outcome = await service.objects.put(input);
      return outcome.kind === "put" ? outcome.versionId : undefined;
    });
  }

  async #delete(isNull: boolean): Promise<void> {
    const { random, service } = this.#parts;
    const key = random.pick(KEYS);
    await this.#write(key, { isNull, state: { etag: undefined, bytes: undefined } }, async () => {
      const target = { bucket: VERSIONED_BUCKET, key, condition: NO_CONDITION };
      const outcome = await service.objects.delete(target);
      return outcome.kind === "deleted" ? outcome.version?.versionId : undefined;
    });
  }

  async #removeVersion(): Promise<void> {
    const { random, service, model, log } = this.#parts;
    const known = [...model.versions.all].filter(([, { current }]) => current !== undefined);
    if (known.length === 0) return;
    const [path, history] = random.pick(known);
    const [key = "", id = ""] = path.split("?");
    const version = parseVersionId(id);
    if (version === undefined) throw new Error(`no version is called ${id}`);
    const change = history.begin(log.length, undefined);
    const outcome = await service.versions.delete({ bucket: VERSIONED_BUCKET, key, version });
    if (outcome.kind !== "deleted") throw new Error(`a version could not be removed: ${outcome.kind}`);
    change.acknowledged = log.length;
  }
}
