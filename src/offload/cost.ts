/**
 * What the cold tier costs: requests and bytes by kind of object, times prices that anybody can replace. And
 * what the same objects would have cost one by one, which is what this store is there to save. Money is in
 * dollars and not rounded; requests and transfer are of the time that was counted, storage is for a month.
 */
import type { ColdKind } from "../ports/cold-store.ts";

/** In dollars. */
export type Prices = {
  /** Whose prices, and as of when: shown beside every figure. */
  readonly name: string;
  /** PUT, COPY, POST and LIST. */
  readonly per1000Writes: number;
  /** GET, HEAD and everything else. */
  readonly per1000Reads: number;
  readonly per1000Deletes: number;
  /** For a GiB and a month, cheaper above each bound; the last one has none. */
  readonly storage: readonly { readonly upToGib: number; readonly perGibMonth: number }[];
  readonly perGibIn: number;
  readonly perGibOut: number;
};

const TIB_IN_GIB = 1024;

/** List prices, without taxes, free tier or agreements; transfer as within the region. */
export const S3_STANDARD_US_EAST_1: Prices = {
  name: "S3 Standard list prices, us-east-1, as known in November 2026, transfer within the region",
  per1000Writes: 0.005,
  per1000Reads: 0.0004,
  per1000Deletes: 0,
  storage: [
    { upToGib: 50 * TIB_IN_GIB, perGibMonth: 0.023 },
    { upToGib: 500 * TIB_IN_GIB, perGibMonth: 0.022 },
    { upToGib: Infinity, perGibMonth: 0.021 },
  ],
  perGibIn: 0,
  perGibOut: 0,
};

/** What somebody else pays; the list price where nothing is said. One price for all storage. */
export type PriceChange = {
  readonly thousandWrites?: number | undefined;
  readonly thousandReads?: number | undefined;
  readonly thousandDeletes?: number | undefined;
  readonly gibMonth?: number | undefined;
  readonly gibIn?: number | undefined;
  readonly gibOut?: number | undefined;
};

export function pricesWith(list: Prices, change: PriceChange): Prices {
  const { thousandWrites, thousandReads, thousandDeletes, gibMonth, gibIn, gibOut } = change;
  const isChanged = Object.values(change).some((price) => price !== undefined);
  return {
    name: isChanged ? `prices that were set; where none were, ${list.name}` : list.name,
    per1000Writes: thousandWrites ?? list.per1000Writes,
    per1000Reads: thousandReads ?? list.per1000Reads,
    per1000Deletes: thousandDeletes ?? list.per1000Deletes,
    storage: gibMonth === undefined ? list.storage : [{ upToGib: Infinity, perGibMonth: gibMonth }],
    perGibIn: gibIn ?? list.perGibIn,
    perGibOut: gibOut ?? list.perGibOut,
  };
}

export type Usage = {
  readonly puts: number;
  readonly gets: number;
  readonly heads: number;
  readonly lists: number;
  readonly deletes: number;
  /** Sent and received. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What lies there now. */
  readonly storedBytes: number;
};

export const NO_USAGE: Usage = {
  puts: 0,
  gets: 0,
  heads: 0,
  lists: 0,
  deletes: 0,
  bytesIn: 0,
  bytesOut: 0,
  storedBytes: 0,
};

export type Cost = {
  readonly requests: number;
  readonly transfer: number;
  readonly storagePerMonth: number;
};

/** `other`: what is about no object, or not about one of ours. */
export type UsageKind = ColdKind | "other";
export const USAGE_KINDS: readonly UsageKind[] = [
  "segment",
  "packed",
  "snapshot",
  "tail",
  "manifest",
  "other",
];
export type UsageByKind = { readonly [Kind in UsageKind]: Usage };

export type CostReport = {
  readonly prices: string;
  readonly byKind: { readonly [Kind in UsageKind]: Usage & Pick<Cost, "requests" | "transfer"> };
  readonly total: Usage & Cost;
  readonly oneByOne: Usage & Cost;
  /** How many times cheaper the requests were; `undefined` where none were made. */
  readonly timesCheaper: number | undefined;
};

const GIB = 1024 ** 3;

export function costOf(usage: Usage, prices: Prices): Cost {
  const writes = usage.puts + usage.lists;
  const reads = usage.gets + usage.heads;
  return {
    requests:
      (writes * prices.per1000Writes + reads * prices.per1000Reads + usage.deletes * prices.per1000Deletes) /
      1000,
    transfer: (usage.bytesIn * prices.perGibIn + usage.bytesOut * prices.perGibOut) / GIB,
    storagePerMonth: storageCost(usage.storedBytes / GIB, prices),
  };
}

/** `objects`: what clients did, counted as if each request of theirs had gone to the bucket. */
export function costReport(usage: UsageByKind, objects: Usage, prices: Prices): CostReport {
  const sum = USAGE_KINDS.map((kind) => usage[kind]).reduce(added, NO_USAGE);
  const total = { ...sum, ...costOf(sum, prices) };
  const oneByOne = { ...objects, ...costOf(objects, prices) };
  const of = (kind: UsageKind): CostReport["byKind"][UsageKind] => {
    const { requests, transfer } = costOf(usage[kind], prices);
    return { ...usage[kind], requests, transfer };
  };
  return {
    prices: prices.name,
    byKind: {
      segment: of("segment"),
      packed: of("packed"),
      snapshot: of("snapshot"),
      tail: of("tail"),
      manifest: of("manifest"),
      other: of("other"),
    },
    total,
    oneByOne,
    timesCheaper: total.requests === 0 ? undefined : oneByOne.requests / total.requests,
  };
}

export function added(one: Usage, other: Usage): Usage {
  return {
    puts: one.puts + other.puts,
    gets: one.gets + other.gets,
    heads: one.heads + other.heads,
    lists: one.lists + other.lists,
    deletes: one.deletes + other.deletes,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    storedBytes: one.storedBytes + other.storedBytes,
  };
}

/** Each price is for what lies between two bounds, not for all. */
function storageCost(gib: number, { storage }: Prices): number {
  let below = 0;
  let cost = 0;
  for (const { upToGib, perGibMonth } of storage) {
    cost += Math.max(0, Math.min(gib, upToGib) - below) * perGibMonth;
    below = upToGib;
  }
  return cost;
}
