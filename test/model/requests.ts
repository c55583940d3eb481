/**
 * What the picks of an operation mean in a request: bodies, metadata, tags, conditions, ranges, and the
 * headers and arguments that say the same to the server and to the model.
 */
import type { Slice } from "./compare.ts";
import { BUCKETS, KEYS } from "./operations.ts";
import type { BodyPick, Condition as Picked, Operation, RangePick, Where } from "./operations.ts";
import type { Condition, Details, Place, Tags, Upload, Version } from "./vocabulary.ts";
import { percentEncode } from "./s3-client.ts";

/** Of nothing. */
export const NO_ETAG = "00000000000000000000000000000000";
const TYPES = ["text/plain", "binary/octet-stream", "application/x-model; charset=utf-8"];
const METADATA = [{}, { one: "1" }, { one: "uno", two: "a b" }];
export const TAGS: readonly Tags[] = [
  [],
  [["tag", "1"]],
  [
    ["tag", "two words"],
    ["ünï", "a+b/c"],
  ],
];

export type Headers = Readonly<Record<string, string | undefined>>;

const bodies = new Map<string, Buffer>();

/** Bytes that tell where they stand, so that a wrong stretch is noticed. */
export function bodyOf({ size, fill }: BodyPick): Buffer {
  const name = `${size} ${fill}`;
  const known = bodies.get(name);
  if (known !== undefined) return known;
  const body = Buffer.alloc(size);
  for (let at = 0; at < size; at++) body[at] = 97 + ((at + (at >> 8) * 7 + (at >> 16) * 3 + fill * 5) % 26);
  bodies.set(name, body);
  return body;
}

export function detailsOf(pick: { readonly metadata: number; readonly tags: number }): Details {
  const { metadata, tags } = pick;
  return {
    contentType: TYPES[metadata] ?? "",
    metadata: METADATA[metadata] ?? {},
    tags: TAGS[tags] ?? [],
  };
}

/** S3 names a type where the writer did not. */
export function headersOf({ contentType, metadata, tags }: Details): Headers {
  const pairs = tags.map(([key, value]) => `${percentEncode(key)}=${percentEncode(value)}`);
  return {
    "content-type": contentType === "binary/octet-stream" ? undefined : contentType,
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value])),
    "x-amz-tagging": pairs.length === 0 ? undefined : pairs.join("&"),
  };
}

export function conditionOf(picked: Picked, object: Version | undefined): Condition {
  const etag = object?.etag ?? NO_ETAG;
  switch (picked) {
    case "none":
    case "absent":
      return { kind: picked };
    case "mine":
      return { kind: "match", etag };
    case "other":
      return { kind: "match", etag: NO_ETAG };
    case "any":
      return { kind: "match", etag: "*" };
    case "differ":
      return { kind: "differ", etag };
    case "unlike":
      return { kind: "differ", etag: NO_ETAG };
    default:
      return picked satisfies never;
  }
}

export function conditionHeaders(condition: Condition, prefix = ""): Headers {
  switch (condition.kind) {
    case "none":
      return {};
    case "absent":
      return { [`${prefix}if-none-match`]: "*" };
    case "match":
      return { [`${prefix}if-match`]: condition.etag === "*" ? "*" : `"${condition.etag}"` };
    case "differ":
      return { [`${prefix}if-none-match`]: `"${condition.etag}"` };
    default:
      return condition satisfies never;
  }
}

export function rangeHeader(range: RangePick | undefined): string | undefined {
  if (range === undefined) return undefined;
  if (range.kind === "suffix") return `bytes=-${range.bytes}`;
  return `bytes=${range.first}-${range.kind === "from" ? "" : range.last}`;
}

/** Which bytes a range is of; one that is none is not looked at. */
export function sliceOf(range: RangePick | undefined, size: number): Slice | "unsatisfiable" | undefined {
  if (range === undefined) return undefined;
  if (range.kind === "suffix") {
    return size === 0 ? undefined : { start: Math.max(0, size - range.bytes), end: size };
  }
  const last = range.kind === "from" ? size - 1 : range.last;
  if (range.kind === "fromTo" && last < range.first) return undefined;
  if (range.first >= size) return "unsatisfiable";
  return { start: range.first, end: Math.min(last + 1, size) };
}

export function placeOf(where: Where): Place {
  return { bucket: BUCKETS[where.bucket] ?? "", key: KEYS[where.key] ?? "" };
}

/** The parts that a Complete names. */
export function namedParts(
  upload: Upload,
  how: Extract<Operation, { readonly kind: "complete" }>["how"],
): readonly { readonly number: number; readonly etag: string }[] {
  const parts = [...upload.parts].toSorted(([left], [right]) => left - right);
  const all = parts.map(([number, { etag = "" }]) => ({ number, etag }));
  switch (how) {
    case "all":
      return all;
    case "last":
      return all.slice(-1);
    case "wrongEtag":
      return all.map(({ number }) => ({ number, etag: NO_ETAG }));
    case "unordered":
      return all.toReversed();
    case "missing":
      return [...all.slice(-1), { number: 9, etag: NO_ETAG }];
    case "none":
      return [];
    default:
      return how satisfies never;
  }
}
