/**
 * Who may do what: every operation there is, asked of somebody else's bucket. The samples are held to the
 * table of operations, so that one that is added without a sample, or without the check, fails here.
 */
import { describe, expect, test } from "vitest";
import { operationTable } from "../../src/http/operation-table.ts";
import { BUCKET_SETTINGS, OBJECT_SETTINGS, routeOperation } from "../../src/s3/operations.ts";
import type { S3Operation } from "../../src/s3/operations.ts";
import { parseRequestTarget } from "../../src/s3/request-target.ts";
import {
  OTHER_CREDENTIALS,
  ROOT_CREDENTIALS,
  THIRD_CREDENTIALS,
  elementOf,
  elementsOf,
  rawHead,
  send,
} from "./client.ts";
import type { Answer, Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";
import { connect } from "node:net";

async function withEdge(run: (started: StartedEdge) => Promise<void>, region = "us-east-1"): Promise<void> {
  const started = await startEdge({ region });
  try {
    await run(started);
  } finally {
    await started.close();
  }
}

const part = (query: string): string => `/theirs/key?${query}`;

const COMPLETE =
  "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>";

const TAGGING = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
const OWNERSHIP =
  "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>" +
  "</OwnershipControls>";
const CORS =
  "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>" +
  "</CORSRule></CORSConfiguration>";

/** A request of each operation to a bucket that is called theirs; "everybody" for those that are open,
 * "form" for the one that is signed within its body (post-object.test.ts). */
const SAMPLES: Readonly<Record<S3Operation, Call | "everybody" | "form">> = {
  ListBuckets: "everybody",
  CreateBucket: "everybody",
  HeadBucket: { method: "HEAD", url: "/theirs" },
  DeleteBucket: { method: "DELETE", url: "/theirs" },
  GetBucketLocation: { url: "/theirs?location" },
  GetBucketVersioning: { url: "/theirs?versioning" },
  PutBucketVersioning: {
    method: "PUT",
    url: "/theirs?versioning",
    body: "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
  },
  ListObjects: { url: "/theirs" },
  ListObjectsV2: { url: "/theirs?list-type=2" },
  ListObjectVersions: { url: "/theirs?versions" },
  ListMultipartUploads: { url: "/theirs?uploads" },
  DeleteObjects: {
    method: "POST",
    url: "/theirs?delete",
    body: "<Delete><Object><Key>key</Key></Object></Delete>",
  },
  GetObject: { url: "/theirs/key" },
  HeadObject: { method: "HEAD", url: "/theirs/key" },
  PutObject: { method: "PUT", url: "/theirs/key", body: "mine" },
  DeleteObject: { method: "DELETE", url: "/theirs/key" },
  CreateMultipartUpload: { method: "POST", url: part("uploads") },
  UploadPart: { method: "PUT", url: part("uploadId=UPLOAD&partNumber=2"), body: "mine" },
  CompleteMultipartUpload: {
    method: "POST",
    url: part("uploadId=UPLOAD"),
    body: COMPLETE,
  },
  AbortMultipartUpload: { method: "DELETE", url: part("uploadId=UPLOAD") },
  ListParts: { url: part("uploadId=UPLOAD") },
  CopyObject: { method: "PUT", url: "/theirs/copy", headers: { "x-amz-copy-source": "/theirs/key" } },
  UploadPartCopy: {
    method: "PUT",
    url: part("uploadId=UPLOAD&partNumber=2"),
    headers: { "x-amz-copy-source": "/theirs/key" },
  },
  RenameObject: {
    method: "PUT",
    url: "/theirs/new?renameObject",
    headers: { "x-amz-rename-source": "key" },
  },
  AppendObject: {
    method: "PUT",
    url: "/theirs/key",
    headers: { "x-amz-write-offset-bytes": "6" },
    body: "mine",
  },
  PostObject: "form",
  GetObjectAttributes: { url: part("attributes"), headers: { "x-amz-object-attributes": "ETag" } },
  GetObjectTagging: { url: part("tagging") },
  PutObjectTagging: { method: "PUT", url: part("tagging"), body: TAGGING },
  DeleteObjectTagging: { method: "DELETE", url: part("tagging") },
  GetBucketTagging: { url: "/theirs?tagging" },
  PutBucketTagging: { method: "PUT", url: "/theirs?tagging", body: TAGGING },
  DeleteBucketTagging: { method: "DELETE", url: "/theirs?tagging" },
  GetBucketAcl: { url: "/theirs?acl" },
  PutBucketAcl: { method: "PUT", url: "/theirs?acl", headers: { "x-amz-acl": "private" } },
  GetObjectAcl: { url: "/theirs/key?acl" },
  PutObjectAcl: { method: "PUT", url: "/theirs/key?acl", headers: { "x-amz-acl": "private" } },
  GetBucketOwnershipControls: { url: "/theirs?ownershipControls" },
  PutBucketOwnershipControls: { method: "PUT", url: "/theirs?ownershipControls", body: OWNERSHIP },
  GetBucketCors: { url: "/theirs?cors" },
  PutBucketCors: { method: "PUT", url: "/theirs?cors", body: CORS },
  DeleteBucketCors: { method: "DELETE", url: "/theirs?cors" },
  WriteBatch: {
    method: "POST",
    url: "/theirs?batch",
    body: '{"operations":[{"op":"put","key":"key","size":4}]}\nmine',
  },
  GetObjects: { method: "POST", url: "/theirs?batch-get", body: '["key"]' },
};

/** A bucket of `other` with an object, a long one, and an open upload. */
async function theirs(port: number): Promise<string> {
  const credentials = OTHER_CREDENTIALS;
  await send(port, { method: "PUT", url: "/theirs", credentials });
  await send(port, { method: "PUT", url: "/theirs/key", body: "theirs", credentials });
  const begun = await send(port, { method: "POST", url: part("uploads"), credentials });
  const uploadId = elementOf(begun.text, "UploadId") ?? "";
  await send(port, {
    method: "PUT",
    url: part(`uploadId=${uploadId}&partNumber=1`),
    body: "part",
    credentials,
  });
  return uploadId;
}

function everything(world: StartedEdge["service"]["world"]): string {
  const objects = [...world.objects].map(([path, { etag }]) => [path, etag]);
  const uploads = [...world.uploads].map(([id, { parts }]) => [id, ...parts.keys()]);
  return JSON.stringify([[...world.buckets], objects, uploads, [...world.settings]]);
}

describe("authorization", () => {
  test("there is a sample of every operation, and it is one of that operation", () => {
    expect(Object.keys(SAMPLES).toSorted()).toEqual(Object.keys(operationTable).toSorted());
    for (const [name, sample] of Object.entries(SAMPLES)) {
      if (typeof sample === "string") continue;
      const { method = "GET", url, headers = {} } = sample;
      const target = parseRequestTarget({ url, host: undefined });
      expect(routeOperation({ method, target, headers })).toEqual({ kind: "operation", name });
    }
  });

  test.each(Object.entries(SAMPLES))("%s_of_somebody_else is AccessDenied and changes nothing", (_, sample) =>
    withEdge(async ({ port, service }) => {
      if (typeof sample === "string") return;
      const uploadId = await theirs(port);
      const call = { ...sample, url: sample.url.replace("UPLOAD", uploadId) };
      const before = everything(service.world);
      const refused = await send(port, { ...call, credentials: THIRD_CREDENTIALS });
      expect([refused.status, refused.code]).toEqual([
        403,
        sample.method === "HEAD" ? undefined : "AccessDenied",
      ]);
      expect(everything(service.world)).toBe(before);
      expect((await send(port, { ...call, credentials: null })).status).toBe(403);
      // What is refused to a stranger is a good request of its owner, and of root.
      for (const credentials of [OTHER_CREDENTIALS, ROOT_CREDENTIALS]) {
        expect((await send(port, { ...call, credentials })).code).not.toBe("AccessDenied");
      }
    }),
  );

  test.each(Object.entries(SAMPLES))("%s_with_another_expected_owner is AccessDenied", (_, sample) =>
    withEdge(async ({ port, service }) => {
      if (typeof sample === "string") return;
      const uploadId = await theirs(port);
      const url = sample.url.replace("UPLOAD", uploadId);
      const expecting = async (owner: string): Promise<Answer> => {
        const headers = { ...sample.headers, "x-amz-expected-bucket-owner": owner };
        return await send(port, { ...sample, url, headers, credentials: OTHER_CREDENTIALS });
      };
      const before = everything(service.world);
      const refused = await expecting("somebody");
      expect([refused.status, refused.code]).toEqual([
        403,
        sample.method === "HEAD" ? undefined : "AccessDenied",
      ]);
      expect(everything(service.world)).toBe(before);
      expect((await expecting("other")).status).not.toBe(403);
    }),
  );

  test("settings of somebody else's bucket and objects are AccessDenied, whatever the verb", () =>
    withEdge(async ({ port }) => {
      await theirs(port);
      const credentials = THIRD_CREDENTIALS;
      for (const name of BUCKET_SETTINGS) {
        const answer = await send(port, { url: `/theirs?${name}`, credentials });
        expect([name, answer.status]).toEqual([name, 403]);
        const own = await send(port, { url: `/theirs?${name}`, credentials: OTHER_CREDENTIALS });
        expect([name, own.status === 403]).toEqual([name, false]);
        for (const method of ["PUT", "DELETE"]) {
          const { status } = await send(port, { method, url: `/theirs?${name}`, credentials });
          expect([method, name, status >= 400]).toEqual([method, name, true]);
        }
      }
      for (const name of OBJECT_SETTINGS) {
        const answer = await send(port, { url: `/theirs/key?${name}`, credentials });
        expect([name, answer.status]).toEqual([name, 403]);
        const absent = await send(port, { url: `/theirs/none?${name}`, credentials });
        expect([name, absent.status]).toEqual([name, 403]);
      }
    }));

  test("CopyObject_and_UploadPartCopy_from_somebody_else are AccessDenied, into one's own bucket too", () =>
    withEdge(async ({ port }) => {
      await theirs(port);
      const credentials = THIRD_CREDENTIALS;
      await send(port, { method: "PUT", url: "/mine", credentials });
      const begun = await send(port, { method: "POST", url: "/mine/copy?uploads", credentials });
      const uploadId = elementOf(begun.text, "UploadId") ?? "";
      for (const source of ["/theirs/key", "/theirs/absent"]) {
        for (const query of ["", `?partNumber=1&uploadId=${uploadId}`]) {
          const headers = { "x-amz-copy-source": source };
          const answer = await send(port, { method: "PUT", url: `/mine/copy${query}`, credentials, headers });
          expect([source, answer.status, answer.code]).toEqual([source, 403, "AccessDenied"]);
        }
      }
    }));

  test("an absent key in somebody else's bucket is denied like one that is there", () =>
    withEdge(async ({ port }) => {
      await theirs(port);
      const credentials = THIRD_CREDENTIALS;
      const there = await send(port, { url: "/theirs/key", credentials });
      const absent = await send(port, { url: "/theirs/absent", credentials });
      expect([absent.status, absent.code]).toEqual([there.status, there.code]);
      expect((await send(port, { url: "/nobodys", credentials })).code).toBe("NoSuchBucket");
    }));

  test("ListBuckets shows own buckets only, to root too", () =>
    withEdge(async ({ port }) => {
      await theirs(port);
      await send(port, { method: "PUT", url: "/mine" });
      expect(elementsOf((await send(port, { url: "/" })).text, "Name")).toEqual(["mine"]);
      const { text } = await send(port, { url: "/", credentials: OTHER_CREDENTIALS });
      expect(elementsOf(text, "Name")).toEqual(["theirs"]);
      const none = await send(port, { url: "/", credentials: THIRD_CREDENTIALS });
      expect(elementsOf(none.text, "Name")).toEqual([]);
    }));

  test("CreateBucket_existing is BucketAlreadyExists for others, and by region for oneself", async () => {
    const codes = async (region: string): Promise<readonly unknown[]> => {
      const seen: unknown[] = [];
      await withEdge(async ({ port }) => {
        await theirs(port);
        for (const credentials of [OTHER_CREDENTIALS, THIRD_CREDENTIALS, ROOT_CREDENTIALS]) {
          const answer = await send(port, { method: "PUT", url: "/theirs", credentials });
          seen.push(answer.code ?? answer.status);
        }
      }, region);
      return seen;
    };
    expect(await codes("us-east-1")).toEqual([200, "BucketAlreadyExists", "BucketAlreadyExists"]);
    const elsewhere = ["BucketAlreadyOwnedByYou", "BucketAlreadyExists", "BucketAlreadyExists"];
    expect(await codes("eu-west-1")).toEqual(elsewhere);
  });

  test("listings name the owner of the bucket by 64 hex digits, whoever asks, and who began an upload", () =>
    withEdge(async ({ port }) => {
      await theirs(port);
      const mine = await send(port, { url: "/", credentials: OTHER_CREDENTIALS });
      const id = elementOf(mine.text, "ID") ?? "";
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      for (const url of [
        "/theirs",
        "/theirs?list-type=2&fetch-owner=true",
        "/theirs?acl",
        "/theirs/key?acl",
      ]) {
        for (const credentials of [OTHER_CREDENTIALS, ROOT_CREDENTIALS]) {
          const { text } = await send(port, { url, credentials });
          expect([url, ...new Set(elementsOf(text, "ID"))]).toEqual([url, id]);
          expect(new Set(elementsOf(text, "DisplayName"))).toEqual(new Set(["Other"]));
        }
      }
      await send(port, { method: "POST", url: "/theirs/roots?uploads" });
      const { text } = await send(port, { url: "/theirs?uploads", credentials: OTHER_CREDENTIALS });
      expect(elementsOf(text, "DisplayName")).toEqual(["Other", "Other", "root", "Other"]);
    }));

  test("x-amz-expected-bucket-owner may be the account's id or the canonical one", () =>
    withEdge(async ({ port }) => {
      await theirs(port);
      const credentials = OTHER_CREDENTIALS;
      const id = elementOf((await send(port, { url: "/theirs?acl", credentials })).text, "ID") ?? "";
      for (const [expected, status] of [
        ["other", 200],
        [id, 200],
        ["root", 403],
      ] as const) {
        const headers = { "x-amz-expected-bucket-owner": expected };
        expect((await send(port, { url: "/theirs", credentials, headers })).status).toBe(status);
      }
    }));

  test("PutObject_slow into a bucket that has become somebody else's meanwhile is AccessDenied", () =>
    withEdge(async ({ port, service }) => {
      const bucket = (credentials: Call["credentials"], method: string) =>
        send(port, { method, url: "/passed-on", ...(credentials ? { credentials } : {}) });
      await bucket(OTHER_CREDENTIALS, "PUT");
      for (const length of [4, 200_000]) {
        const call: Call = {
          method: "PUT",
          url: "/passed-on/key",
          credentials: OTHER_CREDENTIALS,
          payloadHash: "UNSIGNED-PAYLOAD",
          headers: { "content-length": String(length), connection: "close" },
        };
        const socket = connect(port, "127.0.0.1");
        let answer = "";
        socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
        const ended = new Promise((resolve) => socket.once("close", resolve));
        socket.write(rawHead(port, call));
        socket.write(Buffer.alloc(length - 1));
        // The head was taken once a request on another connection is answered after it.
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect((await bucket(OTHER_CREDENTIALS, "DELETE")).status).toBe(204);
        expect((await bucket(THIRD_CREDENTIALS, "PUT")).status).toBe(200);
        socket.write("x");
        await ended;
        expect(answer).toContain("<Code>AccessDenied</Code>");
        expect(service.world.counts()).toEqual({ objects: 0, uploads: 0, openWriters: 0 });
        await bucket(THIRD_CREDENTIALS, "DELETE");
        await bucket(OTHER_CREDENTIALS, "PUT");
      }
    }));
});
