/** Cross-origin rules: what is kept of them, what a preflight is told, and what answers to pages carry. */
import { describe, expect, test } from "vitest";
import { elementsOf, send } from "./client.ts";
import type { Answer, Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartOptions } from "./start-edge.ts";

type Ask = (call: Call) => Promise<Answer>;

/** With `/mine/key`. */
async function withBucket(run: (ask: Ask) => Promise<void>, options: StartOptions = {}): Promise<void> {
  const started = await startEdge(options);
  try {
    await send(started.port, { method: "PUT", url: "/mine" });
    await send(started.port, { method: "PUT", url: "/mine/key", body: "x" });
    await run((call) => send(started.port, call));
  } finally {
    await started.close();
  }
}

const elements = (name: string, ...texts: readonly string[]): string =>
  texts.map((text) => `<${name}>${text}</${name}>`).join("");
const rule = (...parts: readonly string[]): string => `<CORSRule>${parts.join("")}</CORSRule>`;
const configuration = (...rules: readonly string[]): string =>
  `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rules.join("")}</CORSConfiguration>`;
const getFrom = (origin: string): string =>
  rule(elements("AllowedMethod", "GET"), elements("AllowedOrigin", origin));

const APP = "https://app.example.com";
const FULL = configuration(
  rule(
    elements("ID", "app"),
    elements("AllowedHeader", "x-amz-*", "Content-Type"),
    elements("AllowedMethod", "PUT", "POST"),
    elements("AllowedOrigin", "https://*.example.com"),
    elements("ExposeHeader", "ETag", "x-amz-version-id"),
    elements("MaxAgeSeconds", "600"),
  ),
  getFrom("*"),
);

function preflight(origin: string, method: string, headers?: string): Call {
  return {
    method: "OPTIONS",
    url: "/mine/key",
    credentials: null,
    headers: {
      origin,
      "access-control-request-method": method,
      ...(headers === undefined ? {} : { "access-control-request-headers": headers }),
    },
  };
}

const put = (ask: Ask, body: string): Promise<Answer> => ask({ method: "PUT", url: "/mine?cors", body });

describe("PutBucketCors", () => {
  test("comes back from GetBucketCors as it was, until it is deleted", () =>
    withBucket(async (ask) => {
      expect((await ask({ url: "/mine?cors" })).code).toBe("NoSuchCORSConfiguration");
      expect((await put(ask, FULL)).status).toBe(200);
      const { text } = await ask({ url: "/mine?cors" });
      expect(text.replace(/^<\?xml[^>]*>\s*/, "")).toBe(FULL);
      expect((await put(ask, configuration(getFrom("http://a.b")))).status).toBe(200);
      expect(elementsOf((await ask({ url: "/mine?cors" })).text, "AllowedOrigin")).toEqual(["http://a.b"]);
      for (const status of [204, 204]) {
        expect((await ask({ method: "DELETE", url: "/mine?cors" })).status).toBe(status);
      }
      expect((await ask({ url: "/mine?cors" })).code).toBe("NoSuchCORSConfiguration");
    }));

  const origin = elements("AllowedOrigin", "*");
  const method = elements("AllowedMethod", "GET");
  test.each<readonly [string, string, string | undefined]>([
    ["100 rules", configuration(...Array<string>(100).fill(getFrom("*"))), undefined],
    ["101 rules", configuration(...Array<string>(101).fill(getFrom("*"))), "InvalidRequest"],
    [
      "a method that S3 does not have",
      configuration(rule(elements("AllowedMethod", "PATCH"), origin)),
      "InvalidRequest",
    ],
    [
      "a method in lower case",
      configuration(rule(elements("AllowedMethod", "get"), origin)),
      "InvalidRequest",
    ],
    ["two wildcards in an origin", configuration(getFrom("https://*.*.com")), "InvalidRequest"],
    [
      "two wildcards in a header",
      configuration(rule(method, origin, elements("AllowedHeader", "x-*-*"))),
      "InvalidRequest",
    ],
    [
      "a wildcard in an exposed header",
      configuration(rule(method, origin, elements("ExposeHeader", "*"))),
      "InvalidRequest",
    ],
    [
      "an id of 256 characters",
      configuration(rule(elements("ID", "i".repeat(256)), method, origin)),
      "InvalidArgument",
    ],
    ["no origin", configuration(rule(method)), "MalformedXML"],
    ["no method", configuration(rule(origin)), "MalformedXML"],
    ["no rule", configuration(), "MalformedXML"],
    [
      "an element that is not known",
      configuration(rule(method, origin, elements("Other", "x"))),
      "MalformedXML",
    ],
    [
      "an age that is no number",
      configuration(rule(method, origin, elements("MaxAgeSeconds", "-1"))),
      "MalformedXML",
    ],
    ["a line break in an origin", configuration(getFrom("http://a&#13;&#10;x: y")), "MalformedXML"],
    ["another document", "<Tagging/>", "MalformedXML"],
    ["no document", "", "MissingRequestBodyError"],
  ])("%s", (_, body, code) =>
    withBucket(async (ask) => {
      expect((await put(ask, body)).code).toBe(code);
      expect((await ask({ url: "/mine?cors" })).code).toBe(
        code === undefined ? undefined : "NoSuchCORSConfiguration",
      );
    }),
  );
});

describe("a preflight, without credentials", () => {
  test("is told what the first rule that fits allows", () =>
    withBucket(async (ask) => {
      await put(ask, FULL);
      const answer = await ask(preflight(APP, "PUT", "X-Amz-Date, content-type"));
      expect([answer.status, answer.text]).toEqual([200, ""]);
      expect(answer.headers).toMatchObject({
        "access-control-allow-origin": APP,
        "access-control-allow-methods": "PUT, POST",
        "access-control-allow-headers": "x-amz-date, content-type",
        "access-control-expose-headers": "ETag, x-amz-version-id",
        "access-control-max-age": "600",
        "access-control-allow-credentials": "true",
        vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
      });
      const everybody = await ask(preflight("https://elsewhere.test", "GET"));
      expect(everybody.headers["access-control-allow-origin"]).toBe("*");
      expect(everybody.headers["access-control-allow-credentials"]).toBeUndefined();
    }));

  test.each([
    ["another origin", preflight("https://example.com.evil.test", "PUT")],
    ["the origin without what the wildcard stands before", preflight("https://example.com", "PUT")],
    ["another method", preflight(APP, "DELETE")],
    ["another header", preflight(APP, "PUT", "x-amz-date, authorization")],
  ])("with %s is AccessForbidden", (_, call) =>
    withBucket(async (ask) => {
      await put(ask, FULL);
      const answer = await ask(call);
      expect([answer.status, answer.code]).toEqual([403, "AccessForbidden"]);
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }),
  );

  test("of a bucket without rules is AccessForbidden, and one without an origin or a method BadRequest", () =>
    withBucket(async (ask) => {
      expect((await ask(preflight(APP, "GET"))).code).toBe("AccessForbidden");
      await put(ask, FULL);
      const bare = { method: "OPTIONS", url: "/mine/key", credentials: null };
      expect((await ask(bare)).code).toBe("BadRequest");
      expect((await ask({ ...bare, headers: { origin: APP } })).code).toBe("BadRequest");
    }));
});

describe("a request from a page", () => {
  test("gets the head lines with its answer, a cached object's and an error's too, and others do not", () =>
    withBucket(async (ask) => {
      await put(ask, configuration(rule(elements("AllowedMethod", "GET"), elements("AllowedOrigin", APP))));
      const headers = { origin: APP };
      for (const [call, status] of [
        [{ url: "/mine/key", headers }, 200],
        [{ url: "/mine/key", headers }, 200],
        [{ url: "/mine/none", headers }, 404],
        [{ url: "/mine", headers }, 200],
        [{ url: "/mine/key", headers, credentials: null }, 403],
      ] as const) {
        const answer = await ask(call);
        expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([status, APP]);
        expect(answer.headers.vary).toContain("Origin");
      }
      for (const call of [
        { url: "/mine/key" },
        { url: "/mine/key", headers: { origin: "https://other.test" } },
        { url: "/mine/key", headers: { origin: `${APP}.other.test` } },
        { method: "PUT", url: "/mine/key", headers, body: "y" },
      ]) {
        const answer = await ask(call);
        expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([200, undefined]);
        expect(answer.headers.vary).toContain("Origin");
      }
      expect((await ask({ url: "/mine/key" })).text).toBe("y");
    }));

  test("where there are rules every answer says what it depends on, lest caches mix them up", () =>
    withBucket(async (ask) => {
      const calls = [{ url: "/mine/key" }, { url: "/mine/key" }, { url: "/mine/none" }, { url: "/mine" }];
      const varies = async (): Promise<readonly unknown[]> => {
        const answers = await Promise.all(calls.map(ask));
        return answers.map(({ headers }) => headers.vary);
      };
      expect(await varies()).toEqual(calls.map(() => undefined));
      await put(ask, FULL);
      const all = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
      expect(await varies()).toEqual(calls.map(() => all));
      await ask({ method: "DELETE", url: "/mine?cors" });
      expect(await varies()).toEqual(calls.map(() => undefined));
    }));

  test("s3.corsAllowOrigin holds for all buckets, behind their own rules", () =>
    withBucket(
      async (ask) => {
        const allowed = async (origin: string): Promise<unknown> =>
          (await ask({ url: "/mine/key", headers: { origin } })).headers["access-control-allow-origin"];
        expect([await allowed(APP), await allowed("https://other.test")]).toEqual([APP, undefined]);
        expect((await ask(preflight(APP, "DELETE", "authorization,x-amz-date"))).status).toBe(200);
        expect(
          (await ask({ url: "/", headers: { origin: APP } })).headers["access-control-allow-origin"],
        ).toBe(APP);
        await put(ask, configuration(getFrom("https://other.test")));
        expect([await allowed(APP), await allowed("https://other.test")]).toEqual([
          APP,
          "https://other.test",
        ]);
      },
      { corsAllowOrigin: ["https://*.example.com"] },
    ));
});
