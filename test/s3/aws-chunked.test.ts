/**
 * aws-chunked bodies: the AWS example byte for byte, every way to cut the wire, every byte changed, every
 * length short or long. A decoder that returns from end() has seen the whole body and nothing else.
 */

import { createSecretKey } from "node:crypto";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { AwsChunkedDecoder, parseDecodedLength } from "../../src/s3/aws-chunked.ts";
import type { AwsChunkedOptions, Trailers } from "../../src/s3/aws-chunked.ts";
import { S3Error } from "../../src/s3/errors.ts";
import type { ChunkSigning } from "../../src/s3/signature.ts";
import { signedChunks, signingKey, signRequest, unsignedChunks } from "./signer.ts";
import type { SignedHeaders } from "./signer.ts";

const AWS = { accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
const NOW = Date.UTC(2013, 4, 24);
const CRC_TRAILER = { "x-amz-checksum-crc32": "AAAAAA==" };

function seed(payloadHash: string): SignedHeaders {
  const url = "/examplebucket/chunkObject.txt";
  return signRequest({ method: "PUT", url, host: "h", nowMs: NOW, credentials: AWS, payloadHash });
}

function signingOf(signed: SignedHeaders): ChunkSigning {
  return {
    key: createSecretKey(signingKey(AWS, signed.timestamp.slice(0, 8))),
    timestamp: signed.timestamp,
    scope: signed.scope,
    seedSignature: signed.signature,
    accessKey: AWS.accessKey,
  };
}

type Outcome = { readonly data: Buffer; readonly trailers: Trailers } | { readonly code: string };

function decode(pieces: readonly Buffer[], options: Partial<AwsChunkedOptions>): Outcome {
  const decoder = new AwsChunkedDecoder({ payloadBytesMax: 1 << 30, ...options });
  const data: Buffer[] = [];
  try {
    for (const piece of pieces) data.push(...decoder.push(piece));
    return { trailers: decoder.end(), data: Buffer.concat(data) };
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    expect(() => decoder.push(Buffer.from("x"))).toThrow(error);
    expect(() => decoder.end()).toThrow(error);
    return { code: error.code };
  }
}

function splitAt(wire: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (wire.length + 1)).toSorted((a, b) => a - b), wire.length];
  return places.slice(1).map((place, index) => wire.subarray(places[index], place));
}

type Body = { readonly name: string; readonly wire: Buffer; readonly options: Partial<AwsChunkedOptions> };

function bodies(data: Buffer, chunkBytes: number): readonly Body[] {
  const plain = seed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  const trailer = seed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");
  const trailers = CRC_TRAILER;
  const names = Object.keys(trailers);
  return [
    {
      name: "signed",
      wire: signedChunks({ data, chunkBytes }, plain, AWS),
      options: { signing: signingOf(plain), decodedLength: data.length },
    },
    {
      name: "signed with trailer",
      wire: signedChunks({ data, chunkBytes, trailers }, trailer, AWS),
      options: { signing: signingOf(trailer), decodedLength: data.length, trailerNames: names },
    },
    {
      name: "unsigned with trailer",
      wire: unsignedChunks({ data, chunkBytes, trailers }),
      options: { decodedLength: data.length, trailerNames: names },
    },
  ];
}

describe("the example of the S3 documentation", () => {
  // 65 KiB of "a" in chunks of 64 KiB; the signatures are AWS's.
  const signing: ChunkSigning = {
    key: createSecretKey(signingKey(AWS, "20130524")),
    timestamp: "20130524T000000Z",
    scope: "20130524/us-east-1/s3/aws4_request",
    seedSignature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    accessKey: AWS.accessKey,
  };
  const wire = Buffer.concat([
    Buffer.from("10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"),
    Buffer.alloc(65_536, "a"),
    Buffer.from(
      "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
    ),
    Buffer.alloc(1024, "a"),
    Buffer.from(
      "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    ),
  ]);

  test("PutObject_aws_example_signed_chunks", () => {
    expect(wire.length).toBe(66_824);
    const outcome = decode([wire], { signing, decodedLength: 66_560 });
    expect(outcome).toEqual({ data: Buffer.alloc(66_560, "a"), trailers: {} });
  });

  test("PutObject_aws_example_signed_trailer", () => {
    // From "Signature calculation: including trailing headers".
    const withTrailer = {
      ...signing,
      seedSignature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    };
    const body = Buffer.concat([
      Buffer.from(
        "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
      ),
      Buffer.alloc(65_536, "a"),
      Buffer.from(
        "\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
      ),
      Buffer.alloc(1024, "a"),
      Buffer.from(
        "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n",
      ),
      Buffer.from("x-amz-checksum-crc32c:sOO8/Q==\n\r\n"),
      Buffer.from(
        "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
      ),
    ]);
    const options = { signing: withTrailer, decodedLength: 66_560, trailerNames: ["x-amz-checksum-crc32c"] };
    expect(decode([body], options)).toMatchObject({ trailers: { "x-amz-checksum-crc32c": "sOO8/Q==" } });
  });
});

describe("any body", () => {
  test("PutObject_chunked_any_split_of_the_wire_gives_the_same", () => {
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 200 }),
        cuts,
        (bytes, size, places) => {
          const data = Buffer.from(bytes);
          for (const { wire, options } of bodies(data, size)) {
            const whole = decode([wire], options);
            expect(whole).toMatchObject({ data });
            expect(decode(splitAt(wire, places), options)).toEqual(whole);
            expect(decode(splitAt(wire, Array.from(wire.keys())), options)).toEqual(whole);
          }
        },
      ),
      { seed: 3, numRuns: 60 },
    );
  });

  test("PutObject_chunked_a_changed_byte_is_never_accepted_where_chunks_are_signed", () => {
    const data = Buffer.from("some payload that is signed");
    for (const { name, wire, options } of bodies(data, 10)) {
      for (let at = 0; at < wire.length; at++) {
        const changed = Buffer.from(wire);
        changed[at] = (changed[at] ?? 0) ^ 0x01;
        const outcome = decode([changed], options);
        if (name.startsWith("signed") && "data" in outcome) {
          // Hex digits and header names may change case or form; the payload may not.
          expect(outcome).toEqual(decode([wire], options));
        }
      }
    }
  });

  test("PutObject_chunked_a_body_cut_short_anywhere_is_IncompleteBody", () => {
    const data = Buffer.from("payload of three chunks");
    for (const { wire, options } of bodies(data, 9)) {
      for (let length = 0; length < wire.length; length++) {
        expect(decode([wire.subarray(0, length)], options)).toEqual({ code: "IncompleteBody" });
      }
      expect(decode([wire, Buffer.from("0")], options)).toEqual({ code: "IncompleteBody" });
    }
  });

  test("PutObject_chunked_decoded_length_must_be_true", () => {
    const data = Buffer.from("0123456789");
    for (const { wire, options } of bodies(data, 4)) {
      for (const decodedLength of [0, 9, 11]) {
        expect(decode([wire], { ...options, decodedLength })).toEqual({ code: "IncompleteBody" });
      }
      expect(decode([wire], { ...options, decodedLength: undefined })).toMatchObject({ data });
      const limited = { ...options, decodedLength: undefined, payloadBytesMax: 9 };
      expect(decode([wire], limited)).toEqual({ code: "EntityTooLarge" });
    }
  });

  test("PutObject_chunked_payload_is_handed_out_without_copying", () => {
    const data = Buffer.alloc(1000, "z");
    const wire = unsignedChunks({ data, chunkBytes: 1000 });
    const decoder = new AwsChunkedDecoder({ payloadBytesMax: 2000, decodedLength: 1000 });
    const [slice] = decoder.push(wire);
    expect(slice?.buffer).toBe(wire.buffer);
    expect(decoder.payloadBytes).toBe(1000);
  });
});

describe("what is malformed", () => {
  const signed = seed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  const signing = signingOf(signed);

  test("PutObject_chunked_malformed_chunk_headers", () => {
    const bad = [
      "x\r\n",
      "-1\r\nab\r\n",
      "5;foo=bar\r\n",
      "\r\n",
      "fffffffffffffff\r\n",
      "a".repeat(3000),
      "1\n\n",
    ];
    for (const text of bad)
      expect(decode([Buffer.from(text)], { signing })).toEqual({ code: "IncompleteBody" });
    const overrun = Buffer.from("3\r\nabcd\r\n0\r\n\r\n");
    expect(decode([overrun], { decodedLength: 3 })).toEqual({ code: "IncompleteBody" });
  });

  test("PutObject_chunked_wrong_chunk_signature", () => {
    const wire = signedChunks({ data: Buffer.from("abc"), chunkBytes: 2 }, signed, AWS);
    const other = Buffer.from(
      wire.toString("latin1").replace(/chunk-signature=./, "chunk-signature=z"),
      "latin1",
    );
    expect(decode([other], { signing, decodedLength: 3 })).toEqual({ code: "SignatureDoesNotMatch" });
    const short = Buffer.from("1;chunk-signature=abc\r\nx\r\n");
    expect(decode([short], { signing, decodedLength: 1 })).toEqual({ code: "SignatureDoesNotMatch" });
    const seedless = { ...signing, seedSignature: "0".repeat(64) };
    expect(decode([wire], { signing: seedless, decodedLength: 3 })).toEqual({
      code: "SignatureDoesNotMatch",
    });
  });

  test("PutObject_chunked_chunks_cannot_be_reordered_or_dropped", () => {
    const wire = signedChunks({ data: Buffer.from("aabb"), chunkBytes: 2 }, signed, AWS).toString("latin1");
    const [first = "", second = "", last = ""] =
      wire.match(/[0-9a-f]+;chunk-signature=\w+\r\n\w*\r\n/g) ?? [];
    expect(first + second + last).toBe(wire);
    for (const text of [second + first + last, first + last, last]) {
      expect(decode([Buffer.from(text)], { signing })).toEqual({ code: "SignatureDoesNotMatch" });
    }
  });

  test("PutObject_chunked_trailers_must_be_those_announced", () => {
    const data = Buffer.from("abc");
    const decodedLength = 3;
    const trailerNames = ["x-amz-checksum-crc32"];
    const unsigned = (trailers: Record<string, string>) => [
      unsignedChunks({ data, chunkBytes: 3, trailers }),
    ];
    expect(decode(unsigned(CRC_TRAILER), { decodedLength, trailerNames })).toMatchObject({
      trailers: CRC_TRAILER,
    });
    const upper = { "X-Amz-Checksum-CRC32": " AAAAAA== " };
    expect(decode(unsigned(upper), { decodedLength, trailerNames })).toMatchObject({ trailers: CRC_TRAILER });
    const malformed = { code: "MalformedTrailerError" };
    expect(decode(unsigned({}), { decodedLength, trailerNames })).toEqual(malformed);
    expect(decode(unsigned({ ...CRC_TRAILER, other: "1" }), { decodedLength, trailerNames })).toEqual(
      malformed,
    );
    expect(decode(unsigned(CRC_TRAILER), { decodedLength })).toEqual(malformed);
    expect(decode(unsigned({ noColon: "" }), { decodedLength })).toEqual(malformed);
    const long = Buffer.from(`0\r\n${"x".repeat(2000)}`);
    expect(decode([long], { decodedLength: 0 })).toEqual({ code: "IncompleteBody" });
  });

  test("PutObject_chunked_a_signed_trailer_needs_its_signature", () => {
    const trailerSeed = seed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");
    const options = { signing: signingOf(trailerSeed), trailerNames: Object.keys(CRC_TRAILER) };
    const body = { data: Buffer.from("abc"), chunkBytes: 3, trailers: CRC_TRAILER };
    const wire = signedChunks(body, trailerSeed, AWS).toString("latin1");
    const without = wire.replace(/x-amz-trailer-signature:\w+\r\n/, "");
    expect(decode([Buffer.from(without)], options)).toEqual({ code: "SignatureDoesNotMatch" });
    const other = wire.replace("crc32:AAAAAA==", "crc32:AAAAAQ==");
    expect(decode([Buffer.from(other)], options)).toEqual({ code: "SignatureDoesNotMatch" });
    const after = wire.replace(/\r\n\r\n$/, "\r\nlate:1\r\n\r\n");
    expect(decode([Buffer.from(after)], options)).toEqual({ code: "MalformedTrailerError" });
  });

  test("PutObject_decoded_content_length_header", () => {
    expect(parseDecodedLength(undefined)).toBeUndefined();
    expect(parseDecodedLength("66560")).toBe(66_560);
    for (const text of ["", "-1", "1.5", "0x10", "9".repeat(16)])
      expect(() => parseDecodedLength(text)).toThrow();
  });
});
