/**
 * Prints what the hot rules cost, in µs per call: `node test/s3/measure.ts`. Numbers of one noisy machine are
 * no test; they are for comparing two versions within the same minute.
 */

import { finishAtOnce } from "../../src/base/steps.ts";
import { AwsChunkedDecoder } from "../../src/s3/aws-chunked.ts";
import { initChecksums } from "../../src/s3/checksums.ts";
import { combineCrcs } from "../../src/s3/crc-combine.ts";
import { headersFromRaw } from "../../src/s3/headers.ts";
import { listObjectsV2Xml } from "../../src/s3/list-xml.ts";
import { ListingFold } from "../../src/s3/listing.ts";
import { routeOperation } from "../../src/s3/operations.ts";
import { PresignedMemo } from "../../src/s3/presigned-memo.ts";
import { parseRequestTarget } from "../../src/s3/request-target.ts";
import { parseCompleteMultipartUpload, parseDelete } from "../../src/s3/request-documents.ts";
import { objectHeaders } from "../../src/s3/response-headers.ts";
import { createSigV4Caches, verifySignature } from "../../src/s3/sigv4.ts";
import { readXml } from "../../src/s3/xml-read.ts";
import { presign, signRequest, unsignedChunks } from "./signer.ts";

function measure(name: string, run: () => unknown, rounds = 100_000): void {
  for (let index = 0; index < rounds / 5; index++) run();
  let best = Infinity;
  for (let repeat = 0; repeat < 5; repeat++) {
    const start = process.hrtime.bigint();
    for (let index = 0; index < rounds; index++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1000 / rounds);
  }
  console.log(`${name.padEnd(44)} ${best.toFixed(3)} µs`);
}

const credentials = {
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const nowMs = Date.UTC(2026, 10, 21, 8);
const host = "127.0.0.1:9000";
const lookupSecret = (accessKey: string): { secretKey: string } | undefined =>
  accessKey === credentials.accessKey ? { secretKey: credentials.secretKey } : undefined;
const caches = createSigV4Caches({ signingKeysMax: 1024, authorizationsMax: 1024, presignedMax: 1024 });

const url = "/bucket-name/some/folder/object-000123.bin?x-id=GetObject";
const signed = signRequest({ method: "GET", url, host, nowMs, credentials });
const headers = {
  ...signed.headers,
  "user-agent": "aws-sdk-js/3.1169.0",
  accept: "*/*",
  connection: "keep-alive",
};
measure("parse target, SDK GET", () => parseRequestTarget({ url, host, domain: undefined }));
const target = parseRequestTarget({ url, host });
measure("verify header", () => {
  const result = verifySignature({ method: "GET", target, headers, nowMs, lookupSecret, caches });
  if (result.kind !== "verified") throw new Error(result.kind);
});

const presignedUrl = presign({
  method: "GET",
  url: "/bucket-name/some/folder/object-000123.bin",
  host,
  nowMs,
  credentials,
  expiresSeconds: 3600,
});
const plain = { host, "user-agent": "wrk", accept: "*/*", connection: "keep-alive" };
measure("parse target, presigned", () => parseRequestTarget({ url: presignedUrl, host }));
const presignedTarget = parseRequestTarget({ url: presignedUrl, host });
measure("verify presigned, memo hit", () => {
  verifySignature({ method: "GET", target: presignedTarget, headers: plain, nowMs, lookupSecret, caches });
});
class NoMemo extends PresignedMemo {
  override find(): undefined {
    return undefined;
  }
}
const withoutMemo = { ...caches, presigned: new NoMemo({ entriesMax: 1 }) };
measure("verify presigned, full", () => {
  const request = { method: "GET", target: presignedTarget, headers: plain, nowMs, lookupSecret };
  const result = verifySignature({ ...request, caches: withoutMemo });
  if (result.kind !== "verified") throw new Error(result.kind);
});

const raw = Object.entries(headers).flat();
measure("headersFromRaw", () => headersFromRaw(raw));
measure("routeOperation", () => routeOperation({ method: "GET", target, headers }));
const object = {
  etag: "9bb58f26192e4ba00f01e2e7b136bbd8",
  size: 4096,
  lastModifiedMs: nowMs,
  system: { contentType: "application/octet-stream", storageClass: "STANDARD" },
  user: {},
} as const;
measure("objectHeaders", () => objectHeaders({ object }));

const contents = Array.from({ length: 1000 }, (_, index) => ({
  key: `some/folder/object-${String(index).padStart(6, "0")}.bin`,
  lastModifiedMs: nowMs + index * 977,
  etag: object.etag,
  size: 4096,
  storageClass: "STANDARD",
}));
const listing = {
  bucket: "bucket-name",
  prefix: "some/",
  delimiter: "",
  maxKeys: 1000,
  isTruncated: true,
  isUrlEncoded: false,
  startAfter: undefined,
  continuationToken: undefined,
  nextContinuationToken: "AXNvbWU",
  commonPrefixes: [],
  contents,
};
measure("XML of a page of 1,000 keys", () => listObjectsV2Xml(listing), 500);
const encoded = { ...listing, isUrlEncoded: true };
measure("the same, encoding-type=url", () => listObjectsV2Xml(encoded), 500);
measure(
  "listing fold over 1,000 keys",
  () => {
    const fold = new ListingFold({ prefix: "some/", delimiter: "", after: "", limit: 1000 });
    fold.consume(contents, { isExhausted: true });
  },
  2000,
);

const objects = contents.map(({ key }) => `<Object><Key>${key}</Key></Object>`).join("");
const deletion = Buffer.from(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}</Delete>`);
measure(
  "read Delete of 1,000 keys",
  () => parseDelete(finishAtOnce(readXml(deletion, { bytesMax: 1 << 24 }))),
  50,
);
const parts = Array.from(
  { length: 10_000 },
  (_, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>&quot;${object.etag}&quot;</ETag></Part>`,
).join("");
const completion = Buffer.from(`<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`);
measure(
  "read Complete of 10,000",
  () => finishAtOnce(parseCompleteMultipartUpload(finishAtOnce(readXml(completion, { bytesMax: 1 << 24 })))),
  5,
);

await initChecksums();
const crcParts = Array.from({ length: 10_000 }, () => ({ digest: Buffer.alloc(8, 7), length: 5 << 20 }));
measure("combine 10,000 CRC64NVME", () => combineCrcs("CRC64NVME", crcParts), 20);
const body = unsignedChunks({ data: Buffer.alloc(1 << 20), chunkBytes: 65_536 });
measure(
  "aws-chunked, unsigned, 1 MiB",
  () => {
    const decoder = new AwsChunkedDecoder({ payloadBytesMax: 1 << 30 });
    for (let at = 0; at < body.length; at += 65_536) decoder.push(body.subarray(at, at + 65_536));
    decoder.end();
  },
  1000,
);
