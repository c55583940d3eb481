/**
 * operations.json is true: it names every operation that the AWS SDK has, each is routed as it says (the
 * requests are the SDK's own), and each one that is built is in it.
 */
import * as sdk from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { operationTable } from "../../src/http/operation-table.ts";
import { routeOperation } from "../../src/s3/operations.ts";
import type { Route } from "../../src/s3/operations.ts";
import { parseRequestTarget } from "../../src/s3/request-target.ts";
import { operations } from "./operations.ts";
import type { OperationEntry } from "./operations.ts";

/** The schema of an operation in the SDK: its name, and the method and path that it goes to. */
type SdkOperation = { readonly name: string; readonly method: string; readonly path: string };

/** What stands first in the schema of an operation. */
const OPERATION_SCHEMA = 9;

function sdkOperations(): readonly SdkOperation[] {
  return Object.values(sdk as Readonly<Record<string, unknown>>).flatMap((schema) => {
    if (!Array.isArray(schema) || schema[0] !== OPERATION_SCHEMA) return [];
    const [method, path] = schema[3].http;
    return [{ name: schema[2], method, path }];
  });
}

/** What tells these from others stands in fields that the path of the schema does not have. */
const TOLD_BY: Readonly<
  Record<string, { readonly query?: string; readonly headers?: Record<string, string> }>
> = {
  AbortMultipartUpload: { query: "uploadId=u" },
  CompleteMultipartUpload: { query: "uploadId=u" },
  CopyObject: { headers: { "x-amz-copy-source": "/b/other" } },
  ListParts: { query: "uploadId=u" },
  RenameObject: { headers: { "x-amz-rename-source": "/b/other" } },
  UploadPart: { query: "uploadId=u&partNumber=1" },
  UploadPartCopy: { query: "uploadId=u&partNumber=1", headers: { "x-amz-copy-source": "/b/other" } },
};

/** Those about no bucket. */
const OF_SERVICE: ReadonlySet<string> = new Set(["ListBuckets", "ListDirectoryBuckets"]);

/** Operations that the SDK does not name, by the requests that they are. */
const OUTSIDE_SDK: Readonly<
  Record<string, { readonly method: string; readonly url: string; readonly headers?: Record<string, string> }>
> = {
  AppendObject: { method: "PUT", url: "/b/k", headers: { "x-amz-write-offset-bytes": "0" } },
  GetObjects: { method: "POST", url: "/b?batch-get" },
  WriteBatch: { method: "POST", url: "/b?batch" },
  PostObject: { method: "POST", url: "/b", headers: { "content-type": "multipart/form-data; boundary=x" } },
};

function routeOf(method: string, url: string, headers: Record<string, string> = {}): Route {
  return routeOperation({ method, target: parseRequestTarget({ url, host: "h" }), headers });
}

function routeOfSdk({ name, method, path }: SdkOperation): Route {
  const { query, headers } = TOLD_BY[name] ?? {};
  const named = path.replace("{Key+}", "k");
  const [start = "", rest] = named.split("?");
  const url = `${OF_SERVICE.has(name) ? "" : "/b"}${start}?${[rest, query].filter(Boolean).join("&")}`;
  return routeOf(method, url, headers);
}

function routeOfEntry(entry: OperationEntry): Route | undefined {
  const outside = OUTSIDE_SDK[entry.name];
  if (outside !== undefined) return routeOf(outside.method, outside.url, outside.headers);
  const found = sdkOperations().find(({ name }) => name === entry.name);
  return found && routeOfSdk(found);
}

test("every operation of the AWS SDK is named once, in order, and nothing else but what says so", () => {
  const expected = [...sdkOperations().map(({ name }) => name), ...Object.keys(OUTSIDE_SDK)];
  expect(expected.length).toBeGreaterThan(100);
  expect(operations.map(({ name }) => name)).toEqual(expected.toSorted());
  const outside = operations.filter(({ isOutsideSdk }) => isOutsideSdk).map(({ name }) => name);
  expect(outside).toEqual(Object.keys(OUTSIDE_SDK).toSorted());
});

test.each(operations)("$name is $status, and the router says the same", (entry) => {
  const route = routeOfEntry(entry);
  const built = { kind: "operation", name: entry.name };
  if (entry.status === "done") return expect(route).toEqual(built);
  // Neither done nor mistaken for another operation.
  if (entry.status === "not") return expect(route?.kind).toBe("refused");
  if (route?.kind !== "operation") return expect(route?.kind).toMatch(/^absent(Bucket|Object)Setting$/);
  return expect(route).toEqual(built);
});

test("every operation that is built is done, or partly", () => {
  const built = operations.filter(({ name, status }) => status !== "not" && name in operationTable);
  expect(built.map(({ name }) => name)).toEqual(Object.keys(operationTable).toSorted());
});

test("what is done only partly says what is missing", () => {
  const silent = operations.filter(({ status, note }) => status === "partly" && note === undefined);
  expect(silent).toEqual([]);
});
