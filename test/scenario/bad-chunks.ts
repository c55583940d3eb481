/**
 * Bad input inside aws-chunked bodies: signatures of chunks and trailers, checksums in trailers, framing.
 */
import { signedChunks, unsignedChunks } from "../s3/signer.ts";
import type { SignedHeaders } from "../s3/signer.ts";
import { keyOf } from "./bad-bodies.ts";
import type { BadKind } from "./bad-bodies.ts";
import { headOf, httpChunks, signed, waits, wrongChecksum } from "./bad-requests.ts";
import type { BadWorld } from "./bad-requests.ts";
import { credentials } from "./server-process.ts";

const BYTES = 20_000;
const DATA = Buffer.alloc(BYTES, "chunky ");
const CHUNK_BYTES = 8192;
const CRC32 = "x-amz-checksum-crc32";
/** Of DATA; what it is does not matter to those who never come so far. */
const SOME_CRC32 = "AAAAAA==";

type Streamed = {
  readonly payloadHash: string;
  readonly trailer?: string;
  readonly decodedLength?: number;
  readonly wire: (signed: SignedHeaders) => Buffer;
};

function streamed(streaming: (at: number) => Streamed): BadKind["send"] {
  return (world: BadWorld, at: number) => {
    const { payloadHash, trailer, decodedLength = BYTES, wire } = streaming(at);
    const call = {
      url: keyOf(world, at),
      payloadHash,
      headers: {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": String(decodedLength),
        ...(trailer === undefined ? {} : { "x-amz-trailer": trailer }),
      },
    };
    const { headers, ...rest } = signed(world, call);
    const body = wire({ headers, ...rest });
    return waits(headOf(call, headers, { more: [`content-length: ${body.length}`] }), body);
  };
}

const SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** A good body of signed chunks, and what is then done to its text. */
function forged(change: (wire: string) => string): BadKind["send"] {
  return streamed(() => ({
    payloadHash: SIGNED,
    wire: (seed) => {
      const wire = signedChunks({ data: DATA, chunkBytes: CHUNK_BYTES }, seed, credentials);
      return Buffer.from(change(wire.toString("latin1")), "latin1");
    },
  }));
}

/** A good body of unsigned chunks with a trailer, and what is then done to its text. */
function unsigned(change: (wire: string) => string, decodedLength = BYTES): BadKind["send"] {
  return streamed(() => ({
    payloadHash: UNSIGNED_TRAILER,
    trailer: CRC32,
    decodedLength,
    wire: () => {
      const trailers = { [CRC32]: SOME_CRC32 };
      const wire = unsignedChunks({ data: DATA, chunkBytes: CHUNK_BYTES, trailers });
      return Buffer.from(change(wire.toString("latin1")), "latin1");
    },
  }));
}

function flipLastHexDigit(signature: string): string {
  return signature.slice(0, -1) + (signature.endsWith("0") ? "1" : "0");
}

/** The second chunk before the first, each with its own signature. */
function swapChunks(wire: string): string {
  const [first, second, ...rest] = wire.split(/(?=2000;chunk-signature=)/);
  return [second, first, ...rest].join("");
}

export const badChunks: readonly BadKind[] = [
  {
    what: "a forged signature of a chunk",
    answers: ["403 SignatureDoesNotMatch"],
    send: forged((wire) => wire.replace(/chunk-signature=[0-9a-f]{64}/, flipLastHexDigit)),
  },
  {
    what: "another byte in a signed chunk",
    answers: ["403 SignatureDoesNotMatch"],
    send: forged((wire) => wire.replace("chunky", "cheeky")),
  },
  {
    what: "signed chunks in another order",
    answers: ["403 SignatureDoesNotMatch"],
    send: forged(swapChunks),
  },
  {
    what: "a chunk without its signature",
    answers: ["400 IncompleteBody"],
    send: forged((wire) => wire.replace(/;chunk-signature=[0-9a-f]{64}/, "")),
  },
  {
    what: "a signature of a chunk that is no hex",
    answers: ["403 SignatureDoesNotMatch"],
    send: forged((wire) => wire.replace(/chunk-signature=[0-9a-f]{64}/, "chunk-signature=../../\0")),
  },
  {
    what: "a forged signature of a trailer",
    answers: ["403 SignatureDoesNotMatch"],
    send: streamed(() => ({
      payloadHash: SIGNED_TRAILER,
      trailer: CRC32,
      wire: (seed) => {
        const trailers = { [CRC32]: SOME_CRC32 };
        const wire = signedChunks({ data: DATA, chunkBytes: CHUNK_BYTES, trailers }, seed, credentials);
        const text = wire.toString("latin1");
        return Buffer.from(text.replace(/x-amz-trailer-signature:[0-9a-f]{64}/, flipLastHexDigit), "latin1");
      },
    })),
  },
  {
    what: "a wrong x-amz-checksum-* in a trailer",
    answers: ["400 BadDigest"],
    send: streamed((at) => {
      const [trailer, value] = wrongChecksum(at);
      const trailers = { [trailer]: value };
      const wire = unsignedChunks({ data: DATA, chunkBytes: CHUNK_BYTES, trailers });
      return { payloadHash: UNSIGNED_TRAILER, trailer, wire: () => wire };
    }),
  },
  {
    what: "a trailer that was announced and does not come",
    answers: ["400 MalformedTrailerError"],
    send: unsigned((wire) => wire.replace(`${CRC32}:${SOME_CRC32}\r\n`, "")),
  },
  {
    what: "a trailer that nobody announced",
    answers: ["400 MalformedTrailerError"],
    send: unsigned((wire) => wire.replace(`${CRC32}:`, "x-amz-meta-smuggled:")),
  },
  {
    what: "a chunk whose size is no number",
    answers: ["400 IncompleteBody"],
    send: unsigned((wire) => `ZZ${wire.slice(2)}`),
  },
  {
    what: "a chunk larger than all that was declared",
    answers: ["400 IncompleteBody"],
    send: unsigned((wire) => `ffffffffff${wire}`),
  },
  {
    what: "chunks that end without the last one",
    answers: ["400 IncompleteBody"],
    send: unsigned((wire) => wire.slice(0, wire.lastIndexOf("0\r\nx-amz"))),
  },
  {
    what: "a decoded length that is too short",
    answers: ["400 IncompleteBody"],
    send: unsigned((wire) => wire, BYTES - 1),
  },
  {
    what: "a decoded length that is too long",
    answers: ["400 IncompleteBody"],
    send: unsigned((wire) => wire, BYTES + 1),
  },
  {
    what: "HTTP chunks whose framing breaks",
    answers: ["400 BadRequest", "end"],
    send: (world, at) => {
      const call = {
        url: keyOf(world, at),
        payloadHash: UNSIGNED_TRAILER,
        headers: { "x-amz-trailer": CRC32 },
      };
      const { headers } = signed(world, call);
      const request = headOf(call, headers, { more: ["transfer-encoding: chunked"] });
      const wire = unsignedChunks({ data: DATA, chunkBytes: BYTES, trailers: { [CRC32]: SOME_CRC32 } });
      return waits(
        request,
        httpChunks(wire, CHUNK_BYTES)
          .toString("latin1")
          .replace(/\r\n2000\r\n/, "\r\nXYZ\r\n"),
      );
    },
  },
];
