/**
 * Holds answers of the server against those of the model, and lets the model learn what only the server can
 * know. A difference is thrown, and says what was asked.
 */
import { isDeepStrictEqual } from "node:util";
import type { Answer, Version } from "./vocabulary.ts";
import { textOf } from "./s3-client.ts";
import type { Call, Reply } from "./s3-client.ts";

const STATUS: Readonly<Record<string, number>> = {
  BucketNotEmpty: 409,
  EntityTooSmall: 400,
  InvalidArgument: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidWriteOffset: 400,
  MalformedXML: 400,
  MethodNotAllowed: 405,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NoSuchVersion: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
};

export type Asked = { readonly call: Call; readonly reply: Reply };

export class Difference extends Error {
  override readonly name = "Difference";
  constructor({ call, reply }: Asked, what: string, got: unknown, want: unknown) {
    const { method, bucket, key, query, headers } = call;
    const asked = JSON.stringify({ method, bucket, key, query, headers, bytes: call.body?.length });
    const body = reply.body.toString("utf8", 0, 600);
    const answered = `${reply.status} ${JSON.stringify(reply.headers)} ${body}`;
    const [gotText, wantText] = [JSON.stringify(got), JSON.stringify(want)];
    super(`${what} is ${gotText} and has to be ${wantText}\n  asked: ${asked}\n  answered: ${answered}`);
  }
}

export function same(asked: Asked, what: string, got: unknown, want: unknown): void {
  if (!isDeepStrictEqual(got, want)) throw new Difference(asked, what, got, want);
}

export function oneOf(asked: Asked, what: string, got: unknown, want: readonly unknown[]): void {
  if (!want.includes(got)) throw new Difference(asked, what, got, want);
}

export function unquote(etag: string | undefined): string | undefined {
  return etag === undefined ? undefined : /^"(.*)"$/.exec(etag)?.[1];
}

/** A refusal by one of the codes; whether it was one. */
export function sameRefusal(asked: Asked, answer: Answer, isVersioned: boolean): boolean {
  if (answer.kind === "done") return false;
  const { reply, call } = asked;
  const { codes } = answer;
  if (answer.kind === "idle" && reply.status < 300) return false;
  oneOf(
    asked,
    "the status",
    reply.status,
    codes.map((code) => STATUS[code] ?? code),
  );
  if (call.method !== "HEAD") oneOf(asked, "the code", textOf(reply.body.toString("utf8"), "Code"), codes);
  const marker = answer.kind === "refused" ? answer.marker : undefined;
  const isMarker = marker === undefined ? undefined : "true";
  same(asked, "x-amz-delete-marker", reply.headers["x-amz-delete-marker"], isMarker);
  if (marker !== undefined && isVersioned) sameVersion(asked, marker);
  return true;
}

/** Compares what is known and learns what is not. */
function sameVersion(asked: Asked, version: Version, header = "x-amz-version-id"): void {
  const told = asked.reply.headers[header];
  if (version.name === undefined) {
    if (told === undefined || told === "" || told === "null") {
      throw new Difference(asked, header, told, "a version id");
    }
    version.name = told;
  }
  same(asked, header, told, version.name);
}

export function sameEtag(asked: Asked, told: string | undefined, of: { etag: string | undefined }): void {
  if (told === undefined || told === "") throw new Difference(asked, "the ETag", told, of.etag);
  of.etag ??= told;
  same(asked, "the ETag", told, of.etag);
}

/** The headers of a success that name versions. */
export function sameNames(
  asked: Asked,
  answer: Answer & { readonly kind: "done" },
  is: { readonly versioned: boolean; readonly sourceVersioned?: boolean },
): void {
  if (answer.version !== undefined && is.versioned) sameVersion(asked, answer.version);
  if (!is.versioned) same(asked, "x-amz-version-id", asked.reply.headers["x-amz-version-id"], undefined);
  if (answer.source === undefined) return;
  if (is.sourceVersioned === true) sameVersion(asked, answer.source, "x-amz-copy-source-version-id");
}

export type Slice = { readonly start: number; readonly end: number };

/** A GET or HEAD of an object, or of a slice of it. */
export function sameObject(
  asked: Asked,
  version: Version,
  want: { readonly slice: Slice | undefined; readonly versioned: boolean },
): void {
  const { reply, call } = asked;
  const { headers } = reply;
  const { slice } = want;
  const { body, details } = version;
  same(asked, "the status", reply.status, slice === undefined ? 200 : 206);
  const bytes = slice === undefined ? body : body.subarray(slice.start, slice.end);
  same(asked, "Content-Length", headers["content-length"], String(bytes.length));
  if (call.method === "GET" && !bytes.equals(reply.body)) {
    throw new Difference(asked, "the body", describe(reply.body), describe(bytes));
  }
  const range = slice && `bytes ${slice.start}-${slice.end - 1}/${body.length}`;
  same(asked, "Content-Range", headers["content-range"], range);
  sameEtag(asked, unquote(headers["etag"]), version);
  sameNames(asked, { kind: "done", version }, want);
  same(asked, "Content-Type", headers["content-type"], details.contentType);
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  const shown = Object.fromEntries(metadata.map(([name, value]) => [name.slice(11), value]));
  same(asked, "metadata", shown, details.metadata);
  const tagCount = details.tags.length === 0 ? undefined : String(details.tags.length);
  same(asked, "x-amz-tagging-count", headers["x-amz-tagging-count"], tagCount);
  version.lastModified ??= headers["last-modified"];
  same(asked, "Last-Modified", headers["last-modified"], version.lastModified);
}

function describe(bytes: Buffer): string {
  return `${bytes.length} bytes, ${bytes.toString("latin1", 0, 20)}...`;
}
