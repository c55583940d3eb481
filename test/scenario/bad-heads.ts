/**
 * Bad input in request heads: who asks, how much is said, and which object is named.
 */
import { presign } from "../s3/signer.ts";
import { keyOf } from "./bad-bodies.ts";
import type { BadKind } from "./bad-bodies.ts";
import { waits, whole } from "./bad-requests.ts";
import type { BadCall, BadWorld } from "./bad-requests.ts";
import { credentials } from "./server-process.ts";

const HOUR_MS = 3_600_000;
const TEXT = "hello, world: a small body";

function put(change: Partial<BadCall>, more: readonly string[] = []): BadKind["send"] {
  return (world, at) => waits(whole(world, { url: keyOf(world, at), body: TEXT, ...change }, { more }));
}

export const strangers: readonly BadKind[] = [
  {
    what: "a wrong signature",
    answers: ["403 SignatureDoesNotMatch"],
    send: put({ secretKey: "another-secret" }),
  },
  {
    what: "an access key that nobody has",
    answers: ["403 InvalidAccessKeyId"],
    send: put({ accessKey: "nobody" }),
  },
  {
    what: "a signature an hour old",
    answers: ["403 RequestTimeTooSkewed"],
    send: (world, at) => put({ nowMs: Date.now() - HOUR_MS })(world, at),
  },
  {
    what: "an x-amz-* header that nobody signed",
    answers: ["403 AccessDenied"],
    send: put({}, ["x-amz-meta-slipped: in"]),
  },
  {
    what: "an Authorization that is none",
    answers: ["400 AuthorizationHeaderMalformed"],
    send: (world, at) => {
      const request = whole(world, { url: keyOf(world, at), body: TEXT }).toString("latin1");
      return waits(request.replace(/Credential=[^,]*/, "Credential=../../x"));
    },
  },
  {
    what: "no signature at all",
    answers: ["403 AccessDenied"],
    send: (world, at) =>
      waits(`PUT ${keyOf(world, at)} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello`),
  },
  {
    what: "a presigned address that has expired",
    answers: ["403 AccessDenied"],
    send: (world, at) => {
      const host = `127.0.0.1:${world.port}`;
      const nowMs = Date.now() - HOUR_MS;
      const url = presign({
        method: "PUT",
        url: keyOf(world, at),
        host,
        nowMs,
        credentials,
        expiresSeconds: 60,
      });
      return waits(`PUT ${url} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 5\r\n\r\nhello`);
    },
  },
];

export const longHeads: readonly BadKind[] = [
  {
    what: "a header of 20 KB",
    answers: ["431 RequestHeaderSectionTooLarge", "end"],
    send: put({}, [`x-long: ${"y".repeat(20_000)}`]),
  },
  {
    what: "a target of 20 KB",
    answers: ["431 RequestHeaderSectionTooLarge", "end"],
    send: put({ url: `/${"u".repeat(20_000)}` }),
  },
  {
    what: "1,500 headers",
    answers: ["431 RequestHeaderSectionTooLarge", "end"],
    send: put(
      {},
      Array.from({ length: 1500 }, () => "a:"),
    ),
  },
  {
    what: "3 KB of metadata",
    answers: ["400 MetadataTooLarge"],
    send: put({ headers: { "x-amz-meta-long": "m".repeat(3000) } }),
  },
  {
    what: "3 KB of metadata in many headers",
    answers: ["400 MetadataTooLarge"],
    send: put({
      headers: Object.fromEntries(
        Array.from({ length: 100 }, (_, at) => [`x-amz-meta-many${100 + at}`, "m".repeat(23)]),
      ),
    }),
  },
  {
    what: "what is no HTTP",
    answers: ["400 BadRequest", "end"],
    send: (_, at) =>
      waits(at % 2 === 0 ? "hello server\r\n\r\n" : Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc])),
  },
  {
    what: "a header line with a NUL",
    answers: ["400 BadRequest", "end"],
    send: put({}, ["x-nul: a\0b"]),
  },
];

/** Signed for one target and sent to another; the target is what the request line says. */
function to(target: (world: BadWorld, at: number) => string, method = "PUT"): BadKind["send"] {
  return (world, at) =>
    waits(whole(world, { method, url: keyOf(world, at), body: TEXT }, { target: target(world, at) }));
}

/** Signed for just that target. */
function honest(url: (world: BadWorld, at: number) => string, method = "PUT"): BadKind["send"] {
  return (world, at) =>
    waits(whole(world, { method, url: url(world, at), ...(method === "PUT" ? { body: TEXT } : {}) }));
}

export const paths: readonly BadKind[] = [
  {
    what: "up and over into another bucket",
    answers: ["404 NoSuchKey"],
    send: honest(({ bucket }) => `/${bucket}/../canary/secret`, "GET"),
  },
  {
    what: "the same, escaped",
    answers: ["404 NoSuchKey"],
    send: honest(({ bucket }, at) => `/${bucket}/%2e%2e${at % 2 === 0 ? "/" : "%2f"}canary/secret`, "GET"),
  },
  {
    what: "the same, where a parser would normalise what was signed",
    answers: ["403 SignatureDoesNotMatch"],
    send: to(({ bucket }, at) => `/${bucket}/x/../key-${at}`),
  },
  {
    what: "a bucket called `..`",
    answers: ["400 InvalidBucketName"],
    send: honest((_, at) => `/../key-${at}`),
  },
  {
    what: "backslashes",
    answers: ["400 InvalidBucketName"],
    send: honest((_, at) => `/..%5C..%5Cetc%5Cpasswd/${at}`),
  },
  {
    what: "an empty bucket",
    answers: ["400 InvalidURI"],
    send: honest(({ bucket }, at) => `//${bucket}/key-${at}`),
  },
  {
    what: "a NUL in the target",
    answers: ["400 BadRequest", "end"],
    send: to(({ bucket }) => `/${bucket}/a\0b`),
  },
  {
    what: "an escaped NUL in the bucket",
    answers: ["400 InvalidBucketName"],
    send: honest(({ bucket }, at) => `/${bucket}%00x/key-${at}`),
  },
  {
    what: "escapes that are no UTF-8",
    answers: ["400 InvalidURI"],
    send: to(
      ({ bucket }, at) => `/${bucket}/${["%ff", "%c0%ae%c0%ae", "%ed%a0%80", "%f5%80%80%80"][at % 4]}`,
    ),
  },
  {
    what: "escapes that are broken",
    answers: ["400 InvalidURI"],
    send: to(({ bucket }, at) => `/${bucket}/${["%", "%2", "%zz", "%u0041"][at % 4]}`),
  },
  { what: "a target of another scheme", answers: ["400 InvalidURI"], send: to(() => "ftp://127.0.0.1/x/y") },
  { what: "an asterisk for a target", answers: ["400 InvalidURI"], send: to(() => "*") },
  {
    what: "a target that is no path",
    answers: ["400 BadRequest", "end"],
    send: to((_, at) => ["?prefix=x", "x/y"][at % 2] ?? ""),
  },
  {
    what: "an absolute target that leads out of its bucket",
    answers: ["404 NoSuchKey"],
    send: (world) => {
      const url = `/${world.bucket}/../canary/secret`;
      return waits(whole(world, { method: "GET", url }, { target: `http://elsewhere.example${url}` }));
    },
  },
  {
    what: "a key of 1,025 bytes",
    answers: ["400 KeyTooLongError"],
    send: honest(
      ({ bucket }, at) => `/${bucket}/${at % 2 === 0 ? "k".repeat(1025) : `${"%C3%A9".repeat(512)}k`}`,
    ),
  },
  {
    what: "an upload id that is a path",
    answers: ["404 NoSuchUpload"],
    send: honest(({ bucket }, at) => `/${bucket}/key-${at}?partNumber=1&uploadId=..%2F..%2Fcanary`),
  },
  {
    what: "a part number out of range",
    answers: ["400 InvalidArgument"],
    send: honest(
      ({ bucket, uploadId }, at) =>
        `/${bucket}/upload?partNumber=${["0", "10001", "-1", "1e3"][at % 4]}&uploadId=${uploadId}`,
    ),
  },
];
