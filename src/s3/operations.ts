/**
 * Which S3 operation a request is: a pure function of method, target and a few headers.
 *
 * All operation names of S3 that this store will have are here from the start; those that are not built
 * answer NotImplemented, so that no request with a sub-resource can be mistaken for one without (a `PUT
 * key?tagging` must never overwrite the object). A GET of a setting that nobody has set is `absent`:
 * absent.ts has AWS's answer, and the caller first checks that the bucket or object exists. Unknown query
 * parameters, `x-id` among them, mean nothing.
 */

import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { invalidArgument, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import type { QueryParameters, RequestTarget } from "./request-target.ts";

export type S3Operation =
  | "ListBuckets"
  | "CreateBucket"
  | "HeadBucket"
  | "DeleteBucket"
  | "GetBucketLocation"
  | "GetBucketVersioning"
  | "PutBucketVersioning"
  | "ListObjects"
  | "ListObjectsV2"
  | "ListObjectVersions"
  | "ListMultipartUploads"
  | "DeleteObjects"
  | "GetObject"
  | "HeadObject"
  | "PutObject"
  | "DeleteObject"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload"
  | "ListParts"
  | "CopyObject"
  | "UploadPartCopy"
  | "RenameObject"
  | "AppendObject"
  | "PostObject"
  | "GetObjectAttributes"
  | "GetObjectTagging"
  | "PutObjectTagging"
  | "DeleteObjectTagging"
  | "GetBucketTagging"
  | "PutBucketTagging"
  | "DeleteBucketTagging"
  | "GetBucketAcl"
  | "PutBucketAcl"
  | "GetObjectAcl"
  | "PutObjectAcl"
  | "GetBucketOwnershipControls"
  | "PutBucketOwnershipControls"
  | "GetBucketCors"
  | "PutBucketCors"
  | "DeleteBucketCors"
  | "WriteBatch"
  | "GetObjects";

/** Those that change something: a node that only reads refuses them. */
export const WRITING_OPERATIONS: ReadonlySet<S3Operation> = new Set([
  "CreateBucket",
  "DeleteBucket",
  "PutBucketVersioning",
  "DeleteObjects",
  "PutObject",
  "DeleteObject",
  "CreateMultipartUpload",
  "UploadPart",
  "CompleteMultipartUpload",
  "AbortMultipartUpload",
  "CopyObject",
  "UploadPartCopy",
  "RenameObject",
  "AppendObject",
  "PostObject",
  "PutObjectTagging",
  "DeleteObjectTagging",
  "PutBucketTagging",
  "DeleteBucketTagging",
  "PutBucketAcl",
  "PutObjectAcl",
  "PutBucketOwnershipControls",
  "PutBucketCors",
  "DeleteBucketCors",
  "WriteBatch",
]);

/** Known and not built: named in the answer, so that a user finds out what is missing. */
export type MissingOperation =
  "CreateSession" | "ListDirectoryBuckets" | "GetObjectTorrent" | "SelectObjectContent" | "RestoreObject";

/** Settings of a bucket that are sub-resources of it, by their name in the query. */
export const BUCKET_SETTINGS = [
  "abac",
  "accelerate",
  "acl",
  "analytics",
  "cors",
  "encryption",
  "intelligent-tiering",
  "inventory",
  "lifecycle",
  "logging",
  "metadataAnnotationTable",
  "metadataConfiguration",
  "metadataInventoryTable",
  "metadataJournalTable",
  "metadataTable",
  "metrics",
  "notification",
  "object-lock",
  "ownershipControls",
  "policy",
  "policyStatus",
  "publicAccessBlock",
  "replication",
  "requestPayment",
  "tagging",
  "versioning",
  "website",
] as const;
export type BucketSetting = (typeof BUCKET_SETTINGS)[number];
/** Every bucket has a versioning state, if an empty one. */
export type AbsentBucketSetting = Exclude<BucketSetting, "versioning">;

export const OBJECT_SETTINGS = ["acl", "legal-hold", "retention", "tagging"] as const;
export type ObjectSetting = (typeof OBJECT_SETTINGS)[number];

export type Route =
  | { readonly kind: "operation"; readonly name: S3Operation }
  | { readonly kind: "absentBucketSetting"; readonly setting: AbsentBucketSetting }
  | { readonly kind: "absentObjectSetting"; readonly setting: ObjectSetting }
  | { readonly kind: "refused"; readonly error: S3Error };

export type RequestToRoute = {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: RequestHeaders;
};

function operation(name: S3Operation): Route {
  return { kind: "operation", name };
}

function refused(error: S3Error): Route {
  return { kind: "refused", error };
}

function missing(name: MissingOperation): Route {
  return refused(s3Error("NotImplemented", { message: `The operation ${name} is not implemented` }));
}

function methodNotAllowed(method: string, resourceType: "SERVICE" | "BUCKET" | "OBJECT"): Route {
  return refused(s3Error("MethodNotAllowed", { fields: { Method: method, ResourceType: resourceType } }));
}

function settingNotImplemented(method: string, setting: string): Route {
  return refused(
    s3Error("NotImplemented", { message: `${method} of the ${setting} sub-resource is not implemented` }),
  );
}

/** Of the settings that can be made; a GET of any other is answered as if it never was. */
const SETTING_OPERATIONS: ReadonlyMap<string, S3Operation> = new Map([
  ["GET bucket acl", "GetBucketAcl"],
  ["PUT bucket acl", "PutBucketAcl"],
  ["GET object acl", "GetObjectAcl"],
  ["PUT object acl", "PutObjectAcl"],
  ["GET bucket ownershipControls", "GetBucketOwnershipControls"],
  ["PUT bucket ownershipControls", "PutBucketOwnershipControls"],
  ["GET bucket cors", "GetBucketCors"],
  ["PUT bucket cors", "PutBucketCors"],
  ["DELETE bucket cors", "DeleteBucketCors"],
  ["GET bucket tagging", "GetBucketTagging"],
  ["PUT bucket tagging", "PutBucketTagging"],
  ["DELETE bucket tagging", "DeleteBucketTagging"],
  ["GET object tagging", "GetObjectTagging"],
  ["PUT object tagging", "PutObjectTagging"],
  ["DELETE object tagging", "DeleteObjectTagging"],
]);

const BUCKET_SETTING_NAMES: ReadonlyMap<string, BucketSetting> = new Map(
  BUCKET_SETTINGS.map((name) => [name, name]),
);
const OBJECT_SETTING_NAMES: ReadonlyMap<string, ObjectSetting> = new Map(
  OBJECT_SETTINGS.map((name) => [name, name]),
);

function findSetting<Setting extends string>(
  query: QueryParameters,
  names: ReadonlyMap<string, Setting>,
): Setting | undefined {
  for (const name of query.names) {
    const setting = names.get(name);
    if (setting !== undefined) return setting;
  }
  return undefined;
}

function routeService(method: string, query: QueryParameters): Route {
  if (method !== "GET") return methodNotAllowed(method, "SERVICE");
  // Told from ListBuckets by the host at AWS, and by this alone here.
  if (query.get("x-id") === "ListDirectoryBuckets") return missing("ListDirectoryBuckets");
  return operation("ListBuckets");
}

function routeBucketGet(query: QueryParameters): Route {
  if (query.has("location")) return operation("GetBucketLocation");
  if (query.has("uploads")) return operation("ListMultipartUploads");
  if (query.has("versions")) return operation("ListObjectVersions");
  if (query.has("session")) return missing("CreateSession");
  return query.get("list-type") === "2" ? operation("ListObjectsV2") : operation("ListObjects");
}

function routeBucketPost(query: QueryParameters, headers: RequestHeaders): Route {
  if (query.has("delete")) return operation("DeleteObjects");
  if (query.has("batch")) return operation("WriteBatch");
  if (query.has("batch-get")) return operation("GetObjects");
  if (headerText(headers, "content-type")?.toLowerCase().startsWith("multipart/form-data") === true) {
    return operation("PostObject");
  }
  return refused(
    s3Error("PreconditionFailed", {
      fields: { Condition: "Bucket POST must be of the enclosure-type multipart/form-data" },
    }),
  );
}

function routeVersioning(method: string): Route {
  if (method === "GET") return operation("GetBucketVersioning");
  if (method === "PUT") return operation("PutBucketVersioning");
  return settingNotImplemented(method, "versioning");
}

function routeBucket(method: string, query: QueryParameters, headers: RequestHeaders): Route {
  const setting = query.size === 0 ? undefined : findSetting(query, BUCKET_SETTING_NAMES);
  if (setting !== undefined && method !== "HEAD") {
    if (setting === "versioning") return routeVersioning(method);
    const built = SETTING_OPERATIONS.get(`${method} bucket ${setting}`);
    if (built !== undefined) return operation(built);
    return method === "GET"
      ? { kind: "absentBucketSetting", setting }
      : settingNotImplemented(method, setting);
  }
  switch (method) {
    case "GET":
      return routeBucketGet(query);
    case "HEAD":
      return operation("HeadBucket");
    case "PUT":
      return operation("CreateBucket");
    case "DELETE":
      return operation("DeleteBucket");
    case "POST":
      return routeBucketPost(query, headers);
    default:
      return methodNotAllowed(method, "BUCKET");
  }
}

function routeObjectGet(query: QueryParameters): Route {
  if (query.has("uploadId")) return operation("ListParts");
  if (query.has("attributes")) return operation("GetObjectAttributes");
  if (query.has("torrent")) return missing("GetObjectTorrent");
  return operation("GetObject");
}

function routeObjectPut(query: QueryParameters, headers: RequestHeaders): Route {
  const isCopy = headers["x-amz-copy-source"] !== undefined;
  const hasPart = query.has("partNumber");
  const hasUpload = query.has("uploadId");
  if (hasPart && hasUpload) return operation(isCopy ? "UploadPartCopy" : "UploadPart");
  if (hasPart) {
    const message = "This operation does not accept partNumber without uploadId";
    return refused(invalidArgument(message, "partNumber", query.get("partNumber")));
  }
  if (hasUpload) {
    const message = "This operation does not accept uploadId without partNumber";
    return refused(invalidArgument(message, "uploadId", query.get("uploadId")));
  }
  if (isCopy) return operation("CopyObject");
  if (headers["x-amz-rename-source"] !== undefined || query.has("renameObject"))
    return operation("RenameObject");
  if (headers["x-amz-write-offset-bytes"] !== undefined) return operation("AppendObject");
  return operation("PutObject");
}

function routeObjectPost(method: string, query: QueryParameters): Route {
  if (query.has("uploads")) return operation("CreateMultipartUpload");
  if (query.has("uploadId")) return operation("CompleteMultipartUpload");
  if (query.has("select")) return missing("SelectObjectContent");
  if (query.has("restore")) return missing("RestoreObject");
  return methodNotAllowed(method, "OBJECT");
}

/** Sub-resources of a bucket, asked of a key. A PUT of one must not be taken for the object itself. */
function bucketOnlySubresource(query: QueryParameters): string | undefined {
  return query.names.find(
    (name) =>
      name === "versions" ||
      name === "location" ||
      name === "delete" ||
      name === "batch" ||
      name === "batch-get" ||
      (BUCKET_SETTING_NAMES.has(name) && !OBJECT_SETTING_NAMES.has(name)),
  );
}

/** For what is about the key, whose one version without an id of its own is called null. */
function refuseVersion(query: QueryParameters): Route | undefined {
  const version = query.get("versionId");
  if (version === undefined || version === "null") return undefined;
  const message = version === "" ? "Version id cannot be the empty string" : "Invalid version id specified";
  return refused(invalidArgument(message, "versionId", version));
}

function routeObjectQuery(method: string, query: QueryParameters): Route | undefined {
  if (query.size === 0) return undefined;
  const setting = findSetting(query, OBJECT_SETTING_NAMES);
  if (setting !== undefined && method !== "HEAD") {
    const built = SETTING_OPERATIONS.get(`${method} object ${setting}`);
    if (built !== undefined) return operation(built);
    return method === "GET"
      ? { kind: "absentObjectSetting", setting }
      : settingNotImplemented(method, setting);
  }
  // A PUT or DELETE of one must not be taken for the object itself.
  if (query.has("annotation") && method !== "HEAD") return settingNotImplemented(method, "annotation");
  const stray = bucketOnlySubresource(query);
  if (stray !== undefined) {
    const message = `There is no such thing as the ?${stray} sub-resource for a key`;
    return refused(s3Error("InvalidRequest", { message }));
  }
  if (query.has("uploads") && method !== "POST") {
    const message = `Key is not expected for the ${method} method ?uploads subresource`;
    return refused(s3Error("InvalidRequest", { message }));
  }
  // A version can be read and removed.
  const takesVersion = method === "GET" || method === "HEAD" || method === "DELETE";
  return takesVersion ? undefined : refuseVersion(query);
}

function routeObject(method: string, query: QueryParameters, headers: RequestHeaders): Route {
  const special = routeObjectQuery(method, query);
  if (special !== undefined) return special;
  switch (method) {
    case "GET":
      return routeObjectGet(query);
    case "HEAD":
      return operation("HeadObject");
    case "PUT":
      return routeObjectPut(query, headers);
    case "DELETE":
      return query.has("uploadId") ? operation("AbortMultipartUpload") : operation("DeleteObject");
    case "POST":
      return routeObjectPost(method, query);
    default:
      return methodNotAllowed(method, "OBJECT");
  }
}

export function routeOperation(request: RequestToRoute): Route {
  const { method, target, headers } = request;
  // A CORS preflight carries no credentials and asks for no operation: without CORS rules there is one
  // answer.
  if (method === "OPTIONS") return refused(s3Error("AccessForbidden"));
  if (target.bucket === "") return routeService(method, target.query);
  if (target.key === "") return routeBucket(method, target.query, headers);
  return routeObject(method, target.query, headers);
}

/** An upload from a browser: its signature is in the form, so who sent it is known only then. */
export function isFormUpload(request: RequestToRoute): boolean {
  if (request.method !== "POST" || request.target.key !== "") return false;
  const route = routeOperation(request);
  return route.kind === "operation" && route.name === "PostObject";
}
