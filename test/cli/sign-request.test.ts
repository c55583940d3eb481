/** Signature Version 4, against the signing key that the S3 reference publishes for its examples. */
import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { queryText, signRequest } from "../../src/cli/sign-request.ts";

const request = {
  method: "GET",
  host: "examplebucket.s3.amazonaws.com",
  path: "/",
  query: "",
  region: "us-east-1",
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  now: new Date("2013-05-24T00:00:00Z"),
} as const;

test("the signature is the one a step-by-step calculation gives", () => {
  const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const canonical =
    "GET\n/\n\nhost:examplebucket.s3.amazonaws.com\n" +
    `x-amz-content-sha256:${emptyHash}\nx-amz-date:20130524T000000Z\n\n` +
    `host;x-amz-content-sha256;x-amz-date\n${emptyHash}`;
  const canonicalHash = createHash("sha256").update(canonical).digest("hex");
  const toSign = `AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n${canonicalHash}`;
  // From "Examples: Signature Calculations" of the S3 reference: the signing key of this date, region and
  // secret.
  const signingKey = Buffer.from("dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378", "hex");
  const signature = createHmac("sha256", signingKey).update(toSign).digest("hex");
  expect(signRequest(request)).toEqual({
    host: "examplebucket.s3.amazonaws.com",
    "x-amz-content-sha256": emptyHash,
    "x-amz-date": "20130524T000000Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
      `SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}`,
  });
});

test("another secret, path, region or time gives another signature", () => {
  const variants = [
    request,
    { ...request, secretKey: "other-secret" },
    { ...request, path: "/x" },
    { ...request, query: "a=1" },
    { ...request, method: "POST" as const },
    { ...request, region: "eu-west-1" },
    { ...request, now: new Date("2013-05-24T00:00:01Z") },
  ];
  const signatures = variants.map((variant) => signRequest(variant)["authorization"]?.slice(-64));
  expect(new Set(signatures).size).toBe(variants.length);
});

test("a query is sorted and encoded as it is signed", () => {
  expect(queryText({})).toBe("");
  expect(queryText({ prefix: "a b/ü!'()*~", bucket: "photos" })).toBe(
    "bucket=photos&prefix=a%20b%2F%C3%BC%21%27%28%29%2A~",
  );
});
