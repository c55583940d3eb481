/** Everything that a bucket shows to a client, bodies by their digests: what has to be equal after a loss. */
import { createHash } from "node:crypto";
import {
  GetObjectTaggingCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  ListPartsCommand,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import type { ObjectVersion, S3Client } from "@aws-sdk/client-s3";
import { inParallel } from "./tier-server.ts";
import type { TierServer } from "./tier-server.ts";

const PAGE_KEYS = 300;

type VersionFacts = {
  readonly key: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly etag: string;
  readonly bytes: number;
  readonly modified: string;
  readonly storageClass: string | undefined;
  /** SHA-256 of the body as it was read. */
  readonly sha256: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: string | null;
};

export type BucketFacts = {
  /** As ListObjectsV2 shows it. */
  readonly current: readonly string[];
  readonly versions: readonly VersionFacts[];
  readonly markers: readonly string[];
  /** With their parts. */
  readonly uploads: readonly string[];
};

export async function describeBucket(server: TierServer, bucket: string): Promise<BucketFacts> {
  const { versions, markers } = await listVersions(server.s3, bucket);
  const facts: VersionFacts[] = [];
  await inParallel(versions.length, async (at) => {
    facts[at] = await describeVersion(server, bucket, versions[at] as ObjectVersion);
  });
  return {
    current: await listCurrent(server.s3, bucket),
    versions: facts,
    markers,
    uploads: await listUploads(server.s3, bucket),
  };
}

async function describeVersion(
  { call, s3 }: TierServer,
  bucket: string,
  version: ObjectVersion,
): Promise<VersionFacts> {
  const { Key: key = "", VersionId: versionId = "", ETag: etag = "", Size: bytes = -1 } = version;
  const path = `/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
  const answer = await call("GET", path, { query: { versionId } });
  const body = Buffer.from(await answer.arrayBuffer());
  if (!answer.ok) throw new Error(`${path} ${versionId}: ${answer.status} ${body.toString()}`);
  const hasTags = answer.headers.has("x-amz-tagging-count");
  const { TagSet = [] } = hasTags
    ? await s3.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: key, VersionId: versionId }))
    : {};
  return {
    ...{ key, versionId, etag, bytes },
    isLatest: version.IsLatest === true,
    modified: version.LastModified?.toISOString() ?? "",
    storageClass: version.StorageClass,
    sha256: createHash("sha256").update(body).digest("hex"),
    tags: Object.fromEntries(TagSet.map(({ Key, Value }) => [Key, Value])) as Record<string, string>,
    metadata: answer.headers.get("x-amz-meta-name"),
  };
}

async function listCurrent(s3: S3Client, Bucket: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { Contents = [] } of paginateListObjectsV2(
    { client: s3, pageSize: PAGE_KEYS },
    { Bucket },
  )) {
    for (const { Key, ETag, Size, LastModified, StorageClass } of Contents) {
      lines.push(`${Key} ${ETag} ${Size} ${LastModified?.toISOString()} ${StorageClass}`);
    }
  }
  return lines;
}

async function listVersions(
  s3: S3Client,
  Bucket: string,
): Promise<{ readonly versions: readonly ObjectVersion[]; readonly markers: readonly string[] }> {
  const versions: ObjectVersion[] = [];
  const markers: string[] = [];
  let from: { readonly KeyMarker?: string | undefined; readonly VersionIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: PAGE_KEYS, ...from }));
    versions.push(...(page.Versions ?? []));
    for (const { Key, VersionId, IsLatest, LastModified } of page.DeleteMarkers ?? []) {
      markers.push(`${Key} ${VersionId} ${IsLatest} ${LastModified?.toISOString()}`);
    }
    if (page.IsTruncated !== true) return { versions, markers };
    from = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}

/** Far fewer than one page of them. */
async function listUploads(s3: S3Client, Bucket: string): Promise<readonly string[]> {
  const { Uploads = [], IsTruncated } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  if (IsTruncated === true) throw new Error(`more than a page of uploads in ${Bucket}`);
  const lines: string[] = [];
  for (const { Key, UploadId } of Uploads) {
    const { Parts = [] } = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    const parts = Parts.map(({ PartNumber, ETag, Size }) => `${PartNumber}:${ETag}:${Size}`);
    lines.push([Key, UploadId, ...parts].join(" "));
  }
  return lines;
}
