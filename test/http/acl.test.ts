/**
 * ACLs where the bucket's owner owns everything: one answer to every question, and puts that confirm it.
 */
import { describe, expect, test } from "vitest";
import { elementOf, send } from "./client.ts";
import type { Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";

/** With `/mine/key`. */
async function withBucket(
  run: (ask: (call: Call) => ReturnType<typeof send>) => Promise<void>,
): Promise<void> {
  const started = await startEdge();
  try {
    await send(started.port, { method: "PUT", url: "/mine" });
    await send(started.port, { method: "PUT", url: "/mine/key", body: "x" });
    await run((call) => send(started.port, call));
  } finally {
    await started.close();
  }
}

const grant = (id: string, permission: string): string =>
  '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">' +
  `<ID>${id}</ID></Grantee><Permission>${permission}</Permission></Grant>`;
const policy = (id: string, grants: string): string =>
  `<AccessControlPolicy><Owner><ID>${id}</ID></Owner><AccessControlList>${grants}</AccessControlList>` +
  "</AccessControlPolicy>";

describe.each(["/mine?acl", "/mine/key?acl"])("PUT and GET %s", (url) => {
  test("GetAcl_is_the_owners_FULL_CONTROL", () =>
    withBucket(async (ask) => {
      const { text, status } = await ask({ url });
      const id = elementOf(text, "ID") ?? "";
      expect([status, id.length]).toEqual([200, 64]);
      expect(text).toContain(
        `<AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
          `xsi:type="CanonicalUser"><ID>${id}</ID><DisplayName>root</DisplayName></Grantee>` +
          "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList>",
      );
    }));

  test("PutAcl_that_says_what_is_the_case is accepted", () =>
    withBucket(async (ask) => {
      const { text } = await ask({ url });
      const id = elementOf(text, "ID") ?? "";
      for (const acl of ["private", "bucket-owner-full-control"]) {
        expect((await ask({ method: "PUT", url, headers: { "x-amz-acl": acl } })).status).toBe(200);
      }
      expect((await ask({ method: "PUT", url, body: policy(id, grant(id, "FULL_CONTROL")) })).status).toBe(
        200,
      );
      // What the server itself wrote comes back from clients that edit it.
      expect((await ask({ method: "PUT", url, body: text })).status).toBe(200);
    }));

  test("PutAcl_that_says_anything_else is AccessControlListNotSupported, and nothing changes", () =>
    withBucket(async (ask) => {
      const { text } = await ask({ url });
      const id = elementOf(text, "ID") ?? "";
      const calls: readonly Omit<Call, "url">[] = [
        { headers: { "x-amz-acl": "public-read" } },
        { headers: { "x-amz-acl": "authenticated-read" } },
        { headers: { "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' } },
        { body: policy(id, grant(id, "READ")) },
        { body: policy(id, grant("0".repeat(64), "FULL_CONTROL")) },
        { body: policy(id, grant(id, "FULL_CONTROL") + grant("0".repeat(64), "READ")) },
        { body: policy(id, "") },
      ];
      for (const call of calls) {
        const answer = await ask({ method: "PUT", url, ...call });
        expect([answer.status, answer.code]).toEqual([400, "AccessControlListNotSupported"]);
      }
      expect((await ask({ url })).text).toBe(text);
    }));

  test("PutAcl_malformed", () =>
    withBucket(async (ask) => {
      const code = async (call: Omit<Call, "url">) => (await ask({ method: "PUT", url, ...call })).code;
      expect(await code({})).toBe("MissingSecurityHeader");
      expect(await code({ headers: { "x-amz-acl": "nonsense" } })).toBe("InvalidArgument");
      expect(await code({ body: "<Other/>" })).toBe("MalformedACLError");
      expect(await code({ body: policy("x", "<Grant/>") })).toBe("MalformedACLError");
      const both = { headers: { "x-amz-acl": "private" }, body: policy("x", grant("x", "FULL_CONTROL")) };
      expect(await code(both)).toBe("UnexpectedContent");
    }));
});

test("ObjectAcl_of_an_absent_key is NoSuchKey", () =>
  withBucket(async (ask) => {
    const headers = { "x-amz-acl": "private" };
    expect((await ask({ url: "/mine/none?acl" })).code).toBe("NoSuchKey");
    expect((await ask({ method: "PUT", url: "/mine/none?acl", headers })).code).toBe("NoSuchKey");
  }));

test("x-amz-acl where something is made: private is accepted, public-read is not", () =>
  withBucket(async (ask) => {
    for (const [method, url] of [
      ["PUT", "/new-bucket"],
      ["PUT", "/mine/new"],
      ["POST", "/mine/new?uploads"],
    ] as const) {
      const refused = await ask({ method, url, headers: { "x-amz-acl": "public-read" } });
      expect([url, refused.code]).toEqual([url, "AccessControlListNotSupported"]);
      expect((await ask({ method, url, headers: { "x-amz-acl": "private" } })).status).toBe(200);
    }
  }));

test("OwnershipControls are BucketOwnerEnforced, and can be put as that only", () =>
  withBucket(async (ask) => {
    const url = "/mine?ownershipControls";
    const { text } = await ask({ url });
    expect(elementOf(text, "ObjectOwnership")).toBe("BucketOwnerEnforced");
    const put = async (body: string) => {
      const answer = await ask({ method: "PUT", url, body });
      return answer.code ?? answer.status;
    };
    expect(await put(text)).toBe(200);
    expect(await put(text.replace("BucketOwnerEnforced", "ObjectWriter"))).toBe("NotImplemented");
    expect(await put(text.replace("BucketOwnerEnforced", "Nobody"))).toBe("MalformedXML");
    expect(await put("")).toBe("MalformedXML");
  }));
