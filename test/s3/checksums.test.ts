/**
 * Checksums against published check values, incremental against one-shot, combined against computed directly.
 */

import { createHash } from "node:crypto";

import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import {
  checkChecksum,
  checkContentMd5,
  checksumHeaderName,
  isChecksumValue,
  parseContentMd5,
  parseDeclaredChecksum,
  parseMultipartChecksum,
  trailerChecksumValue,
  trailerNames,
} from "../../src/s3/checksum-headers.ts";
import {
  CHECKSUM_ALGORITHMS,
  checksumOf,
  compositeChecksum,
  createChecksumHasher,
  fullObjectChecksum,
  initChecksums,
} from "../../src/s3/checksums.ts";
import { combineCrcs } from "../../src/s3/crc-combine.ts";

const CRCS = ["CRC32", "CRC32C", "CRC64NVME"] as const;
const CHECK = Buffer.from("123456789");

beforeAll(initChecksums);

describe("hashers", () => {
  test("check values of the catalogue", () => {
    expect(checksumOf("CRC32", CHECK).toString("hex")).toBe("cbf43926");
    expect(checksumOf("CRC32C", CHECK).toString("hex")).toBe("e3069283");
    expect(checksumOf("CRC64NVME", CHECK).toString("hex")).toBe("ae8b14860a799888");
    expect(checksumOf("SHA1", CHECK)).toEqual(createHash("sha1").update(CHECK).digest());
    expect(checksumOf("SHA256", CHECK)).toEqual(createHash("sha256").update(CHECK).digest());
  });

  test("the checksums of nothing are those that clients send for it", () => {
    expect(CRCS.map((algorithm) => checksumOf(algorithm, Buffer.alloc(0)).toString("base64"))).toEqual([
      "AAAAAA==",
      "AAAAAA==",
      "AAAAAAAAAAA=",
    ]);
  });

  test("pieces give what the whole gives, with hashers interleaved", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (pieces) => {
        const hashers = CHECKSUM_ALGORITHMS.flatMap((name) => [
          createChecksumHasher(name),
          createChecksumHasher(name),
        ]);
        for (const piece of pieces) for (const hasher of hashers) hasher.update(piece);
        const whole = Buffer.concat(pieces);
        for (const hasher of hashers) {
          expect(hasher.digestBase64()).toBe(checksumOf(hasher.algorithm, whole).toString("base64"));
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("multipart checksums", () => {
  test("a combined CRC is that of the concatenation", () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 });
    fc.assert(
      fc.property(parts, fc.constantFrom(...CRCS), (pieces, algorithm) => {
        const crcs = pieces.map((piece) => ({ digest: checksumOf(algorithm, piece), length: piece.length }));
        expect(combineCrcs(algorithm, crcs)).toEqual(checksumOf(algorithm, Buffer.concat(pieces)));
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  test("long parts combine too", () => {
    const zeros = Buffer.alloc(5 * 1024 * 1024 + 3);
    for (const algorithm of CRCS) {
      const digest = checksumOf(algorithm, zeros);
      const three = [1, 2, 3].map(() => ({ digest, length: zeros.length }));
      const hasher = createChecksumHasher(algorithm);
      for (const _ of three) hasher.update(zeros);
      expect(combineCrcs(algorithm, three)).toEqual(hasher.digest());
    }
  });

  test("lengths beyond 32 bits: combining in another order gives the same", () => {
    const length = 5 * 1024 ** 3;
    for (const algorithm of CRCS) {
      const digest = checksumOf(algorithm, CHECK);
      const part = { digest, length };
      const left = { digest: combineCrcs(algorithm, [part, part]), length: 2 * length };
      const right = { digest: combineCrcs(algorithm, [part, part]), length: 2 * length };
      expect(combineCrcs(algorithm, [left, part, part])).toEqual(combineCrcs(algorithm, [part, part, right]));
    }
  });

  test("a composite checksum is that of the binary checksums, with their number", () => {
    const parts = ["one", "two"].map((text) => checksumOf("SHA256", Buffer.from(text)));
    const expected = createHash("sha256").update(Buffer.concat(parts)).digest("base64");
    const stored = parts.map((part) => ({ value: part.toString("base64"), size: 3 }));
    expect(compositeChecksum("SHA256", stored)).toBe(`${expected}-2`);
    const crcs = ["one", "two"].map((text) => ({
      value: checksumOf("CRC32", Buffer.from(text)).toString("base64"),
      size: 3,
    }));
    expect(fullObjectChecksum("CRC32", crcs)).toBe(
      checksumOf("CRC32", Buffer.from("onetwo")).toString("base64"),
    );
  });
});

function multipart(algorithm: string, type?: string): unknown {
  const headers = { "x-amz-checksum-algorithm": algorithm };
  return parseMultipartChecksum(type === undefined ? headers : { ...headers, "x-amz-checksum-type": type });
}

describe("what a request declares", () => {
  const crc32 = checksumOf("CRC32", CHECK).toString("base64");

  test("PutObject_checksum_in_header_or_trailer", () => {
    expect(parseDeclaredChecksum({ host: "h", "x-amz-checksum-mode": "ENABLED" })).toEqual({ kind: "none" });
    const header = { "x-amz-checksum-crc32": crc32, "x-amz-sdk-checksum-algorithm": "CRC32" };
    expect(parseDeclaredChecksum(header)).toEqual({ kind: "header", algorithm: "CRC32", value: crc32 });
    const trailer = {
      "x-amz-trailer": "x-amz-checksum-crc64nvme",
      "x-amz-sdk-checksum-algorithm": "CRC64NVME",
    };
    expect(parseDeclaredChecksum(trailer)).toEqual({ kind: "trailer", algorithm: "CRC64NVME" });
    expect(trailerNames({ "x-amz-trailer": " X-Amz-Checksum-CRC32 , b" })).toEqual([
      "x-amz-checksum-crc32",
      "b",
    ]);
  });

  test("PutObject_contradicting_checksums_are_refused", () => {
    const bad: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ "x-amz-checksum-crc32": crc32, "x-amz-checksum-crc32c": crc32 }, /Expecting a single/],
      [{ "x-amz-checksum-crc32": crc32, "x-amz-trailer": "x-amz-checksum-crc32" }, /Expecting a single/],
      [{ "x-amz-checksum-crc32": "AAAA" }, /Value for x-amz-checksum-crc32 header is invalid/],
      [{ "x-amz-checksum-crc32": "AAAAAB==" }, /Value for x-amz-checksum-crc32 header is invalid/],
      [{ "x-amz-checksum-sha256": crc32 }, /Value for x-amz-checksum-sha256 header is invalid/],
      [{ "x-amz-checksum-crc16": crc32 }, /algorithm type you specified/],
      [{ "x-amz-trailer": "x-other" }, /x-amz-trailer header is not supported/],
      [{ "x-amz-sdk-checksum-algorithm": "CRC32" }, /no corresponding x-amz-checksum-\*/],
      [{ "x-amz-checksum-crc32": crc32, "x-amz-sdk-checksum-algorithm": "SHA1" }, /sdk-checksum-algorithm/],
    ];
    for (const [headers, message] of bad) {
      expect(() => parseDeclaredChecksum(headers)).toThrow(message);
    }
  });

  test("PutObject_wrong_checksum_is_BadDigest", () => {
    expect(() => checkChecksum("CRC32", crc32, crc32)).not.toThrow();
    expect(() => checkChecksum("CRC32", crc32, "AAAAAA==")).toThrow(
      expect.objectContaining({
        code: "BadDigest",
        message: "The CRC32 you specified did not match the calculated checksum.",
      }),
    );
  });

  test("trailer values are read by name and checked for form", () => {
    expect(trailerChecksumValue("CRC32", { "x-amz-checksum-crc32": crc32 })).toBe(crc32);
    expect(() => trailerChecksumValue("CRC32", {})).toThrow(
      expect.objectContaining({ code: "MalformedTrailerError" }),
    );
    expect(() => trailerChecksumValue("CRC32", { "x-amz-checksum-crc32": "no" })).toThrow(
      /trailing header is invalid/,
    );
  });

  test("CreateMultipartUpload_checksum_types", () => {
    expect(parseMultipartChecksum({})).toBeUndefined();
    expect(multipart("CRC32")).toEqual({ algorithm: "CRC32", type: "COMPOSITE" });
    expect(multipart("crc32c", "FULL_OBJECT")).toEqual({ algorithm: "CRC32C", type: "FULL_OBJECT" });
    expect(multipart("CRC64NVME")).toEqual({ algorithm: "CRC64NVME", type: "FULL_OBJECT" });
    expect(multipart("SHA256")).toEqual({ algorithm: "SHA256", type: "COMPOSITE" });
    expect(() => multipart("CRC64NVME", "COMPOSITE")).toThrow(
      /COMPOSITE checksum type cannot be used with the crc64nvme/,
    );
    expect(() => multipart("SHA1", "FULL_OBJECT")).toThrow(
      /FULL_OBJECT checksum type cannot be used with the sha1/,
    );
    expect(() => multipart("CRC32", "HALF")).toThrow(/x-amz-checksum-type header is invalid/);
    expect(() => multipart("MD4")).toThrow(/unsupported/);
    expect(() => parseMultipartChecksum({ "x-amz-checksum-type": "COMPOSITE" })).toThrow(
      /can only be used with/,
    );
  });

  test("Content_MD5_forms", () => {
    const md5 = createHash("md5").update(CHECK).digest("base64");
    expect(parseContentMd5({})).toBeUndefined();
    expect(parseContentMd5({ "content-md5": md5 })).toBe(md5);
    for (const bad of [
      "",
      "abc",
      `${md5}=`,
      md5.slice(0, -1),
      createHash("md5").update(CHECK).digest("hex"),
    ]) {
      expect(() => parseContentMd5({ "content-md5": bad })).toThrow(
        expect.objectContaining({ code: "InvalidDigest" }),
      );
    }
    expect(() => checkContentMd5(md5, md5)).not.toThrow();
    expect(() => checkContentMd5(md5, "other")).toThrow(
      expect.objectContaining({
        code: "BadDigest",
        fields: { ExpectedDigest: md5, CalculatedDigest: "other" },
      }),
    );
  });

  test("header names and value lengths of every algorithm", () => {
    for (const algorithm of CHECKSUM_ALGORITHMS) {
      const value = checksumOf(algorithm, CHECK).toString("base64");
      expect(isChecksumValue(algorithm, value)).toBe(true);
      const headers = { [checksumHeaderName(algorithm)]: value };
      expect(parseDeclaredChecksum(headers)).toEqual({ kind: "header", algorithm, value });
    }
  });
});
