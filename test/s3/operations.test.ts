/** Routing: which operation a request is, what is refused, and AWS's answers for settings nobody made. */

import { SaxesParser } from "saxes";
import { describe, expect, test } from "vitest";

import { absentBucketSetting, absentObjectSetting, locationXml } from "../../src/s3/absent.ts";
import { errorXml } from "../../src/s3/error-xml.ts";
import { isS3ErrorCode, S3_ERROR_CODES, s3Error } from "../../src/s3/errors.ts";
import { BUCKET_SETTINGS, OBJECT_SETTINGS, routeOperation } from "../../src/s3/operations.ts";
import type { Route } from "../../src/s3/operations.ts";
import { parseRequestTarget } from "../../src/s3/request-target.ts";

function route(method: string, url: string, headers: Record<string, string> = {}): Route {
  return routeOperation({ method, target: parseRequestTarget({ url, host: "h" }), headers });
}

function named(method: string, url: string, headers: Record<string, string> = {}): string {
  const result = route(method, url, headers);
  if (result.kind === "operation") return result.name;
  return result.kind === "refused" ? result.error.code : `${result.kind} ${result.setting}`;
}

/** Settings that are more than absent. */
const BUILT: Readonly<Record<string, string>> = {
  "GET /b?acl": "GetBucketAcl",
  "PUT /b?acl": "PutBucketAcl",
  "GET /b/k?acl": "GetObjectAcl",
  "PUT /b/k?acl": "PutObjectAcl",
  "GET /b?cors": "GetBucketCors",
  "PUT /b?cors": "PutBucketCors",
  "DELETE /b?cors": "DeleteBucketCors",
  "GET /b?ownershipControls": "GetBucketOwnershipControls",
  "PUT /b?ownershipControls": "PutBucketOwnershipControls",
};

describe("routing", () => {
  test("every operation has its request", () => {
    const cases: readonly (readonly [string, string, string])[] = [
      ["GET", "/", "ListBuckets"],
      ["GET", "/?x-id=ListBuckets", "ListBuckets"],
      ["PUT", "/b", "CreateBucket"],
      ["PUT", "/b/", "CreateBucket"],
      ["HEAD", "/b", "HeadBucket"],
      ["DELETE", "/b", "DeleteBucket"],
      ["GET", "/b?location", "GetBucketLocation"],
      ["GET", "/b", "ListObjects"],
      ["GET", "/b?list-type=1&prefix=a", "ListObjects"],
      ["GET", "/b?list-type=2&prefix=a", "ListObjectsV2"],
      ["GET", "/b?uploads&prefix=a", "ListMultipartUploads"],
      ["POST", "/b?delete", "DeleteObjects"],
      ["POST", "/b/?delete=&x-id=DeleteObjects", "DeleteObjects"],
      ["GET", "/b/k", "GetObject"],
      ["GET", "/b/k?partNumber=1&versionId=null&response-expires=x", "GetObject"],
      ["HEAD", "/b/k?versionId=000000000a.0", "HeadObject"],
      ["DELETE", "/b/k?versionId=000000000a.0", "DeleteObject"],
      ["GET", "/b?versions&prefix=x", "ListObjectVersions"],
      ["GET", "/b?versioning", "GetBucketVersioning"],
      ["PUT", "/b?versioning", "PutBucketVersioning"],
      ["GET", "/b/k?x-id=GetObject&anything=else", "GetObject"],
      ["HEAD", "/b/k", "HeadObject"],
      ["PUT", "/b/k", "PutObject"],
      ["PUT", "/b/k?x-id=PutObject", "PutObject"],
      ["DELETE", "/b/k", "DeleteObject"],
      ["POST", "/b/k?uploads", "CreateMultipartUpload"],
      ["PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"],
      ["POST", "/b/k?uploadId=u", "CompleteMultipartUpload"],
      ["DELETE", "/b/k?uploadId=u", "AbortMultipartUpload"],
      ["GET", "/b/k?uploadId=u", "ListParts"],
    ];
    for (const [method, url, name] of cases)
      expect([method, url, named(method, url)]).toEqual([method, url, name]);
  });

  test("what a header or a query makes of a PUT, and tags of buckets and objects", () => {
    const copy = { "x-amz-copy-source": "/b/other" };
    expect(named("PUT", "/b/k", copy)).toBe("CopyObject");
    expect(named("PUT", "/b/k?partNumber=1&uploadId=u", copy)).toBe("UploadPartCopy");
    expect(named("PUT", "/b/k", { "x-amz-write-offset-bytes": "0" })).toBe("AppendObject");
    expect(named("PUT", "/b/k?renameObject", { "x-amz-rename-source": "/a" })).toBe("RenameObject");
    expect(named("GET", "/b/k?attributes")).toBe("GetObjectAttributes");
    expect(named("POST", "/b", { "content-type": "multipart/form-data; boundary=x" })).toBe("PostObject");
    for (const [method, verb] of [
      ["GET", "Get"],
      ["PUT", "Put"],
      ["DELETE", "Delete"],
    ] as const) {
      expect(named(method, "/b?tagging")).toBe(`${verb}BucketTagging`);
      expect(named(method, "/b/k?tagging")).toBe(`${verb}ObjectTagging`);
    }
    expect(named("POST", "/b?tagging")).toBe("NotImplemented");
    expect(named("POST", "/b/k?tagging")).toBe("NotImplemented");
  });

  test("what is not built says so and is never mistaken for something else", () => {
    expect(named("GET", "/b/k?torrent")).toBe("NotImplemented");
    expect(named("GET", "/b?session")).toBe("NotImplemented");
    expect(named("GET", "/?x-id=ListDirectoryBuckets")).toBe("NotImplemented");
    for (const method of ["GET", "PUT", "DELETE", "POST"])
      expect(named(method, "/b/k?annotation&annotationName=n")).toBe("NotImplemented");
    for (const url of ["/b/k?select&select-type=2", "/b/k?restore"])
      expect(named("POST", url)).toBe("NotImplemented");
    for (const method of ["POST", "DELETE"]) expect(named(method, "/b?versioning")).toBe("NotImplemented");
    for (const setting of BUCKET_SETTINGS) {
      if (setting === "tagging" || setting === "versioning") continue;
      for (const method of ["PUT", "POST", "DELETE"]) {
        const wanted = BUILT[`${method} /b?${setting}`] ?? "NotImplemented";
        expect([method, setting, named(method, `/b?${setting}`)]).toEqual([method, setting, wanted]);
      }
      expect(named("GET", `/b?${setting}`)).toBe(
        BUILT[`GET /b?${setting}`] ?? `absentBucketSetting ${setting}`,
      );
      expect(named("HEAD", `/b?${setting}`)).toBe("HeadBucket");
    }
    for (const setting of OBJECT_SETTINGS) {
      if (setting === "tagging") continue;
      for (const method of ["PUT", "POST", "DELETE"]) {
        expect(named(method, `/b/k?${setting}`)).toBe(BUILT[`${method} /b/k?${setting}`] ?? "NotImplemented");
      }
      expect(named("GET", `/b/k?${setting}`)).toBe(
        BUILT[`GET /b/k?${setting}`] ?? `absentObjectSetting ${setting}`,
      );
      expect(named("HEAD", `/b/k?${setting}`)).toBe("HeadObject");
    }
  });

  test("a sub-resource of a bucket is not one of a key", () => {
    for (const name of ["policy", "lifecycle", "versions", "location", "delete", "cors"]) {
      for (const method of ["GET", "PUT", "DELETE", "POST"]) {
        expect([name, method, named(method, `/b/k?${name}`)]).toEqual([name, method, "InvalidRequest"]);
      }
    }
    expect(named("GET", "/b/k?uploads")).toBe("InvalidRequest");
    expect(named("PUT", "/b/k?uploads")).toBe("InvalidRequest");
  });

  test("methods and incomplete requests are refused", () => {
    for (const [method, url] of [
      ["PUT", "/"],
      ["POST", "/"],
      ["PATCH", "/b"],
      ["PATCH", "/b/k"],
      ["POST", "/b/k"],
    ] as const) {
      expect(named(method, url)).toBe("MethodNotAllowed");
    }
    expect(named("POST", "/b")).toBe("PreconditionFailed");
    expect(named("PUT", "/b/k?partNumber=1")).toBe("InvalidArgument");
    expect(named("PUT", "/b/k?uploadId=u")).toBe("InvalidArgument");
    expect(named("OPTIONS", "/b/k")).toBe("AccessForbidden");
    expect(named("PUT", "/b/k?versionId=000000000a.0")).toBe("InvalidArgument");
    expect(named("PUT", "/b/k?versionId=")).toBe("InvalidArgument");
    expect(named("POST", "/b/k?uploads&versionId=000000000a.0")).toBe("InvalidArgument");
  });
});

function parseStrictly(xml: string): void {
  const parser = new SaxesParser({ xmlns: true });
  parser.on("error", (error) => {
    throw error;
  });
  parser.write(xml).close();
}

describe("settings nobody made", () => {
  const owner = { id: "root", displayName: "Root & Co" };

  test("GetBucket_settings_absent", () => {
    const documents: Record<string, string> = {};
    const errors: Record<string, string> = {};
    for (const setting of BUCKET_SETTINGS) {
      if (setting === "versioning") continue;
      const answer = absentBucketSetting({ setting, bucket: "b", owner, hasId: false });
      if (answer.kind === "document") {
        parseStrictly(answer.xml);
        documents[setting] = answer.xml.split("\n")[1] ?? "";
      } else {
        errors[setting] = answer.error.code;
        expect(answer.error.fields).toEqual({ BucketName: "b" });
        expect(answer.error.status).toBe(404);
      }
    }
    const xmlns = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
    expect(documents).toMatchObject({
      accelerate: `<AccelerateConfiguration ${xmlns}/>`,
      logging: `<BucketLoggingStatus ${xmlns}/>`,
      notification: `<NotificationConfiguration ${xmlns}/>`,
    });
    expect(documents["requestPayment"]).toContain("<Payer>BucketOwner</Payer>");
    expect(documents["acl"]).toContain("<DisplayName>Root &amp; Co</DisplayName>");
    expect(documents["acl"]).toContain("<Permission>FULL_CONTROL</Permission>");
    expect(errors).toEqual({
      cors: "NoSuchCORSConfiguration",
      encryption: "ServerSideEncryptionConfigurationNotFoundError",
      lifecycle: "NoSuchLifecycleConfiguration",
      metadataAnnotationTable: "NoSuchConfiguration",
      metadataConfiguration: "NoSuchConfiguration",
      metadataInventoryTable: "NoSuchConfiguration",
      metadataJournalTable: "NoSuchConfiguration",
      metadataTable: "NoSuchConfiguration",
      "object-lock": "ObjectLockConfigurationNotFoundError",
      ownershipControls: "OwnershipControlsNotFoundError",
      policy: "NoSuchBucketPolicy",
      policyStatus: "NoSuchBucketPolicy",
      publicAccessBlock: "NoSuchPublicAccessBlockConfiguration",
      replication: "ReplicationConfigurationNotFoundError",
      tagging: "NoSuchTagSet",
      website: "NoSuchWebsiteConfiguration",
    });
    const one = absentBucketSetting({ setting: "inventory", bucket: "b", owner, hasId: true });
    expect(one).toMatchObject({ kind: "error", error: { code: "NoSuchConfiguration" } });
  });

  test("GetObject_settings_absent", () => {
    const tags = absentObjectSetting("tagging", owner);
    expect(tags.kind === "document" ? tags.xml : "").toContain("<TagSet/>");
    expect(absentObjectSetting("acl", owner).kind).toBe("document");
    for (const setting of ["retention", "legal-hold"] as const) {
      expect(absentObjectSetting(setting, owner)).toMatchObject({
        error: { code: "InvalidRequest", message: "Bucket is missing Object Lock Configuration" },
      });
    }
  });

  test("GetBucketLocation_of_the_first_region_is_empty", () => {
    expect(locationXml("us-east-1")).toMatch(/<LocationConstraint xmlns="[^"]+"\/>$/);
    expect(locationXml("eu-west-1")).toMatch(/>eu-west-1<\/LocationConstraint>$/);
    parseStrictly(locationXml("<odd>"));
  });
});

describe("errors", () => {
  test("every code has a sensible status and a message", () => {
    expect(S3_ERROR_CODES.length).toBeGreaterThan(70);
    for (const code of S3_ERROR_CODES) {
      const error = s3Error(code);
      expect([code, error.message.length > 4]).toEqual([code, true]);
      expect(error.status).toBeGreaterThanOrEqual(301);
      expect(error.status).toBeLessThanOrEqual(503);
    }
    expect(isS3ErrorCode("NoSuchKey")).toBe(true);
    expect(isS3ErrorCode("toString")).toBe(false);
  });

  test("an error document has its fields in order and escapes them", () => {
    const error = s3Error("NoSuchKey", { fields: { Key: 'a<b>&"c"\r\n' } });
    const xml = errorXml(error, { requestId: "R1", resource: "/b/a<b>", hostId: "H" });
    parseStrictly(xml);
    expect(xml).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>' +
        "<Message>The specified key does not exist.</Message><Key>a&lt;b&gt;&amp;&quot;c&quot;&#13;\n</Key>" +
        "<Resource>/b/a&lt;b&gt;</Resource><RequestId>R1</RequestId><HostId>H</HostId></Error>",
    );
    expect(errorXml(s3Error("SlowDown"), { requestId: "R" })).not.toContain("Resource");
  });
});
