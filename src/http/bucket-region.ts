/**
 * Where a bucket says it is: where its creator wanted it, else in the region of this server. Requests may be
 * signed for any region.
 */
import type { BucketInfo } from "../service/api.ts";
import type { Exchange } from "./exchange.ts";

export function bucketRegion(exchange: Exchange, bucket: BucketInfo): string {
  return bucket.location === "" ? exchange.edge.options.region : bucket.location;
}
