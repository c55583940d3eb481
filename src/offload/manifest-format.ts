/**
 * The bytes of a manifest: one JSON document, in lines, so that a store of a hundred thousand segments writes
 * and reads it in slices.
 *
 *   {"thermocline":"manifest","version":1,"head":{...},"segments":[
 *   {...},                          a line for each segment
 *   ],"sha256":"..."}               of everything before this line
 *
 * Decoding believes nothing, and what it does not know does not get through.
 */
import { createHash } from "node:crypto";
import { assert } from "../base/assert.ts";
import { FormatError } from "../base/bytes.ts";
import type { Steps } from "../base/steps.ts";
import type { ChainValue } from "../segment/record.ts";
import type { Attempt } from "./cold-names.ts";
import { JsonFields } from "./json-fields.ts";
import { whatIsWrongWith } from "./manifest.ts";
import type { ColdObject, Manifest, ManifestSegment } from "./manifest.ts";

const MANIFEST_VERSION = 1;
/** Segments between two steps: well below a millisecond. */
const SEGMENTS_PER_STEP = 256;
const HASHED_PER_STEP = 1024 * 1024;
const START = '{"thermocline":"manifest","version":';
const START_SHAPE = /^\{"thermocline":"manifest","version":([0-9]{1,9}),"head":/;
const SEGMENTS_OPEN = ',"segments":[\n';

export type ManifestReading =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "damaged"; readonly reason: string }
  /** A newer release wrote it: what it reaches is not known here, which is no reason to give it up. */
  | { readonly kind: "unknownVersion"; readonly version: number };

/** The document in pieces. */
export function* encodeManifest(manifest: Manifest): Steps<readonly Buffer[]> {
  const wrong = yield* whatIsWrongWith(manifest);
  assert(wrong === undefined, `not a manifest: ${wrong}`);
  const { segments } = manifest;
  const hash = createHash("sha256");
  const pieces: Buffer[] = [];
  const add = (text: string): void => {
    const piece = Buffer.from(text, "utf8");
    hash.update(piece);
    pieces.push(piece);
  };
  add(`${START}${MANIFEST_VERSION},"head":${encodeHead(manifest)}${SEGMENTS_OPEN}`);
  for (let at = 0; at < segments.length; at += SEGMENTS_PER_STEP) {
    const lines = segments.slice(at, at + SEGMENTS_PER_STEP).map((segment) => encodeSegment(segment));
    add(`${lines.join(",\n")}${at + SEGMENTS_PER_STEP < segments.length ? "," : ""}\n`);
    yield;
  }
  pieces.push(Buffer.from(endOf(hash.digest("hex")), "utf8"));
  return pieces;
}

function endOf(sha256: string): string {
  return `],"sha256":"${sha256}"}\n`;
}

/** Field by field: what else an object may carry does not get into the bucket. */
function encodeHead(manifest: Manifest): string {
  const { cluster, lineage, index, term, incarnation, parent, snapshot, membership } = manifest;
  const { dateMs, logTimeMs, segmentBytes, isEnd } = manifest;
  return JSON.stringify({
    cluster,
    lineage,
    index,
    term,
    incarnation,
    parent: parent && { lineage: parent.lineage, cutIndex: parent.cutIndex },
    isEnd,
    dateMs,
    logTimeMs,
    segmentBytes,
    membership: { voters: membership.voters, learners: membership.learners },
    snapshot: snapshot && {
      index: snapshot.index,
      term: snapshot.term,
      incarnation: snapshot.incarnation,
      parts: snapshot.parts.map(({ key, bytes, sha256 }) => ({ key, bytes, sha256 })),
    },
  });
}

function encodeSegment({ id, first, last, sealed, chainBefore, chainAfter, copy }: ManifestSegment): string {
  const chains = { chainBefore: hexOf(chainBefore), chainAfter: hexOf(chainAfter) };
  const object = copy && { kind: copy.kind, key: copy.key, bytes: copy.bytes, sha256: copy.sha256 };
  return JSON.stringify({ id, first, last, sealed, ...chains, copy: object });
}

export function* decodeManifest(bytes: Buffer): Steps<ManifestReading> {
  const version = Number(START_SHAPE.exec(bytes.toString("latin1", 0, 80))?.[1]);
  if (Number.isNaN(version)) return { kind: "damaged", reason: "it does not begin like a manifest" };
  if (version !== MANIFEST_VERSION) return { kind: "unknownVersion", version };
  try {
    const manifest = yield* decodeSound(bytes);
    const wrong = yield* whatIsWrongWith(manifest);
    return wrong === undefined ? { kind: "manifest", manifest } : { kind: "damaged", reason: wrong };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { kind: "damaged", reason: error.message };
  }
}

function* decodeSound(bytes: Buffer): Steps<Manifest> {
  const end = bytes.length - endOf("0".repeat(64)).length;
  const hash = createHash("sha256");
  for (let at = 0; at < end; at += HASHED_PER_STEP) {
    hash.update(bytes.subarray(at, Math.min(end, at + HASHED_PER_STEP)));
    yield;
  }
  if (end < 0 || bytes.toString("latin1", end) !== endOf(hash.digest("hex"))) {
    throw new FormatError("it does not match its digest");
  }
  const open = bytes.indexOf(SEGMENTS_OPEN);
  const head = bytes.toString("utf8", bytes.indexOf('"head":') + '"head":'.length, open);
  const segments = yield* decodeSegments(bytes.subarray(open + SEGMENTS_OPEN.length, end));
  return { ...decodeHead(parse(head, "the head")), segments };
}

function* decodeSegments(lines: Buffer): Steps<readonly ManifestSegment[]> {
  const segments: ManifestSegment[] = [];
  for (let start = 0; start < lines.length;) {
    const end = lines.indexOf(10, start);
    if (end === -1) throw new FormatError("its last line has no end");
    const line = lines.toString("utf8", start, end);
    const what = `segment line ${segments.length + 1}`;
    segments.push(decodeSegment(parse(line.endsWith(",") ? line.slice(0, -1) : line, what), what));
    start = end + 1;
    if (segments.length % SEGMENTS_PER_STEP === 0) yield;
  }
  return segments;
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new FormatError(`${what} is not JSON`, { cause: error });
  }
}

function decodeHead(value: unknown): Omit<Manifest, "segments"> {
  const head = new JsonFields(value, "head");
  const parent = head.optional("parent");
  const snapshot = head.optional("snapshot");
  const membership = head.object("membership");
  const isEnd = head.has("isEnd") && head.flag("isEnd");
  return {
    ...attemptIn(head),
    cluster: head.text("cluster"),
    lineage: head.text("lineage"),
    parent: parent && { lineage: parent.text("lineage"), cutIndex: parent.count("cutIndex") },
    ...(isEnd ? { isEnd } : {}),
    dateMs: head.count("dateMs"),
    logTimeMs: head.count("logTimeMs"),
    segmentBytes: head.count("segmentBytes"),
    membership: { voters: membership.texts("voters"), learners: membership.texts("learners") },
    snapshot: snapshot && { ...attemptIn(snapshot), parts: snapshot.objects("parts").map(objectIn) },
  };
}

function decodeSegment(value: unknown, what: string): ManifestSegment {
  const segment = new JsonFields(value, what);
  const copy = segment.optional("copy");
  return {
    id: segment.count("id"),
    first: segment.count("first"),
    last: segment.count("last"),
    sealed: segment.flag("sealed"),
    chainBefore: chainOf(segment.hex("chainBefore", 16)),
    chainAfter: chainOf(segment.hex("chainAfter", 16)),
    copy: copy && { kind: copy.choice("kind", ["verbatim", "packed"]), ...objectIn(copy) },
  };
}

function attemptIn(fields: JsonFields): Attempt {
  return {
    index: fields.count("index"),
    term: fields.count("term"),
    incarnation: fields.text("incarnation"),
  };
}

function objectIn(fields: JsonFields): ColdObject {
  return { key: fields.text("key"), bytes: fields.count("bytes"), sha256: fields.hex("sha256", 64) };
}

function hexOf({ high, low }: ChainValue): string {
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}

function chainOf(hex: string): ChainValue {
  return { low: Number.parseInt(hex.slice(8), 16), high: Number.parseInt(hex.slice(0, 8), 16) };
}
