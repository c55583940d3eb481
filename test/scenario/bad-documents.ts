/**
 * Bad input in XML documents: bombs, nonsense, and more than anybody may send.
 */
import type { BadKind } from "./bad-bodies.ts";
import { UNSIGNED, head, httpChunks, md5Base64, waits, whole } from "./bad-requests.ts";
import type { BadCall, BadWorld } from "./bad-requests.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

function deletion(body: (at: number) => string | Buffer, change: Partial<BadCall> = {}): BadKind["send"] {
  return (world, at) =>
    waits(whole(world, { method: "POST", url: `/${world.bucket}?delete`, body: body(at), ...change }));
}

function completionUrl({ bucket, uploadId }: BadWorld): string {
  return `/${bucket}/upload?uploadId=${uploadId}`;
}

function completion(body: string): BadKind["send"] {
  return (world) => waits(whole(world, { method: "POST", url: completionUrl(world), body }));
}

function objects(count: number): string {
  const keys = Array.from({ length: count }, (_, at) => `<Object><Key>k${at}</Key></Object>`);
  return `<Delete>${keys.join("")}</Delete>`;
}

function partsOf(...numbers: readonly number[]): string {
  const parts = numbers.map(
    (number) => `<Part><PartNumber>${number}</PartNumber><ETag>"${"0".repeat(32)}"</ETag></Part>`,
  );
  return `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
}

const LAUGHS =
  '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">' +
  '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>' +
  "<Delete><Object><Key>&c;</Key></Object></Delete>";
const OUTSIDE =
  '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>';

export const badDocuments: readonly BadKind[] = [
  {
    what: "a bomb of entities",
    answers: ["400 MalformedXML"],
    send: deletion((at) => (at % 2 === 0 ? LAUGHS : OUTSIDE)),
  },
  {
    what: "a thousand levels",
    answers: ["400 MalformedXML"],
    send: deletion(() => "<Delete>".repeat(1000) + "</Delete>".repeat(1000)),
  },
  {
    what: "tags that do not close",
    answers: ["400 MalformedXML"],
    send: deletion(() => "<Delete><Object><Key>k</Key></Delete>"),
  },
  {
    what: "a document that is no UTF-8",
    answers: ["400 MalformedXML"],
    send: deletion(() => Buffer.from("<Delete><Object><Key>\xff\xfe</Key></Object></Delete>", "latin1")),
  },
  { what: "1,001 keys", answers: ["400 MalformedXML"], send: deletion(() => objects(1001)) },
  { what: "no document", answers: ["400 MalformedXML"], send: deletion(() => "") },
  {
    what: "a document that is not the one of its digest",
    answers: ["400 BadDigest"],
    send: deletion(() => objects(1), { headers: { "content-md5": md5Base64("x") } }),
  },
  {
    what: "a document without a digest",
    answers: ["400 InvalidRequest"],
    send: deletion(() => objects(1), { payloadHash: UNSIGNED }),
  },
  {
    what: "a document of 9 MiB, by its length",
    answers: ["400 MaxMessageLengthExceeded", "end"],
    send: (world) => {
      const call = { method: "POST", url: `/${world.bucket}?delete`, payloadHash: UNSIGNED };
      const headers = { "content-md5": md5Base64("x") };
      const request = head(world, { ...call, headers }, { more: [`content-length: ${9 * MIB}`] });
      return waits(request, "<Delete>");
    },
  },
  {
    what: "parts in the wrong order",
    answers: ["400 InvalidPartOrder"],
    send: completion(partsOf(2, 1)),
  },
  {
    what: "parts that nobody uploaded",
    answers: ["400 InvalidPart"],
    send: completion(partsOf(1, 2, 10_000)),
  },
  { what: "part numbers that are none", answers: ["400 InvalidArgument"], send: completion(partsOf(0)) },
  {
    what: "a location of a bucket that is none",
    answers: ["400 InvalidLocationConstraint"],
    send: (world, at) => {
      const location = "<LocationConstraint>../x</LocationConstraint>";
      const body = `<CreateBucketConfiguration>${location}</CreateBucketConfiguration>`;
      return waits(whole(world, { url: `/made-by-mistake-${at}`, body }));
    },
  },
];

/** For a server with the least that `limits.xmlBytesMax` may be. */
export const longDocuments: readonly BadKind[] = [
  {
    what: "a document that does not end, its length unsaid",
    answers: ["400 MaxMessageLengthExceeded", "end"],
    send: (world) => {
      const call = { method: "POST", url: completionUrl(world), payloadHash: UNSIGNED };
      const request = head(world, call, { more: ["transfer-encoding: chunked"] });
      return waits(request, httpChunks(Buffer.alloc(65 * KIB, "<Part>"), 16 * KIB));
    },
  },
];
