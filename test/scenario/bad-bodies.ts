/**
 * Bad input in plain bodies: such that break off, lengths and checksums that are wrong. Every attempt has a
 * key of its own, so that no cache spares the server anything.
 */
import { sha256Hex } from "../s3/signer.ts";
import { UNSIGNED, finishes, head, md5Base64, waits, whole, wrongChecksum } from "./bad-requests.ts";
import type { BadCall, BadWorld } from "./bad-requests.ts";
import type { Sent } from "./raw-lane.ts";

export type BadKind = {
  readonly what: string;
  /** `400 BadDigest` is status and S3 code; `end` says that the server ends the connection, and only then. */
  readonly answers: readonly string[];
  readonly send: (world: BadWorld, at: number) => Sent;
};

const KIB = 1024;
const MIB = 1024 * KIB;
const FILLING = Buffer.alloc(2 * MIB, "0123456789abcde\n");
const TEXT = "hello, world: a small body";

function filling(bytes: number): Buffer {
  return FILLING.subarray(0, bytes);
}

export function keyOf(world: BadWorld, at: number): string {
  return `/${world.bucket}/key-${at}`;
}

function part(world: BadWorld, at: number): string {
  return `/${world.bucket}/upload?partNumber=${1 + (at % 10_000)}&uploadId=${world.uploadId}`;
}

/** A PUT that promises `length` bytes, of which `sent` come before our side ends. */
function breaksOff(
  url: (world: BadWorld, at: number) => string,
  length: number,
  sent: number,
): BadKind["send"] {
  return (world, at) => {
    const call = { url: url(world, at), payloadHash: UNSIGNED };
    return finishes(head(world, call, { more: [`content-length: ${length}`] }), filling(sent));
  };
}

function small(change: Partial<BadCall> | ((at: number) => Partial<BadCall>)): BadKind["send"] {
  return (world, at) => {
    const changed = typeof change === "function" ? change(at) : change;
    return waits(whole(world, { url: keyOf(world, at), body: TEXT, ...changed }));
  };
}

/** Lines that say how long the body is, which comes all the same. */
function lengthLines(...more: readonly string[]): BadKind["send"] {
  return (world, at) => {
    const call = { url: keyOf(world, at), body: TEXT };
    return waits(head(world, call, { more }), TEXT);
  };
}

export const brokenOff: readonly BadKind[] = [
  {
    what: "a small body that ends early",
    answers: ["400 IncompleteBody", "end"],
    send: breaksOff(keyOf, 1000, 500),
  },
  {
    what: "a streamed body that ends early",
    answers: ["400 IncompleteBody", "end"],
    send: breaksOff(keyOf, 200_000, 100_000),
  },
  {
    what: "a streamed body that ends early, every fifth with a chunk in the log",
    answers: ["400 IncompleteBody", "end"],
    send: (world, at) => breaksOff(keyOf, 3 * MIB, at % 5 === 0 ? MIB + 100 : 100_000)(world, at),
  },
  {
    what: "a part that ends early",
    answers: ["400 IncompleteBody", "end"],
    send: breaksOff(part, 200_000, 100_000),
  },
  {
    what: "a part that ends early, every tenth with a chunk in the log",
    answers: ["400 IncompleteBody", "end"],
    send: (world, at) => breaksOff(part, 6 * MIB, at % 10 === 0 ? MIB + 100 : 1000)(world, at),
  },
  {
    what: "a client that vanishes within a body",
    answers: ["end"],
    send: (world, at) => ({ ...breaksOff(keyOf, 100_000, 50_000)(world, at), ending: "reset" }),
  },
];

export const wrongLengths: readonly BadKind[] = [
  {
    what: "Content-Length shorter than the body",
    answers: ["400 XAmzContentSHA256Mismatch", "400 BadRequest", "end"],
    send: lengthLines("content-length: 10"),
  },
  {
    what: "Content-Length longer than the body",
    answers: ["400 IncompleteBody", "end"],
    send: breaksOff(keyOf, 27, 26),
  },
  {
    what: "no length at all",
    answers: ["411 MissingContentLength"],
    send: (world, at) => waits(head(world, { url: keyOf(world, at) })),
  },
  { what: "a negative length", answers: ["400 BadRequest", "end"], send: lengthLines("content-length: -26") },
  {
    what: "a length that is no number",
    answers: ["400 BadRequest", "end"],
    send: lengthLines("content-length: 26a"),
  },
  {
    what: "two lengths",
    answers: ["400 BadRequest", "end"],
    send: lengthLines("content-length: 26", "content-length: 27"),
  },
  {
    what: "a length beside chunks",
    answers: ["400 BadRequest", "end"],
    send: lengthLines("content-length: 26", "transfer-encoding: chunked"),
  },
  {
    what: "6 GiB in one PUT",
    answers: ["400 EntityTooLarge", "end"],
    send: (world, at) =>
      waits(
        head(
          world,
          { url: keyOf(world, at), payloadHash: UNSIGNED },
          { more: [`content-length: ${6 * KIB * MIB}`] },
        ),
        TEXT,
      ),
  },
];

export const wrongChecksums: readonly BadKind[] = [
  {
    what: "a wrong Content-MD5",
    answers: ["400 BadDigest"],
    send: small({ headers: { "content-md5": md5Base64("x") } }),
  },
  {
    what: "a Content-MD5 that is none",
    answers: ["400 InvalidDigest"],
    send: small({ headers: { "content-md5": "bm9uZQ==" } }),
  },
  {
    what: "a wrong Content-MD5 of a streamed body, every tenth with a chunk in the log",
    answers: ["400 BadDigest"],
    send: (world, at) =>
      waits(
        whole(world, {
          url: keyOf(world, at),
          body: filling(at % 10 === 0 ? MIB + 100 : 70_000),
          payloadHash: UNSIGNED,
          headers: { "content-md5": md5Base64("x") },
        }),
      ),
  },
  {
    what: "a wrong x-amz-checksum-* in a header",
    answers: ["400 BadDigest"],
    send: small((at) => ({ headers: Object.fromEntries([wrongChecksum(at)]) })),
  },
  {
    what: "the same of a part",
    answers: ["400 BadDigest"],
    send: (world, at) =>
      waits(
        whole(world, {
          url: part(world, at),
          body: filling(70_000),
          payloadHash: UNSIGNED,
          headers: { "x-amz-checksum-crc32": Buffer.alloc(4, 7).toString("base64") },
        }),
      ),
  },
  {
    what: "an x-amz-checksum-* of the wrong length",
    answers: ["400 InvalidRequest"],
    send: small((at) => ({ headers: { [wrongChecksum(at)[0]]: "AAAA" } })),
  },
  {
    what: "two checksums",
    answers: ["400 InvalidRequest"],
    send: small((at) => ({ headers: Object.fromEntries([wrongChecksum(at), wrongChecksum(at + 1)]) })),
  },
  {
    what: "a wrong x-amz-content-sha256",
    answers: ["400 XAmzContentSHA256Mismatch"],
    send: small({ payloadHash: sha256Hex("x") }),
  },
  {
    what: "an x-amz-content-sha256 that is none",
    answers: ["400 InvalidArgument"],
    send: small({ payloadHash: "sha256" }),
  },
];
