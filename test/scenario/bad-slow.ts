/**
 * Bad input that takes its time, for a server with short timeouts. All attempts run at once.
 */
import { keyOf } from "./bad-bodies.ts";
import type { BadKind } from "./bad-bodies.ts";
import { UNSIGNED, head, md5Base64, waits } from "./bad-requests.ts";
import type { BadCall, BadWorld } from "./bad-requests.ts";

export const SLOW_FLAGS: readonly string[] = [
  "--limits-headers-timeout=1s",
  "--limits-idle-timeout=2s",
  "--limits-xml-bytes-max=64KiB",
];
/** Longer than any of the timeouts. */
const PIECES = 40;
const PAUSE_MS = 250;

function trickles(request: string, piece: string): ReturnType<BadKind["send"]> {
  return {
    pieces: [request, ...Array.from({ length: PIECES }, () => piece)],
    pauseMs: PAUSE_MS,
    ending: "wait",
  };
}

type Promised = Omit<BadCall, "url"> & {
  readonly length: number;
  readonly url?: (world: BadWorld) => string;
};

function promises(world: BadWorld, at: number, promised: Promised): string {
  const { length, url, ...rest } = promised;
  const call = { payloadHash: UNSIGNED, ...rest, url: url?.(world) ?? keyOf(world, at) };
  return head(world, call, { more: [`content-length: ${length}`] });
}

const SMALL: Promised = { length: 1000 };
const STREAMED: Promised = { length: 70_000 };
const PART: Promised = {
  length: 70_000,
  url: ({ bucket, uploadId }) => `/${bucket}/upload?partNumber=1&uploadId=${uploadId}`,
};
const CHUNKED: Promised = {
  length: 80_000,
  payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  headers: { "x-amz-decoded-content-length": "70000", "x-amz-trailer": "x-amz-checksum-crc32" },
};
const DOCUMENT: Promised = {
  length: 1000,
  method: "POST",
  url: ({ bucket }) => `/${bucket}?delete`,
  headers: { "content-md5": md5Base64("x") },
};

function slow(what: string, promised: Promised, begin: string, piece: string): readonly BadKind[] {
  const answers = ["400 RequestTimeout", "end"];
  return [
    {
      what: `${what} that falls silent`,
      answers,
      send: (world, at) => waits(promises(world, at, promised), begin),
    },
    {
      what: `${what} that trickles`,
      answers,
      send: (world, at) => trickles(promises(world, at, promised) + begin, piece),
    },
  ];
}

export const slowKinds: readonly BadKind[] = [
  { what: "a connection that says nothing", answers: ["408 RequestTimeout", "end"], send: () => waits("") },
  {
    what: "a head that does not end (slowloris)",
    answers: ["408 RequestTimeout", "end"],
    send: (_, at) => trickles(`GET /slow-${at} HTTP/1.1\r\nhost: x\r\n`, "x-slow: y\r\n"),
  },
  ...slow("a small body", SMALL, "begin", "x"),
  ...slow("a streamed body", STREAMED, "begin", "x"),
  ...slow("a part", PART, "begin", "x"),
  ...slow("a body in chunks", CHUNKED, "10000\r\n", "x"),
  ...slow("a document", DOCUMENT, "<Delete>", " "),
];
