/**
 * Prints what the hot rules cost, in µs per call: `node test/s3/measure.ts`. Numbers of one noisy machine are
 * no test; they are for comparing two versions within the same minute.
 */

import { PresignedMemo } from "../../src/s3/presigned-memo.ts";
import { parseRequestTarget } from "../../src/s3/request-target.ts";
import { createSigV4Caches, verifySignature } from "../../src/s3/sigv4.ts";
import { presign, signRequest } from "./signer.ts";

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
