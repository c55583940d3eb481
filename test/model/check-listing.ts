/**
 * Listings: every page, held together, is what the model shows; no page is larger than asked for, and none
 * but the last is smaller.
 */
import { same, unquote } from "./compare.ts";
import type { Asked } from "./compare.ts";
import type { ReferenceModel } from "./reference-model.ts";
import type { Listed } from "./vocabulary.ts";
import { elementsOf, textOf } from "./s3-client.ts";
import type { Call, Reply, S3Client } from "./s3-client.ts";

export type Listing = {
  readonly how: "V1" | "V2" | "versions";
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly pageMax: number;
};

type Shown = Readonly<Record<string, string | undefined>>;
type Query = Record<string, string | undefined>;

/** The first one of a listing; what later ones add is in `nextQuery`. */
function firstQuery(listing: Listing): Query {
  const { how, prefix, delimiter, after, pageMax } = listing;
  const common = {
    prefix: prefix === "" ? undefined : prefix,
    delimiter: delimiter === "" ? undefined : delimiter,
    "max-keys": String(pageMax),
  };
  const from = after === "" ? undefined : after;
  switch (how) {
    case "V1":
      return { ...common, marker: from };
    case "V2":
      return { ...common, "list-type": "2", "start-after": from };
    case "versions":
      return { ...common, versions: "", "key-marker": from };
    default:
      return how satisfies never;
  }
}

function nextQuery(listing: Listing, query: Query, xml: string): Query {
  switch (listing.how) {
    case "V1": {
      // Without a delimiter S3 leaves it to the client to take the last key.
      const last = textOf(elementsOf(xml, "Contents").at(-1) ?? "", "Key");
      return { ...query, marker: textOf(xml, "NextMarker") ?? last };
    }
    case "V2":
      return { ...query, "continuation-token": textOf(xml, "NextContinuationToken") };
    case "versions": {
      const marker = textOf(xml, "NextVersionIdMarker");
      return { ...query, "key-marker": textOf(xml, "NextKeyMarker"), "version-id-marker": marker };
    }
    default:
      return listing.how satisfies never;
  }
}

function shownObject(xml: string): Shown {
  return { key: textOf(xml, "Key"), size: textOf(xml, "Size"), etag: unquote(textOf(xml, "ETag")) };
}

function shownVersion(xml: string): Shown {
  return { ...shownObject(xml), name: textOf(xml, "VersionId"), isLatest: textOf(xml, "IsLatest") };
}

function wantedObject({ key, version }: Listed): Shown {
  return { key, size: String(version.body.length), etag: version.etag };
}

function wantedVersion(listed: Listed): Shown {
  const { version, key } = listed;
  const object = version.isMarker ? { key, size: undefined, etag: undefined } : wantedObject(listed);
  return { ...object, name: version.name, isLatest: String(listed.isLatest) };
}

/** Versions and markers are mixed, and their order says which is older. */
function entriesOf(listing: Listing, xml: string): readonly Shown[] {
  if (listing.how !== "versions") return elementsOf(xml, "Contents").map(shownObject);
  const pattern = /<(Version|DeleteMarker)>([\s\S]*?)<\/\1>/g;
  return [...xml.matchAll(pattern)].map(([, , inner = ""]) => shownVersion(inner));
}

/** A rename and a quiet DeleteObjects do not tell of the markers that they leave. */
function learnNames(wanted: readonly Listed[], entries: readonly Shown[]): void {
  for (const [at, { version }] of wanted.entries()) version.name ??= entries[at]?.["name"];
}

export async function checkListing(client: S3Client, model: ReferenceModel, listing: Listing): Promise<void> {
  const { bucket, pageMax } = listing;
  const wanted = model.list(bucket, { ...listing, ofVersions: listing.how === "versions" });
  const entries: Shown[] = [];
  const groups: (string | undefined)[] = [];
  const total = wanted.contents.length + wanted.commonPrefixes.length;
  let query = firstQuery(listing);
  for (let page = 1; ; page++) {
    const call: Call = { method: "GET", bucket, query };
    const reply: Reply = await client.send(call);
    const asked: Asked = { call, reply };
    if (model.bucket(bucket) === undefined) return same(asked, "the status", reply.status, 404);
    same(asked, "the status", reply.status, 200);
    const xml = reply.body.toString("utf8");
    entries.push(...entriesOf(listing, xml));
    groups.push(...elementsOf(xml, "CommonPrefixes").map((inner) => textOf(inner, "Prefix")));
    const isTruncated = total > page * pageMax;
    same(asked, "IsTruncated", textOf(xml, "IsTruncated"), String(isTruncated));
    same(asked, "entries so far", entries.length + groups.length, Math.min(total, page * pageMax));
    if (!isTruncated) {
      learnNames(wanted.contents, entries);
      const want = listing.how === "versions" ? wantedVersion : wantedObject;
      same(asked, "the entries", entries, wanted.contents.map(want));
      return same(asked, "the common prefixes", groups, wanted.commonPrefixes);
    }
    query = nextQuery(listing, query, xml);
  }
}
