/**
 * ListBuckets: those of whoever asks, in pages if max-buckets asks for them.
 */
import { encodeContinuationToken, parseListBuckets } from "../../s3/list-parameters.ts";
import { listBucketsXml } from "../../s3/list-xml.ts";
import type { BucketInfo } from "../../service/api.ts";
import { answerXml } from "../answer.ts";
import { bucketRegion } from "../bucket-region.ts";
import type { Exchange } from "../exchange.ts";
import { ownerOf } from "../owner-of.ts";

const READ_MAX = 1000;

type Wanted = { readonly prefix: string; readonly after: string; readonly limit: number };

/** One more than wanted, if there is one: it says that the page is not the last. */
async function ownBuckets(
  exchange: Exchange,
  wanted: Wanted,
  region: string | undefined,
): Promise<BucketInfo[]> {
  const { edge, identity } = exchange;
  const found: BucketInfo[] = [];
  let { after } = wanted;
  for (let isTruncated = true; isTruncated && found.length <= wanted.limit;) {
    const page = await edge.service.buckets.list({ prefix: wanted.prefix, after, limit: READ_MAX });
    for (const bucket of page.buckets) {
      const isOwn = bucket.owner === identity.accountId;
      if (isOwn && (region === undefined || bucketRegion(exchange, bucket) === region)) found.push(bucket);
      after = bucket.name;
    }
    isTruncated = page.truncated;
  }
  return found;
}

export async function listBuckets(exchange: Exchange): Promise<void> {
  const { prefix, after, maxBuckets, bucketRegion: region } = parseListBuckets(exchange.target.query);
  const found = await ownBuckets(exchange, { prefix, after, limit: maxBuckets }, region);
  const shown = found.slice(0, maxBuckets);
  const last = shown.at(-1);
  const hasMore = found.length > shown.length && last !== undefined;
  const xml = listBucketsXml({
    owner: ownerOf(exchange),
    buckets: shown.map((bucket) => ({
      name: bucket.name,
      createdMs: bucket.createdMs,
      region: bucketRegion(exchange, bucket),
    })),
    prefix: prefix === "" ? undefined : prefix,
    continuationToken: hasMore ? encodeContinuationToken(last.name) : undefined,
  });
  answerXml(exchange, xml);
}
