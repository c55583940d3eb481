/**
 * What clients did, as if each object had been asked for by itself: what S3 would have charged without a
 * store in front of it. A batch counts as the requests that it stands for, an archive as its objects, a part
 * of an upload as itself. Only what succeeded counts: S3 has prices for some failures too.
 */
import type { Usage } from "../offload/cost.ts";
import type { S3Operation } from "../s3/operations.ts";
import type { OperationCounter } from "./operation-counter.ts";

export type RequestField = "puts" | "gets" | "heads" | "lists" | "deletes";

/** As S3 prices them: what changes a setting is a PUT, what reads one a GET. */
const FIELDS: { readonly [Operation in S3Operation]: RequestField | "bundle" } = {
  PutObject: "puts",
  PostObject: "puts",
  CopyObject: "puts",
  RenameObject: "puts",
  AppendObject: "puts",
  CreateMultipartUpload: "puts",
  UploadPart: "puts",
  UploadPartCopy: "puts",
  CompleteMultipartUpload: "puts",
  CreateBucket: "puts",
  PutBucketVersioning: "puts",
  PutObjectTagging: "puts",
  PutBucketTagging: "puts",
  PutBucketAcl: "puts",
  PutObjectAcl: "puts",
  PutBucketOwnershipControls: "puts",
  PutBucketCors: "puts",
  GetObject: "gets",
  GetObjectAttributes: "gets",
  GetObjectTagging: "gets",
  GetObjectAcl: "gets",
  GetBucketLocation: "gets",
  GetBucketVersioning: "gets",
  GetBucketTagging: "gets",
  GetBucketAcl: "gets",
  GetBucketOwnershipControls: "gets",
  GetBucketCors: "gets",
  HeadObject: "heads",
  HeadBucket: "heads",
  ListBuckets: "lists",
  ListObjects: "lists",
  ListObjectsV2: "lists",
  ListObjectVersions: "lists",
  ListMultipartUploads: "lists",
  ListParts: "lists",
  DeleteObject: "deletes",
  DeleteBucket: "deletes",
  DeleteObjectTagging: "deletes",
  DeleteBucketTagging: "deletes",
  DeleteBucketCors: "deletes",
  AbortMultipartUpload: "deletes",
  WriteBatch: "bundle",
  GetObjects: "bundle",
  DeleteObjects: "bundle",
};

/** Requests that were made within others. */
export class BundledRequests {
  puts = 0;
  gets = 0;
  heads = 0;
  lists = 0;
  deletes = 0;

  count(field: RequestField, times = 1): void {
    this[field] += times;
  }
}

type Counted = {
  readonly counters: ReadonlyMap<string, OperationCounter>;
  readonly bundled: BundledRequests;
};

/** Since the start. */
export function clientUsage({ counters, bundled }: Counted, storedBytes: number): Usage {
  const { puts, gets, heads, lists, deletes } = bundled;
  const requests = { puts, gets, heads, lists, deletes };
  let bytesIn = 0;
  let bytesOut = 0;
  for (const [operation, field] of Object.entries(FIELDS)) {
    const counter = counters.get(operation);
    if (counter === undefined) continue;
    bytesIn += counter.receivedBytes;
    bytesOut += counter.sentBytes;
    if (field !== "bundle") requests[field] += succeeded(counter);
  }
  return { ...requests, bytesIn, bytesOut, storedBytes };
}

function succeeded({ byStatusClass }: OperationCounter): number {
  return (byStatusClass[2] ?? 0) + (byStatusClass[3] ?? 0);
}
