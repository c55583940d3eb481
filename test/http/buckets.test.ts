/**
 * Buckets over HTTP: create, head, list with paging, location, delete, and whose they are.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { elementOf, elementsOf, OTHER_CREDENTIALS, send } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

async function withEdge(run: (started: StartedEdge) => Promise<void>, options = {}): Promise<void> {
  const started = await startEdge(options);
  try {
    await run(started);
  } finally {
    await started.close();
  }
}

function location(region: string): string {
  const constraint = `<LocationConstraint>${region}</LocationConstraint>`;
  return `<CreateBucketConfiguration>${constraint}</CreateBucketConfiguration>`;
}

describe("buckets", () => {
  let shared: StartedEdge;
  beforeAll(async () => {
    shared = await startEdge();
  });
  afterAll(() => shared.close());

  test("CreateBucket_then_HeadBucket shows the region", () =>
    withEdge(async ({ port }) => {
      const created = await send(port, { method: "PUT", url: "/first" });
      expect(created.status).toBe(200);
      expect(created.headers["location"]).toBe("/first");
      expect(created.headers["x-thermocline-token"]).toMatch(/^\d+$/);
      const head = await send(port, { method: "HEAD", url: "/first" });
      expect(head.status).toBe(200);
      expect(head.headers["x-amz-bucket-region"]).toBe("us-east-1");
    }));

  test("CreateBucket_with_any_location keeps it", () =>
    withEdge(async ({ port }) => {
      expect((await send(port, { method: "PUT", url: "/b-eu", body: location("eu-west-9") })).status).toBe(
        200,
      );
      const head = await send(port, { method: "HEAD", url: "/b-eu" });
      expect(head.headers["x-amz-bucket-region"]).toBe("eu-west-9");
      const answer = await send(port, { url: "/b-eu?location" });
      expect(answer.text).toContain(">eu-west-9</LocationConstraint>");
    }));

  test("CreateBucket_again_by_its_owner is a success, by another BucketAlreadyExists", () =>
    withEdge(async ({ port }) => {
      await send(port, { method: "PUT", url: "/mine" });
      expect((await send(port, { method: "PUT", url: "/mine" })).status).toBe(200);
      const answer = await send(port, { method: "PUT", url: "/mine", credentials: OTHER_CREDENTIALS });
      expect([answer.status, answer.code]).toEqual([409, "BucketAlreadyExists"]);
    }));

  test.each(["/Ab", "/a", "/a..b", "/192.168.0.1", "/xn--x"])(
    "CreateBucket_with_bad_name %s",
    async (url) => {
      const answer = await send(shared.port, { method: "PUT", url });
      expect([answer.status, answer.code]).toEqual([400, "InvalidBucketName"]);
    },
  );

  test("CreateBucket_with_malformed_document", async () => {
    const answer = await send(shared.port, { method: "PUT", url: "/mal-formed", body: "<Create" });
    expect([answer.status, answer.code]).toEqual([400, "MalformedXML"]);
  });

  test("HeadBucket_absent answers 404 without a body", async () => {
    const answer = await send(shared.port, { method: "HEAD", url: "/absent" });
    expect([answer.status, answer.body.length]).toEqual([404, 0]);
  });

  test("requests to the bucket of another owner are AccessDenied", () =>
    withEdge(async ({ port }) => {
      await send(port, { method: "PUT", url: "/private" });
      for (const [method, url] of [
        ["GET", "/private"],
        ["PUT", "/private/key"],
        ["GET", "/private/key"],
        ["DELETE", "/private"],
      ] as const) {
        const answer = await send(port, { method, url, credentials: OTHER_CREDENTIALS });
        expect([answer.status, answer.code]).toEqual([403, "AccessDenied"]);
      }
    }));

  test("x-amz-expected-bucket-owner is compared", () =>
    withEdge(async ({ port }) => {
      await send(port, { method: "PUT", url: "/owned" });
      const headers = { "x-amz-expected-bucket-owner": "someone" };
      expect((await send(port, { url: "/owned", headers })).code).toBe("AccessDenied");
      expect(
        (await send(port, { url: "/owned", headers: { "x-amz-expected-bucket-owner": "root" } })).status,
      ).toBe(200);
    }));

  test("ListBuckets_paged shows all own buckets once, in order", () =>
    withEdge(async ({ port }) => {
      const names = ["aaa", "bbb", "ccc", "ddd", "eee"];
      for (const name of names) await send(port, { method: "PUT", url: `/${name}` });
      await send(port, { method: "PUT", url: "/bzz", credentials: OTHER_CREDENTIALS });
      const all = await send(port, { url: "/" });
      expect(elementsOf(all.text, "Name")).toEqual(names);
      const seen: string[] = [];
      let token: string | undefined = "";
      while (token !== undefined) {
        const query: string = token === "" ? "" : `&continuation-token=${token}`;
        const page = await send(port, { url: `/?max-buckets=2${query}` });
        seen.push(...elementsOf(page.text, "Name"));
        token = elementOf(page.text, "ContinuationToken");
      }
      expect(seen).toEqual(names);
      expect(elementsOf((await send(port, { url: "/?prefix=c" })).text, "Name")).toEqual(["ccc"]);
    }));

  test("DeleteBucket_not_empty, then empty, then absent", () =>
    withEdge(async ({ port }) => {
      await send(port, { method: "PUT", url: "/del" });
      await send(port, { method: "PUT", url: "/del/key", body: "x" });
      expect((await send(port, { method: "DELETE", url: "/del" })).code).toBe("BucketNotEmpty");
      await send(port, { method: "DELETE", url: "/del/key" });
      expect((await send(port, { method: "DELETE", url: "/del" })).status).toBe(204);
      expect((await send(port, { method: "DELETE", url: "/del" })).code).toBe("NoSuchBucket");
    }));

  test("sub-resources nobody has set answer as AWS does for absent", () =>
    withEdge(async ({ port }) => {
      await send(port, { method: "PUT", url: "/subs" });
      await send(port, { method: "PUT", url: "/subs/key", body: "x" });
      expect((await send(port, { url: "/subs?versioning" })).text).toContain("<VersioningConfiguration");
      expect((await send(port, { url: "/subs?policy" })).code).toBe("NoSuchBucketPolicy");
      expect((await send(port, { url: "/subs/key?tagging" })).text).toContain("<TagSet/>");
      expect((await send(port, { url: "/subs/none?tagging" })).code).toBe("NoSuchKey");
      expect((await send(port, { method: "PUT", url: "/subs?policy", body: "{}" })).code).toBe(
        "NotImplemented",
      );
      expect((await send(port, { method: "PUT", url: "/subs/key?retention", body: "<T/>" })).code).toBe(
        "NotImplemented",
      );
      expect((await send(port, { url: "/subs/key" })).text).toBe("x");
    }));
});
