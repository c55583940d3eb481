/**
 * SigV4: the published AWS examples and everything a client may get wrong in a header. The signer of these
 * tests shares no code with what it tests; the AWS vectors check both.
 */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { encodeKey, presign, sha256Hex } from "./signer.ts";
import { AWS, AWS_HOST, AWS_NOW, EMPTY_HASH, freshCaches, HOST, NOW } from "./verify-request.ts";
import { refusal, signedGet, verify } from "./verify-request.ts";
import type { Options } from "./verify-request.ts";

function awsAuthorization(signedHeaders: string, signature: string): string {
  return (
    `AWS4-HMAC-SHA256 Credential=${AWS.accessKey}/20130524/us-east-1/s3/aws4_request,` +
    `SignedHeaders=${signedHeaders},Signature=${signature}`
  );
}

describe("the examples of the S3 documentation", () => {
  test("SigV4_aws_example_GET_object", () => {
    const headers = {
      host: AWS_HOST,
      range: "bytes=0-9",
      "x-amz-content-sha256": EMPTY_HASH,
      "x-amz-date": "20130524T000000Z",
      authorization: awsAuthorization(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      ),
    };
    const result = verify({ url: "/test.txt", headers, nowMs: AWS_NOW, domain: "s3.amazonaws.com" });
    expect(result).toMatchObject({ kind: "verified", accessKey: AWS.accessKey, isPresigned: false });
    expect(verify({ url: "/test.txt", headers, nowMs: AWS_NOW })).toMatchObject({ kind: "verified" });
  });

  test("SigV4_aws_example_PUT_object_with_dollar_in_key", () => {
    const hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    const headers = {
      host: AWS_HOST,
      date: "Fri, 24 May 2013 00:00:00 GMT",
      "x-amz-date": "20130524T000000Z",
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
      "x-amz-content-sha256": hash,
      authorization: awsAuthorization(
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      ),
    };
    const wireForms = ["/test$file.text", "/test%24file.text", "/test%24file%2etext"];
    for (const url of wireForms) {
      const result = verify({ method: "PUT", url, headers, nowMs: AWS_NOW });
      expect(result).toMatchObject({ kind: "verified", payload: { kind: "signed", sha256Hex: hash } });
    }
  });

  test("SigV4_aws_example_GET_bucket_lifecycle", () => {
    const headers = {
      host: AWS_HOST,
      "x-amz-date": "20130524T000000Z",
      "x-amz-content-sha256": EMPTY_HASH,
      authorization: awsAuthorization(
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
      ),
    };
    expect(verify({ url: "/?lifecycle", headers, nowMs: AWS_NOW })).toMatchObject({ kind: "verified" });
    expect(verify({ url: "/?lifecycle=", headers, nowMs: AWS_NOW })).toMatchObject({ kind: "verified" });
  });

  test("SigV4_aws_example_list_objects", () => {
    const headers = {
      host: AWS_HOST,
      "x-amz-date": "20130524T000000Z",
      "x-amz-content-sha256": EMPTY_HASH,
      authorization: awsAuthorization(
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
      ),
    };
    for (const url of ["/?max-keys=2&prefix=J", "/?prefix=J&max-keys=2", "/?prefix=%4a&max-keys=2"]) {
      expect(verify({ url, headers, nowMs: AWS_NOW })).toMatchObject({ kind: "verified" });
    }
  });

  const presigned =
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

  test("SigV4_aws_example_presigned", () => {
    const result = verify({ url: presigned, headers: { host: AWS_HOST }, nowMs: AWS_NOW + 86_400_000 });
    expect(result).toMatchObject({ kind: "verified", isPresigned: true, payload: { kind: "unsigned" } });
  });

  test("SigV4_aws_example_presigned_expired", () => {
    const error = refusal(
      verify({ url: presigned, headers: { host: AWS_HOST }, nowMs: AWS_NOW + 86_400_001 }),
    );
    expect(error).toMatchObject({ code: "AccessDenied", status: 403, message: "Request has expired" });
    expect(error.fields).toEqual({
      "X-Amz-Expires": "86400",
      Expires: "2013-05-25T00:00:00Z",
      ServerTime: "2013-05-25T00:00:00Z",
    });
  });

  test("SigV4_aws_example_presigned_before_its_time", () => {
    const early = { url: presigned, headers: { host: AWS_HOST } };
    expect(verify({ ...early, nowMs: AWS_NOW - 900_000 })).toMatchObject({ kind: "verified" });
    const error = refusal(verify({ ...early, nowMs: AWS_NOW - 900_001 }));
    expect(error).toMatchObject({ code: "AccessDenied", message: "Request is not yet valid" });
  });
});

describe("header signatures", () => {
  test("SigV4_any_region_is_accepted", () => {
    const headers = signedGet({ credentials: { ...AWS, region: "eu-nowhere-7" } });
    expect(verify({ url: "/bucket/key", headers })).toMatchObject({ kind: "verified" });
  });

  test("SigV4_spaces_and_order_in_the_authorization_header_do_not_matter", () => {
    const headers = signedGet();
    const [, credential, signed, signature] =
      /^AWS4-HMAC-SHA256 (\S+), (\S+), (\S+)$/.exec(headers["authorization"] ?? "") ?? [];
    for (const form of [
      `AWS4-HMAC-SHA256 ${credential},${signed},${signature}`,
      `AWS4-HMAC-SHA256  ${signed} , ${credential} ,${signature}`,
      `AWS4-HMAC-SHA256 ${signature}, ${credential}, ${signed}`,
    ]) {
      const result = verify({ url: "/bucket/key", headers: { ...headers, authorization: form } });
      expect(result).toMatchObject({ kind: "verified" });
    }
  });

  test("SigV4_header_values_are_trimmed_and_their_spaces_collapsed", () => {
    const headers = signedGet({ headers: { "x-amz-meta-note": "a b c" } });
    const spaced = { ...headers, "x-amz-meta-note": "  a   b  c " };
    expect(verify({ url: "/bucket/key", headers: spaced })).toMatchObject({ kind: "verified" });
  });

  test("SigV4_header_values_beyond_ASCII_are_hashed_as_their_bytes", () => {
    const wire = Buffer.from("grüße, 東京, \u00a0", "utf8").toString("latin1");
    const headers = signedGet({ headers: { "x-amz-meta-note": wire } });
    expect(verify({ url: "/bucket/key", headers })).toMatchObject({ kind: "verified" });
  });

  test("SigV4_wrong_secret_shows_what_was_computed", () => {
    const headers = signedGet({ credentials: { ...AWS, secretKey: "another secret" } });
    const error = refusal(verify({ url: "/bucket/key", headers }));
    expect(error).toMatchObject({ code: "SignatureDoesNotMatch", status: 403 });
    expect(Object.keys(error.fields)).toEqual([
      "AWSAccessKeyId",
      "StringToSign",
      "SignatureProvided",
      "StringToSignBytes",
      "CanonicalRequest",
      "CanonicalRequestBytes",
    ]);
    expect(error.fields["CanonicalRequest"]).toMatch(/^GET\n\/bucket\/key\n\nhost:127\.0\.0\.1:9000\n/);
    expect(error.fields["StringToSignBytes"]).toMatch(/^41 57 53 34 2d /);
    expect(error.fields["StringToSign"]).toContain(sha256Hex(error.fields["CanonicalRequest"] ?? ""));
  });

  test("SigV4_every_changed_part_is_refused", () => {
    const headers = signedGet({ url: "/bucket/key?prefix=a", headers: { "x-amz-meta-a": "1" } });
    const good = { url: "/bucket/key?prefix=a", headers };
    expect(verify(good).kind).toBe("verified");
    const bad: readonly Options[] = [
      { ...good, method: "PUT" },
      { ...good, url: "/bucket/key2?prefix=a" },
      { ...good, url: "/bucket/key?prefix=b" },
      { ...good, url: "/bucket/key?prefix=a&versionId=null" },
      { ...good, headers: { ...headers, host: "elsewhere" } },
      { ...good, headers: { ...headers, "x-amz-meta-a": "2" } },
      { ...good, headers: { ...headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } },
      { ...good, headers: { ...headers, "x-amz-date": "20261121T083001Z" } },
    ];
    for (const options of bad) expect(refusal(verify(options)).code).toBe("SignatureDoesNotMatch");
    const short = { ...headers, authorization: headers["authorization"]?.slice(0, -1) };
    expect(refusal(verify({ ...good, headers: short })).code).toBe("SignatureDoesNotMatch");
  });

  test("SigV4_an_unsigned_x_amz_header_is_refused", () => {
    const headers = {
      ...signedGet(),
      "x-amz-copy-source": "/other/secret",
      "content-md5": "x",
      accept: "*/*",
    };
    const error = refusal(verify({ url: "/bucket/key", headers }));
    expect(error).toMatchObject({
      code: "AccessDenied",
      message: "There were headers present in the request which were not signed",
      fields: { HeadersNotSigned: "x-amz-copy-source, content-md5" },
    });
  });

  test("SigV4_the_host_must_be_signed", () => {
    const headers = signedGet();
    const authorization = headers["authorization"]?.replace("SignedHeaders=host;", "SignedHeaders=");
    const error = refusal(verify({ url: "/bucket/key", headers: { ...headers, authorization } }));
    expect(error).toMatchObject({ code: "AccessDenied", fields: { HeadersNotSigned: "host" } });
  });

  test("SigV4_the_clock_may_differ_by_15_minutes", () => {
    const headers = signedGet();
    for (const nowMs of [NOW - 900_000, NOW + 900_000]) {
      expect(verify({ url: "/bucket/key", headers, nowMs })).toMatchObject({ kind: "verified" });
    }
    for (const nowMs of [NOW - 900_001, NOW + 900_001]) {
      const error = refusal(verify({ url: "/bucket/key", headers, nowMs }));
      expect(error).toMatchObject({ code: "RequestTimeTooSkewed", status: 403 });
      expect(error.fields).toMatchObject({
        RequestTime: "20261121T083000Z",
        MaxAllowedSkewMilliseconds: "900000",
      });
    }
  });

  test("SigV4_an_unknown_access_key_is_named", () => {
    const error = refusal(verify({ url: "/bucket/key", headers: signedGet(), accounts: {} }));
    expect(error).toMatchObject({ code: "InvalidAccessKeyId", fields: { AWSAccessKeyId: AWS.accessKey } });
  });

  test("SigV4_access_keys_may_contain_slashes", () => {
    const credentials = { accessKey: "team/ci/key", secretKey: "secret secret" };
    const headers = signedGet({ credentials });
    const accounts = { [credentials.accessKey]: credentials };
    expect(verify({ url: "/bucket/key", headers, accounts })).toMatchObject({ accessKey: "team/ci/key" });
  });

  test("SigV4_malformed_authorization_headers_are_explained", () => {
    const headers = signedGet();
    const authorization = headers["authorization"] ?? "";
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ["AWS AKID:sig=", "InvalidRequest", /Please use AWS4-HMAC-SHA256/],
      ["Bearer token", "InvalidArgument", /Unsupported Authorization Type/],
      ["nonsense", "InvalidArgument", /Unsupported Authorization Type/],
      ["AWS4-ECDSA-P256-SHA256 Credential=a", "NotImplemented", /SigV4A/],
      ["AWS4-HMAC-SHA256 ", "AuthorizationHeaderMalformed", /missing Signature/],
      [authorization.replace(/Credential=\S+/, ""), "AuthorizationHeaderMalformed", /missing Credential/],
      [
        authorization.replace(/SignedHeaders=\S+/, ""),
        "AuthorizationHeaderMalformed",
        /missing SignedHeaders/,
      ],
      [authorization.replace("/s3/", "/ec2/"), "AuthorizationHeaderMalformed", /incorrect service "ec2"/],
      [authorization.replace("aws4_request", "aws5"), "AuthorizationHeaderMalformed", /incorrect terminal/],
      [
        authorization.replace("/20261121/", "/2026/"),
        "AuthorizationHeaderMalformed",
        /incorrect date format/,
      ],
      [authorization.replace("/20261121/", "/20261120/"), "AuthorizationHeaderMalformed", /not the same as/],
      [authorization.replace("/us-east-1/s3/", "/"), "AuthorizationHeaderMalformed", /mal-formed; expecting/],
      [`${authorization}, Extra=1`, "AuthorizationHeaderMalformed", /component "Extra=1"/],
    ];
    for (const [text, code, message] of cases) {
      const error = refusal(verify({ url: "/bucket/key", headers: { ...headers, authorization: text } }));
      expect([text, error.code]).toEqual([text, code]);
      expect(error.message).toMatch(message);
    }
  });

  test("SigV4_the_date_header_stands_in_for_x_amz_date", () => {
    const { "x-amz-date": _, ...headers } = signedGet();
    const undated = refusal(verify({ url: "/bucket/key", headers }));
    expect(undated).toMatchObject({
      code: "AccessDenied",
      message: "AWS authentication requires a valid Date or x-amz-date header",
    });
    const dated = { ...headers, date: "Sat, 21 Nov 2026 08:30:00 GMT" };
    expect(refusal(verify({ url: "/bucket/key", headers: dated })).code).toBe("SignatureDoesNotMatch");
  });

  test("SigV4_session_tokens_must_be_those_of_the_account", () => {
    const headers = signedGet({ credentials: { ...AWS, sessionToken: "token-1" } });
    expect(refusal(verify({ url: "/bucket/key", headers })).code).toBe("InvalidToken");
    const accounts = { [AWS.accessKey]: { secretKey: AWS.secretKey, sessionToken: "token-1" } };
    expect(verify({ url: "/bucket/key", headers, accounts }).kind).toBe("verified");
    expect(refusal(verify({ url: "/bucket/key", headers: signedGet(), accounts })).code).toBe("InvalidToken");
  });

  test("SigV4_header_names_from_clients_find_nothing_inherited", () => {
    const headers = signedGet();
    const authorization = headers["authorization"]?.replace(
      "=host;",
      "=constructor;host;__proto__;toString;",
    );
    const result = verify({ url: "/bucket/key", headers: { ...headers, authorization } });
    expect(refusal(result).code).toBe("SignatureDoesNotMatch");
  });
});

describe("what x-amz-content-sha256 says", () => {
  test("SigV4_payload_kinds", () => {
    const kinds: readonly (readonly [string, string])[] = [
      ["UNSIGNED-PAYLOAD", "unsigned"],
      ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "streamingSigned"],
      ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "streamingSignedTrailer"],
      ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "streamingUnsignedTrailer"],
    ];
    for (const [payloadHash, kind] of kinds) {
      const result = verify({ url: "/bucket/key", headers: signedGet({ payloadHash }) });
      expect(result).toMatchObject({ kind: "verified", payload: { kind } });
      const hasKey = result.kind === "verified" && result.chunkSigning !== undefined;
      expect(hasKey).toBe(kind.startsWith("streamingSigned"));
    }
  });

  test("SigV4_missing_or_invalid_payload_hash", () => {
    const { "x-amz-content-sha256": _, ...headers } = signedGet();
    expect(refusal(verify({ url: "/bucket/key", headers }))).toMatchObject({
      code: "InvalidRequest",
      message: "Missing required header for this request: x-amz-content-sha256",
    });
    const invalid = { ...headers, "x-amz-content-sha256": "abc" };
    expect(refusal(verify({ url: "/bucket/key", headers: invalid })).code).toBe("InvalidArgument");
    const sigv4a = { ...headers, "x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" };
    expect(refusal(verify({ url: "/bucket/key", headers: sigv4a })).code).toBe("NotImplemented");
  });

  test("SigV4_anonymous_requests_are_a_result", () => {
    expect(verify({ url: "/bucket/key", headers: { host: HOST } })).toEqual({
      kind: "anonymous",
      payload: { kind: "unsigned" },
    });
    const streaming = { host: HOST, "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" };
    expect(refusal(verify({ url: "/bucket/key", headers: streaming })).code).toBe("InvalidRequest");
    const trailer = { host: HOST, "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER" };
    expect(verify({ url: "/b/k", headers: trailer })).toMatchObject({ kind: "anonymous" });
  });
});

test("SigV4_what_the_signer_signs_verifies_for_any_key_and_query", () => {
  const text = fc.string({ unit: "binary", maxLength: 30 }).filter((value) => value.isWellFormed());
  fc.assert(
    fc.property(text, fc.dictionary(text, text, { maxKeys: 4 }), (key, query) => {
      const pairs = Object.entries(query).filter(([name]) => name !== "" && !/^x-amz-/i.test(name));
      const suffix = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
      const url = `/bucket/${encodeKey(key)}?${suffix.join("&")}`;
      const caches = freshCaches();
      expect(verify({ url, headers: signedGet({ url }), caches }).kind).toBe("verified");
      const presigned = presign({
        method: "GET",
        url,
        host: HOST,
        nowMs: NOW,
        credentials: AWS,
        expiresSeconds: 5,
      });
      expect(verify({ url: presigned, headers: { host: HOST }, caches }).kind).toBe("verified");
    }),
    { seed: 20_261_121, numRuns: 300 },
  );
});
