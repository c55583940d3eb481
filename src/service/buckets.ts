/** Buckets: made, found, listed and deleted. */
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { BucketTable } from "../state/bucket-table.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import { prefixRange, ranges } from "../state/keys.ts";
import { rows } from "../state/rows.ts";
import type { BucketInfo, BucketService, BucketSettingName } from "./api.ts";
import { unexpected } from "./put-outcome.ts";

export class Buckets implements BucketService {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #index: StateIndex;
  readonly #table: BucketTable;

  constructor(parts: {
    readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
    readonly index: StateIndex;
    readonly buckets: BucketTable;
  }) {
    this.#log = parts.log;
    this.#index = parts.index;
    this.#table = parts.buckets;
  }

  async create(bucket: {
    readonly name: string;
    readonly owner: string;
    readonly location: string;
  }): Promise<{ readonly kind: "created" } | { readonly kind: "exists"; readonly owner: string }> {
    const result = await this.#log.propose({ kind: "createBucket", ...bucket });
    if (result.kind === "bucketExists") return { kind: "exists", owner: result.owner };
    return result.kind === "done" ? { kind: "created" } : unexpected(result);
  }

  async delete(name: string): Promise<{ readonly kind: "deleted" | "noSuchBucket" | "bucketNotEmpty" }> {
    const result = await this.#log.propose({ kind: "deleteBucket", name });
    switch (result.kind) {
      case "done":
        return { kind: "deleted" };
      case "noSuchBucket":
      case "bucketNotEmpty":
        return { kind: result.kind };
      default:
        return unexpected(result);
    }
  }

  find(name: string): BucketInfo | undefined {
    const found = this.#table.find(name);
    if (found === undefined) return undefined;
    const { owner, createdMs, location, versioning } = found.row;
    return { name, owner, createdMs, location, versioning };
  }

  setting(bucket: string, name: BucketSettingName): string | undefined {
    const found = this.#table.find(bucket);
    return found === undefined ? undefined : this.#table.setting(found, name);
  }

  async putSetting(
    bucket: string,
    name: BucketSettingName,
    document: string,
  ): Promise<{ readonly kind: "put" | "noSuchBucket" }> {
    const result = await this.#log.propose({ kind: "putBucketSetting", bucket, name, document });
    if (result.kind === "noSuchBucket") return { kind: "noSuchBucket" };
    return result.kind === "done" ? { kind: "put" } : unexpected(result);
  }

  async deleteSetting(
    bucket: string,
    name: BucketSettingName,
  ): Promise<{ readonly kind: "deleted" | "noSuchBucket" }> {
    const result = await this.#log.propose({ kind: "deleteBucketSetting", bucket, name });
    if (result.kind === "noSuchBucket") return { kind: "noSuchBucket" };
    return result.kind === "done" ? { kind: "deleted" } : unexpected(result);
  }

  async list(query: {
    readonly prefix: string;
    readonly after: string;
    readonly limit: number;
  }): Promise<{ readonly buckets: readonly BucketInfo[]; readonly truncated: boolean }> {
    const start = ranges.buckets.from;
    const { to } = prefixRange(start + query.prefix);
    const afterKey = `${start}${query.after}\0`;
    const prefixKey = start + query.prefix;
    const from = query.after !== "" && afterKey > prefixKey ? afterKey : prefixKey;
    const iterator = await this.#index.iterate({ from, to });
    try {
      const page = await iterator.next(query.limit + 1);
      const buckets = page.slice(0, query.limit).map(([key, value]) => {
        const { owner, createdMs, location, versioning } = rows.bucket.decode(value);
        return { name: key.slice(start.length), owner, createdMs, location, versioning };
      });
      return { buckets, truncated: page.length > query.limit };
    } finally {
      await iterator.close();
    }
  }
}
