/**
 * Signatures that are replayed, expired, skewed or forged; lines that come twice; conditions that are none.
 */
import { amzDate, presign } from "../s3/signer.ts";
import { withLine } from "./bad-surface.ts";
import type { BadKind, BadWorld, Refusal } from "./bad-surface.ts";
import type { Call } from "./client.ts";

const MINUTE = 60_000;
const WRITE: Call = { method: "PUT", url: "/bucket/new", body: "new" };

type CallOf = Call | ((world: BadWorld) => Call);

function of(world: BadWorld, call: CallOf): Call {
  return typeof call === "function" ? call(world) : call;
}

function sent(group: string, what: string, answer: string, call: CallOf): BadKind {
  return { group, what, answer, send: (world) => world.call(of(world, call)) };
}

/** Signed as it should be, and then changed on its way. */
function changed(
  group: string,
  what: string,
  answer: string,
  change: (head: string, world: BadWorld) => string,
  call: CallOf = WRITE,
): BadKind {
  const send = (world: BadWorld): Promise<Refusal> =>
    world.raw(of(world, call), (head) => change(head, world));
  return { group, what, answer, send };
}

function replaced(pattern: RegExp, by: string): (head: string) => string {
  return (head) => head.replace(pattern, by);
}

const header = "signatures in a header";
const signatures: readonly BadKind[] = [
  changed(
    header,
    "a signature replayed for another key",
    "403 SignatureDoesNotMatch",
    replaced(/\/new/, "/kept"),
  ),
  changed(
    header,
    "a signature replayed for another method",
    "403 SignatureDoesNotMatch",
    replaced(/^PUT/, "DELETE"),
  ),
  changed(
    header,
    "a signature replayed with another query",
    "403 SignatureDoesNotMatch",
    replaced(/\/kept/, "/kept?versionId=null"),
    { method: "DELETE", url: "/bucket/kept" },
  ),
  sent(header, "a signature replayed for another body", "400 XAmzContentSHA256Mismatch", {
    ...WRITE,
    payloadHash: "0".repeat(64),
  }),
  changed(
    header,
    "a signed header that was changed",
    "403 SignatureDoesNotMatch",
    replaced(/x-amz-meta-a: 1/, "x-amz-meta-a: 2"),
    { ...WRITE, headers: { "x-amz-meta-a": "1" } },
  ),
  changed(
    header,
    "a signed condition that was taken out",
    "403 SignatureDoesNotMatch",
    replaced(/if-none-match: \*\r\n/, ""),
    { ...WRITE, url: "/bucket/kept", headers: { "if-none-match": "*" } },
  ),
  changed(header, "an x-amz- header nobody signed", "403 AccessDenied", withLine("x-amz-meta-b: 1")),
  changed(
    header,
    "a copy source nobody signed",
    "403 AccessDenied",
    withLine("x-amz-copy-source: /bucket/kept"),
  ),
  changed(
    header,
    "a date nobody signed it for",
    "403 SignatureDoesNotMatch",
    replaced(/x-amz-date: .*/, `x-amz-date: ${amzDate(Date.now() - MINUTE)}`),
  ),
  changed(header, "no date", "403 AccessDenied", replaced(/x-amz-date: .*\r\n/, "")),
  changed(header, "a date that is none", "403 AccessDenied", replaced(/x-amz-date: .*/, "x-amz-date: today")),
  changed(header, "no hash of its body", "400 InvalidRequest", replaced(/x-amz-content-sha256: .*\r\n/, "")),
  changed(
    header,
    "a hash that is none",
    "400 InvalidArgument",
    replaced(/x-amz-content-sha256: .*/, "x-amz-content-sha256: nonsense"),
  ),
  changed(header, "no signature", "403 AccessDenied", replaced(/authorization: .*\r\n/, "")),
  changed(
    header,
    "a signature that is cut off",
    "403 SignatureDoesNotMatch",
    replaced(/Signature=(.{20}).*/, "Signature=$1"),
  ),
  changed(
    header,
    "another service",
    "400 AuthorizationHeaderMalformed",
    replaced(/\/s3\/aws4_request/, "/ec2/aws4_request"),
  ),
  changed(
    header,
    "another day in its scope",
    "400 AuthorizationHeaderMalformed",
    replaced(/\/\d{8}\//, "/20200101/"),
  ),
  changed(
    header,
    "no SignedHeaders",
    "400 AuthorizationHeaderMalformed",
    replaced(/SignedHeaders=[^,]*, /, ""),
  ),
  changed(
    header,
    "a host nobody signed",
    "403 SignatureDoesNotMatch",
    replaced(/host: .*/, "host: other.example"),
  ),
  changed(header, "another scheme", "400 InvalidArgument", replaced(/AWS4-HMAC-SHA256 /, "AWS4-HMAC-MD5 ")),
  sent(header, "a session token nobody gave", "400 InvalidToken", {
    ...WRITE,
    headers: { "x-amz-security-token": "x" },
  }),
  ...[-16, 16, -24 * 60].map((minutes) =>
    sent(header, `a signature of ${minutes} minutes from now`, "403 RequestTimeTooSkewed", () => ({
      ...WRITE,
      nowMs: Date.now() + minutes * MINUTE,
    })),
  ),
  sent(header, "the secret of somebody else", "403 SignatureDoesNotMatch", ({ credentials }) => ({
    ...WRITE,
    credentials: { ...credentials, secretKey: "not-the-secret" },
  })),
  sent(header, "a key nobody has", "403 InvalidAccessKeyId", ({ credentials }) => ({
    ...WRITE,
    credentials: { ...credentials, accessKey: "NOBODY" },
  })),
  sent(header, "nothing signed at all", "403 AccessDenied", { ...WRITE, credentials: null }),
];

type Presigned = {
  readonly ageMs?: number;
  readonly expires?: number;
  readonly spoil?: (url: string) => string;
  readonly method?: string;
  readonly secretKey?: string;
};

function presigned(what: string, answer: string, change: Presigned): BadKind {
  const call = (world: BadWorld): Call => {
    const { ageMs = 0, expires = 60, spoil = (url: string) => url, secretKey } = change;
    const credentials = { ...world.credentials, ...(secretKey === undefined ? {} : { secretKey }) };
    const host = new URL(world.server.endpoint).host;
    const to = { method: "PUT", url: "/bucket/new", host, nowMs: Date.now() - ageMs, credentials };
    const url = spoil(presign({ ...to, expiresSeconds: expires }));
    return { ...WRITE, method: change.method ?? "PUT", url, credentials: null };
  };
  return sent("signatures in a query", what, answer, call);
}

const QUERY = "400 AuthorizationQueryParametersError";
const presignedUrls: readonly BadKind[] = [
  presigned("a URL that has expired", "403 AccessDenied", { ageMs: 2 * MINUTE }),
  presigned("a URL of the future", "403 AccessDenied", { ageMs: -16 * MINUTE }),
  presigned("a URL that lives for more than a week", QUERY, { expires: 604_801 }),
  presigned("a URL of no second", QUERY, { expires: 0 }),
  presigned("a URL of negative life", QUERY, { expires: -1 }),
  presigned("a life in words", QUERY, { spoil: (url) => url.replace("Expires=60", "Expires=long") }),
  presigned("a life that was made longer", "403 SignatureDoesNotMatch", {
    spoil: (url) => url.replace("Expires=60", "Expires=600"),
  }),
  presigned("a URL for another key", "403 SignatureDoesNotMatch", {
    spoil: (url) => url.replace("/new", "/kept"),
  }),
  presigned("a URL for another method", "403 SignatureDoesNotMatch", { method: "DELETE" }),
  presigned("a URL with a parameter more", "403 SignatureDoesNotMatch", { spoil: (url) => `${url}&acl` }),
  presigned("a URL of another secret", "403 SignatureDoesNotMatch", { secretKey: "not-the-secret" }),
  presigned("a URL without its date", QUERY, { spoil: (url) => url.replace(/X-Amz-Date=[^&]*&/, "") }),
  presigned("a URL without its signature", QUERY, { spoil: (url) => url.replace(/&X-Amz-Signature=.*/, "") }),
  presigned("a URL of another algorithm", QUERY, { spoil: (url) => url.replace("SHA256&", "SHA1&") }),
  presigned("a URL whose credential is none", QUERY, {
    spoil: (url) => url.replace(/Credential=[^&]*/, "Credential=me"),
  }),
];

const twice = "lines that come twice";
const duplicates: readonly BadKind[] = [
  changed(twice, "two lengths", "400 BadRequest", withLine("content-length: 4")),
  changed(twice, "a length and chunks", "400 BadRequest", withLine("transfer-encoding: chunked")),
  changed(twice, "two dates", "403 AccessDenied", withLine("x-amz-date: 20200101T000000Z")),
  changed(
    twice,
    "two hashes of its body",
    "400 InvalidArgument",
    withLine(`x-amz-content-sha256: ${"0".repeat(64)}`),
  ),
  changed(twice, "two values of signed metadata", "403 SignatureDoesNotMatch", withLine("x-amz-meta-a: 2"), {
    ...WRITE,
    headers: { "x-amz-meta-a": "1" },
  }),
  changed(
    twice,
    "a second copy source",
    "403 SignatureDoesNotMatch",
    withLine("x-amz-copy-source: /bucket/12"),
    {
      method: "PUT",
      url: "/bucket/new",
      headers: { "x-amz-copy-source": "/bucket/kept" },
    },
  ),
  changed(twice, "a second condition", "501 NotImplemented", withLine("if-match: *"), {
    ...WRITE,
    url: "/bucket/kept",
    headers: { "if-none-match": "*" },
  }),
  changed(twice, "a second host", "400 BadRequest", withLine("host: other.example")),
  changed(
    twice,
    "a second authorization",
    "400 AuthorizationHeaderMalformed",
    withLine("authorization: AWS4-HMAC-SHA256 x"),
  ),
  changed(
    twice,
    "a digest nobody signed",
    "403 AccessDenied",
    withLine("content-md5: AAAAAAAAAAAAAAAAAAAAAA=="),
  ),
  changed(
    twice,
    "two digests",
    "403 SignatureDoesNotMatch",
    withLine("content-md5: AAAAAAAAAAAAAAAAAAAAAA=="),
    {
      ...WRITE,
      headers: { "content-md5": "IvEekrSOlQhwGTqcfhkFSg==" },
    },
  ),
];

const conditions = "conditions";
const NOT_BUILT = "501 NotImplemented";
const FAILED = "412 PreconditionFailed";

function conditional(what: string, answer: string, name: string, value: string, call: CallOf): BadKind {
  return sent(conditions, what, answer, (world) => {
    const made = of(world, call);
    return { ...made, headers: { ...made.headers, [name]: value } };
  });
}

const PUT: Call = { method: "PUT", url: "/bucket/kept", body: "other" };
const DELETE: Call = { method: "DELETE", url: "/bucket/kept" };
const COPY: Call = { method: "PUT", url: "/bucket/new", headers: { "x-amz-copy-source": "/bucket/kept" } };
const RENAME: Call = {
  method: "PUT",
  url: "/bucket/new?renameObject",
  headers: { "x-amz-rename-source": "kept" },
};
const COMPLETE = (world: BadWorld): Call => ({
  method: "POST",
  url: `/bucket/upload?uploadId=${world.uploadId}`,
  body:
    `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${world.partEtag}</ETag></Part>` +
    "</CompleteMultipartUpload>",
});
const COPY_PART = ({ uploadId }: BadWorld): Call => ({
  method: "PUT",
  url: `/bucket/upload?partNumber=2&uploadId=${uploadId}`,
  headers: { "x-amz-copy-source": "/bucket/kept" },
});
const WRONG = ["wrong", '"wrong"', '"unterminated', 'W/"weak"', ",", '""', "0 or 1"] as const;

const conditionKinds: readonly BadKind[] = [
  ...WRONG.map((etag) => conditional(`PUT with If-Match ${etag}`, FAILED, "if-match", etag, PUT)),
  ...WRONG.map((etag) =>
    conditional(`PUT with If-None-Match ${etag}`, NOT_BUILT, "if-none-match", etag, PUT),
  ),
  ...WRONG.map((etag) => conditional(`DELETE with If-Match ${etag}`, FAILED, "if-match", etag, DELETE)),
  ...["wrong", "*"].map((etag) =>
    conditional(`DELETE with If-None-Match ${etag}`, NOT_BUILT, "if-none-match", etag, DELETE),
  ),
  conditional("DELETE with a size", NOT_BUILT, "x-amz-if-match-size", "5", DELETE),
  conditional("DELETE with a time", NOT_BUILT, "x-amz-if-match-last-modified-time", "now", DELETE),
  conditional("DELETE of a version with If-Match", NOT_BUILT, "if-match", "*", ({ versionId }) => ({
    method: "DELETE",
    url: `/bucket/kept?versionId=${versionId}`,
  })),
  conditional("PUT over what has to be absent", FAILED, "if-none-match", "*", PUT),
  conditional("PUT onto what has to be there", "404 NoSuchKey", "if-match", "*", {
    ...PUT,
    url: "/bucket/new",
  }),
  conditional("PUT onto a marker with If-Match", "404 NoSuchKey", "if-match", "*", {
    ...PUT,
    url: "/bucket/marked",
  }),
  ...WRONG.map((etag) =>
    conditional(`Complete with If-None-Match ${etag}`, NOT_BUILT, "if-none-match", etag, COMPLETE),
  ),
  ...WRONG.map((etag) =>
    conditional(`Complete with If-Match ${etag}`, "404 NoSuchKey", "if-match", etag, COMPLETE),
  ),
  ...WRONG.map((etag) =>
    conditional(`Copy of If-Match ${etag}`, FAILED, "x-amz-copy-source-if-match", etag, COPY),
  ),
  conditional("Copy of If-None-Match *", FAILED, "x-amz-copy-source-if-none-match", "*", COPY),
  conditional("Copy onto If-None-Match *", FAILED, "if-none-match", "*", { ...COPY, url: "/bucket/12" }),
  conditional("Copy onto If-None-Match wrong", NOT_BUILT, "if-none-match", "wrong", COPY),
  conditional(
    "Copy unmodified since 1990",
    FAILED,
    "x-amz-copy-source-if-unmodified-since",
    "Mon, 01 Jan 1990 00:00:00 GMT",
    COPY,
  ),
  conditional("Copy of a key without a bucket", "400 InvalidArgument", "x-amz-copy-source", "kept", COPY),
  conditional("Copy of half an escape", "400 InvalidArgument", "x-amz-copy-source", "/bucket/%zz", COPY),
  conditional(
    "Copy of a version that is none",
    "400 InvalidArgument",
    "x-amz-copy-source",
    "/bucket/kept?versionId=%20",
    COPY,
  ),
  conditional(
    "Copy with a directive that is none",
    "400 InvalidArgument",
    "x-amz-metadata-directive",
    "MERGE",
    COPY,
  ),
  conditional(
    "Copy with a tagging directive that is none",
    "400 InvalidArgument",
    "x-amz-tagging-directive",
    "x",
    COPY,
  ),
  ...["bytes=3-1", "bytes=0-", "bytes=-2", "0-1", "bytes=a-b", "bytes=0-1,3-4", "bytes=0-99"].map((range) =>
    conditional(
      `Copied part of ${range}`,
      "400 InvalidArgument",
      "x-amz-copy-source-range",
      range,
      COPY_PART,
    ),
  ),
  ...WRONG.map((etag) =>
    conditional(`Rename of If-Match ${etag}`, FAILED, "x-amz-rename-source-if-match", etag, RENAME),
  ),
  conditional("Rename onto If-None-Match *", FAILED, "if-none-match", "*", {
    ...RENAME,
    url: "/bucket/12?renameObject",
  }),
  conditional("Rename onto If-None-Match wrong", NOT_BUILT, "if-none-match", "wrong", RENAME),
  ...["-1", "1.5", "five", "", "1e1", "99999999999999999999"].map((offset) =>
    conditional(`Append at ${offset}`, "400 InvalidArgument", "x-amz-write-offset-bytes", offset, PUT),
  ),
  conditional("Append at another place", "400 InvalidWriteOffset", "x-amz-write-offset-bytes", "3", PUT),
];

export const badHeads: readonly BadKind[] = [
  ...signatures,
  ...presignedUrls,
  ...duplicates,
  ...conditionKinds,
];
