/** Presigned requests, and what verification remembers between requests without ever trusting it blindly. */

import { describe, expect, test } from "vitest";

import { BoundedMemo } from "../../src/s3/bounded-memo.ts";
import { presign, sha256Hex } from "./signer.ts";
import { AWS, freshCaches, HOST, NOW, refusal, signedGet, verify } from "./verify-request.ts";

describe("presigned requests", () => {
  const base = { method: "GET", url: "/bucket/key", host: HOST, nowMs: NOW, credentials: AWS };

  test("SigV4_presigned_malformed_parts_are_explained", () => {
    const url = presign({ ...base, expiresSeconds: 60 });
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [
        url.replace(/&X-Amz-Expires=60/, ""),
        "AuthorizationQueryParametersError",
        /requires the X-Amz-Algorithm/,
      ],
      [url.replace("Expires=60", "Expires=x"), "AuthorizationQueryParametersError", /should be a number/],
      [url.replace("Expires=60", "Expires=-1"), "AuthorizationQueryParametersError", /non-negative/],
      [url.replace("Expires=60", "Expires=0"), "AuthorizationQueryParametersError", /at least 1/],
      [url.replace("Expires=60", "Expires=604801"), "AuthorizationQueryParametersError", /less than a week/],
      [url.replace("HMAC-SHA256", "HMAC-MD5"), "AuthorizationQueryParametersError", /only supports/],
      [url.replace("%2Fs3%2F", "%2Fsqs%2F"), "AuthorizationQueryParametersError", /incorrect service "sqs"/],
      [url.replace("Date=2026", "Date=x026"), "AuthorizationQueryParametersError", /Long Format/],
      [
        url.replace("%2F20261121%2F", "%2F20261122%2F"),
        "AuthorizationQueryParametersError",
        /not the same as/,
      ],
      [url.replace("Signature=", "Signature=0"), "SignatureDoesNotMatch", /does not match/],
    ];
    for (const [text, code, message] of cases) {
      const error = refusal(verify({ url: text, headers: { host: HOST } }));
      expect([text, error.code]).toEqual([text, code]);
      expect(error.message).toMatch(message);
    }
  });

  test("SigV4_presigned_expiry_of_a_week_is_the_most", () => {
    const url = presign({ ...base, expiresSeconds: 604_800 });
    expect(verify({ url, headers: { host: HOST } }).kind).toBe("verified");
  });

  test("SigV4_presigned_signed_headers_count", () => {
    const url = presign({ ...base, expiresSeconds: 60, headers: { "x-amz-meta-a": "1" } });
    expect(verify({ url, headers: { host: HOST, "x-amz-meta-a": "1" } }).kind).toBe("verified");
    expect(refusal(verify({ url, headers: { host: HOST, "x-amz-meta-a": "2" } })).code).toBe(
      "SignatureDoesNotMatch",
    );
    expect(refusal(verify({ url, headers: { host: HOST } })).code).toBe("SignatureDoesNotMatch");
    const extra = { host: HOST, "x-amz-meta-a": "1", "x-amz-meta-b": "1" };
    expect(refusal(verify({ url, headers: extra })).fields).toEqual({ HeadersNotSigned: "x-amz-meta-b" });
  });

  test("SigV4_presigned_payload_hash_in_the_query", () => {
    const payloadHash = sha256Hex("hello");
    const url = presign({ ...base, method: "PUT", expiresSeconds: 60, payloadHash, payloadInQuery: true });
    const result = verify({ method: "PUT", url, headers: { host: HOST } });
    expect(result).toMatchObject({ payload: { kind: "signed", sha256Hex: payloadHash } });
  });

  test("SigV4_presigned_and_header_together_are_refused", () => {
    const url = presign({ ...base, expiresSeconds: 60 });
    const error = refusal(verify({ url, headers: signedGet({ url }) }));
    expect(error.message).toMatch(/Only one auth mechanism allowed/);
  });

  test("SigV2_query_is_refused_clearly", () => {
    const url = "/bucket/key?AWSAccessKeyId=a&Expires=1&Signature=b";
    expect(refusal(verify({ url, headers: { host: HOST } })).message).toMatch(/Please use AWS4-HMAC-SHA256/);
  });
});

describe("what is remembered between requests", () => {
  const base = { method: "GET", url: "/bucket/key", host: HOST, nowMs: NOW, credentials: AWS };

  test("SigV4_memo_hits_still_check_clock_account_headers_and_parts", () => {
    const caches = freshCaches();
    const url = presign({ ...base, expiresSeconds: 60 });
    const good = { url, headers: { host: HOST }, caches };
    expect(verify(good).kind).toBe("verified");
    expect(verify(good)).toMatchObject({ kind: "verified", isPresigned: true, source: AWS });
    expect(refusal(verify({ ...good, nowMs: NOW + 60_001 })).message).toBe("Request has expired");
    expect(refusal(verify({ ...good, accounts: {} })).code).toBe("InvalidAccessKeyId");
    const rotated = { [AWS.accessKey]: { secretKey: "rotated" } };
    expect(refusal(verify({ ...good, accounts: rotated })).code).toBe("SignatureDoesNotMatch");
    const unsigned = { host: HOST, "x-amz-acl": "public-read" };
    expect(refusal(verify({ ...good, headers: unsigned })).code).toBe("AccessDenied");
    expect(refusal(verify({ ...good, method: "DELETE" })).code).toBe("SignatureDoesNotMatch");
    expect(refusal(verify({ ...good, headers: { host: "other" } })).code).toBe("SignatureDoesNotMatch");
    expect(refusal(verify({ ...good, url: url.replace("/key?", "/other?") })).code).toBe(
      "SignatureDoesNotMatch",
    );
    expect(verify(good).kind).toBe("verified");
  });

  test("SigV4_requests_with_other_signed_headers_are_not_memoised", () => {
    const caches = freshCaches();
    const url = presign({ ...base, expiresSeconds: 60, headers: { range: "bytes=0-1" } });
    expect(verify({ url, headers: { host: HOST, range: "bytes=0-1" }, caches }).kind).toBe("verified");
    const other = verify({ url, headers: { host: HOST, range: "bytes=0-9" }, caches });
    expect(refusal(other).code).toBe("SignatureDoesNotMatch");
  });

  test("SigV4_a_changed_secret_takes_effect_with_the_next_request", () => {
    const caches = freshCaches();
    const request = { url: "/bucket/key", caches };
    expect(verify({ ...request, headers: signedGet() }).kind).toBe("verified");
    const changed = { ...AWS, secretKey: "a new secret" };
    const accounts = { [AWS.accessKey]: changed };
    expect(refusal(verify({ ...request, headers: signedGet(), accounts })).code).toBe(
      "SignatureDoesNotMatch",
    );
    const headers = signedGet({ credentials: changed });
    expect(verify({ ...request, headers, accounts }).kind).toBe("verified");
  });

  test("a bounded memo keeps at most its bound and what was used lately", () => {
    const memo = new BoundedMemo<{ readonly n: number }>({ entriesMax: 10 });
    for (let n = 0; n < 100; n++) {
      memo.set(String(n), { n });
      memo.get("0");
      expect(memo.size).toBeLessThanOrEqual(10);
    }
    expect(memo.get("0")).toEqual({ n: 0 });
    expect(memo.get("50")).toBeUndefined();
    memo.set("0", { n: 1 });
    expect(memo.get("0")).toEqual({ n: 1 });
    memo.delete("0");
    expect(memo.get("0")).toBeUndefined();
  });
});
