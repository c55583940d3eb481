/** Uploads from browser forms, over HTTP, on a real store. */
import { hash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { FormDataReader } from "../../src/s3/form-data.ts";
import type { FormEvent } from "../../src/s3/form-data.ts";
import { elementOf, send } from "./client.ts";
import { OTHER, OTHER_SECRET, ROOT, ROOT_SECRET } from "./fake-service.ts";
import { RealBucket } from "./real-bucket.ts";
import { BOUNDARY, formOf, post, signed } from "./signed-form.ts";
import type { Condition, Fields } from "./signed-form.ts";
import { startEdge } from "./start-edge.ts";

const LARGE = randomBytes(300_000);

const POLICY: readonly Condition[] = [
  { bucket: "bucket" },
  ["starts-with", "$key", "user/"],
  ["starts-with", "$Content-Type", ""],
  ["starts-with", "$x-amz-meta-a", ""],
  ["starts-with", "$success_action_status", ""],
  ["starts-with", "$success_action_redirect", ""],
];

/** A form signed by others is theirs, whoever's bucket it names. */
test("PostObject_of_somebody_else is AccessDenied and changes nothing", async () => {
  const started = await startEdge();
  try {
    await send(started.port, { method: "PUT", url: "/bucket" });
    const server = {
      endpoint: `http://127.0.0.1:${started.port}`,
      credentials: { accessKeyId: OTHER.accessKey, secretAccessKey: OTHER_SECRET },
    };
    const body = formOf(Object.entries(signed({ server }, POLICY, { key: "user/a" })), Buffer.from("x"));
    expect((await post({ server }, body)).code).toBe("AccessDenied");
    expect(started.service.world.objects.size).toBe(0);
    const mine = { accessKeyId: ROOT.accessKey, secretAccessKey: ROOT_SECRET };
    const own = { server: { ...server, credentials: mine } };
    const good = formOf(Object.entries(signed(own, POLICY, { key: "user/a" })), Buffer.from("x"));
    expect((await post(own, good)).status).toBe(204);
  } finally {
    await started.close();
  }
});

describe("PostObject", () => {
  test.each([
    ["empty", Buffer.alloc(0), 1_000_000],
    ["small", Buffer.from("small\r\n--not the boundary"), 1_000_000],
    ["small, byte by byte", Buffer.from("small"), 1],
    ["large", LARGE, 1_000_000],
    ["large, in odd pieces", LARGE, 9_973],
  ])(
    "PostObject_file that is %s is stored as it is, with what the form says of it",
    async (_, file, chunk) => {
      await using bucket = await RealBucket.open();
      const fields = signed(bucket, POLICY, {
        key: "user/${filename}",
        "Content-Type": "text/plain",
        "x-amz-meta-a": "ü",
      });
      const posted = await post(bucket, formOf(Object.entries(fields), file, "C:\\x\\ü.txt"), chunk);
      expect([posted.status, posted.text]).toEqual([204, ""]);
      expect(posted.headers["etag"]).toBe(`"${hash("md5", file, "hex")}"`);
      const got = await bucket.get("user/%C3%BC.txt");
      expect(got.body.equals(file)).toBe(true);
      expect(got.headers["content-type"]).toBe("text/plain");
      expect(got.headers["x-amz-meta-a"]).toBe("=?UTF-8?B?w7w=?=");
    },
  );

  test("PostObject_success_action_status and redirect", async () => {
    await using bucket = await RealBucket.open();
    const of = (extra: Fields) =>
      formOf(Object.entries(signed(bucket, POLICY, { key: "user/a b", ...extra })), Buffer.from("x"));
    expect((await post(bucket, of({ success_action_status: "200" }))).status).toBe(200);
    const created = await post(bucket, of({ success_action_status: "201" }));
    expect(created.status).toBe(201);
    expect([elementOf(created.text, "Bucket"), elementOf(created.text, "Key")]).toEqual([
      "bucket",
      "user/a b",
    ]);
    expect(elementOf(created.text, "Location")).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/bucket\/user\/a%20b$/);
    expect((await post(bucket, of({ success_action_status: "418" }))).status).toBe(204);
    const redirected = await post(bucket, of({ success_action_redirect: "http://example.org/done?a=1" }));
    expect(redirected.status).toBe(303);
    const etag = hash("md5", "x", "hex");
    expect(redirected.headers["location"]).toBe(
      `http://example.org/done?a=1&bucket=bucket&key=user%2Fa%20b&etag=%22${etag}%22`,
    );
  });

  const refusals: readonly (readonly [
    string,
    string,
    (bucket: RealBucket) => readonly (readonly [string, string])[],
  ])[] = [
    ["without a policy", "AccessDenied", () => [["key", "user/a"]]],
    ["with another key than allowed", "AccessDenied", (b) => entries(signed(b, POLICY, { key: "other/a" }))],
    [
      "with a field that no condition covers",
      "AccessDenied",
      (b) => entries(signed(b, POLICY, { key: "user/a", "x-amz-meta-b": "1" })),
    ],
    [
      "after the policy has expired",
      "AccessDenied",
      (b) => entries(signed(b, POLICY, { key: "user/a" }, 61_000)),
    ],
    [
      "without a field that a condition wants",
      "AccessDenied",
      (b) => entries(signed(b, [...POLICY, { acl: "private" }], { key: "user/a" })),
    ],
    [
      "for another bucket",
      "AccessDenied",
      (b) => entries(signed(b, [{ bucket: "other" }, ...POLICY.slice(1)], { key: "user/a" })),
    ],
    [
      "with a wrong signature",
      "SignatureDoesNotMatch",
      (b) => entries({ ...signed(b, POLICY, { key: "user/a" }), "x-amz-signature": "0".repeat(64) }),
    ],
    [
      "with another policy than was signed",
      "SignatureDoesNotMatch",
      (b) => {
        const { policy = "", ...rest } = signed(b, POLICY, { key: "user/a" });
        return entries({ ...rest, policy: policy.replace("ey", "eX") });
      },
    ],
    [
      "of a stranger",
      "InvalidAccessKeyId",
      (b) => {
        const fields = signed(b, POLICY, { key: "user/a" });
        return entries({ ...fields, "x-amz-credential": `no${fields["x-amz-credential"]}` });
      },
    ],
    ["without a key", "InvalidArgument", (b) => entries(signed(b, POLICY, {}))],
    [
      "with a field twice",
      "InvalidArgument",
      (b) => [...entries(signed(b, POLICY, { key: "user/a" })), ["key", "user/b"]],
    ],
    [
      "with fields of more than 20 KB",
      "MaxPostPreDataLengthExceeded",
      (b) => entries(signed(b, POLICY, { key: "user/a", "x-ignore-me": "x".repeat(21_000) })),
    ],
    [
      "with conditions that are none",
      "InvalidPolicyDocument",
      (b) => entries(signed(b, [["like", "$key", "a"]], { key: "user/a" })),
    ],
    [
      "that is too small",
      "EntityTooSmall",
      (b) => entries(signed(b, [...POLICY, ["content-length-range", 100, 1_000_000]], { key: "user/a" })),
    ],
    [
      "that is too large",
      "EntityTooLarge",
      (b) => entries(signed(b, [...POLICY, ["content-length-range", 0, 10]], { key: "user/a" })),
    ],
  ];
  const entries = (fields: Fields) => Object.entries(fields);

  test.each(refusals)("PostObject %s is refused and stores nothing", async (_, code, fieldsOf) => {
    await using bucket = await RealBucket.open();
    const posted = await post(bucket, formOf(fieldsOf(bucket), Buffer.from("what is posted")));
    expect(posted.code).toBe(code);
    expect((await bucket.call("GET", "/bucket")).text).not.toContain("<Key>");
  });

  test("PostObject_large that is longer than allowed is refused while it comes", async () => {
    await using bucket = await RealBucket.open();
    const conditions = [...POLICY, ["content-length-range", 0, 200_000]];
    const fields = signed(bucket, conditions, { key: "user/a" });
    expect((await post(bucket, formOf(Object.entries(fields), LARGE), 50_000)).code).toBe("EntityTooLarge");
    expect((await bucket.get("user/a")).status).toBe(404);
  });

  test("PostObject_signed with version 2 is told which version is meant", async () => {
    await using bucket = await RealBucket.open();
    const policy = signed(bucket, POLICY, { key: "user/a" })["policy"] ?? "";
    const fields = { key: "user/a", AWSAccessKeyId: "thermocline", policy, signature: "c2lnbmF0dXJl" };
    const refused = await post(bucket, formOf(Object.entries(fields), Buffer.from("x")));
    expect(refused.code).toBe("InvalidRequest");
    expect(refused.text).toContain("Please use AWS4-HMAC-SHA256");
    expect((await bucket.get("user/a")).status).toBe(404);
  });

  test("PostObject_malformed forms are refused", async () => {
    await using bucket = await RealBucket.open();
    const fields = Object.entries(signed(bucket, POLICY, { key: "user/a" }));
    const good = formOf(fields, Buffer.from("x"));
    expect((await post(bucket, formOf(fields, undefined))).code).toBe("InvalidArgument");
    expect((await post(bucket, good.subarray(0, good.length - 10))).code).toBe("IncompleteBody");
    expect((await post(bucket, Buffer.from("nothing of a form"))).code).toBe("MalformedPOSTRequest");
    expect((await post(bucket, Buffer.concat([Buffer.from("preamble\r\n"), good]))).code).toBe(
      "MalformedPOSTRequest",
    );
    const absent = formOf(
      Object.entries(signed(bucket, POLICY.slice(1), { key: "user/a" })),
      Buffer.from("x"),
    );
    expect((await post(bucket, absent, absent.length, "absent-bucket")).code).toBe("NoSuchBucket");
    expect((await bucket.get("user/a")).status).toBe(404);
  });
});

test("a form says the same however its bytes arrive", () => {
  const form = formOf(
    [
      ["a", "1"],
      ["empty", ""],
      ["b", "x\r\n--y"],
    ],
    LARGE.subarray(0, 3000),
  );
  const read = (cuts: readonly number[]): string => {
    const reader = new FormDataReader(BOUNDARY);
    const events: FormEvent[] = [];
    let at = 0;
    for (const cut of [...cuts, form.length]) {
      events.push(...reader.push(form.subarray(at, cut)));
      at = cut;
    }
    expect(reader.isComplete).toBe(true);
    const file = Buffer.concat(
      events.map((event) => (event.kind === "bytes" ? event.bytes : Buffer.alloc(0))),
    );
    expect(file.equals(LARGE.subarray(0, 3000))).toBe(true);
    return JSON.stringify(events.filter(({ kind }) => kind !== "bytes"));
  };
  const whole = read([]);
  for (let cut = 1; cut < form.length; cut++) expect(read([cut])).toBe(whole);
  expect(read(Array.from({ length: form.length - 1 }, (_, at) => at + 1))).toBe(whole);
});
