/**
 * PostObject: an upload from a browser's form. The fields come first and say who signed what; nothing of the
 * file is taken before they were found good (post-policy.ts). Then it is an upload like any other, streamed.
 */
import { unreachable } from "../../base/assert.ts";
import { encodeRfc3986 } from "../../s3/canonical-request.ts";
import type { RequestHeaders } from "../../s3/canonical-request.ts";
import { parseContentMd5, parseDeclaredChecksum } from "../../s3/checksum-headers.ts";
import { invalidArgument, s3Error } from "../../s3/errors.ts";
import { FormDataReader, boundaryOf } from "../../s3/form-data.ts";
import type { FormEvent } from "../../s3/form-data.ts";
import { parseObjectMetadata } from "../../s3/headers.ts";
import { PUT_BYTES_MAX, checkKey } from "../../s3/names.ts";
import { checkPostPolicy, parsePostPolicy, verifyPostSignature } from "../../s3/post-policy.ts";
import { TAGGING_BYTES_MAX, checkTags, parseTagging } from "../../s3/tagging.ts";
import type { Tags } from "../../s3/tagging.ts";
import { document, element } from "../../s3/xml-write.ts";
import { readXml } from "../../s3/xml-read.ts";
import { CHUNK_BYTES_MAX } from "../../service/api.ts";
import type { PutOutcome } from "../../service/api.ts";
import { finishAtOnce } from "../../base/steps.ts";
import type { Attributes } from "../../state/attributes.ts";
import { answer, writeHeaders } from "../answer.ts";
import { authorizeAgain, ownBucket } from "../authorize.ts";
import { BodyDigests } from "../body-digests.ts";
import { bodyTooLong } from "../body-plan.ts";
import type { BodyPlan } from "../body-plan.ts";
import { BodySink } from "../body-sink.ts";
import type { Exchange } from "../exchange.ts";
import { toAttributes } from "../object-attributes.ts";
import { pumpBody } from "../pump-body.ts";
import { noSuchBucket } from "../require-bucket.ts";
import { pushVersion } from "../require-object.ts";

/** A form that was found good, at the point where its file begins. */
type Upload = {
  readonly key: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly headers: RequestHeaders;
  readonly attributes: Attributes;
  readonly tags: Tags;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly digests: BodyDigests;
  readonly sink: BodySink;
};

/** Names of fields that stand for headers are those of the headers, but for two. */
function headersOf(fields: ReadonlyMap<string, string>): RequestHeaders {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of fields) {
    if (name === "tagging" || name === "policy" || name === "key" || name === "bucket") continue;
    // As if it had come on the wire.
    headers[name === "acl" ? "x-amz-acl" : name] = Buffer.from(value, "utf8").toString("latin1");
  }
  return headers;
}

function tagsOf(fields: ReadonlyMap<string, string>): Tags {
  const text = fields.get("tagging");
  if (text === undefined) return [];
  const root = finishAtOnce(readXml(Buffer.from(text), { bytesMax: TAGGING_BYTES_MAX }));
  const tags = parseTagging(root);
  checkTags(tags, { of: "object" });
  return tags;
}

function keyOf(fields: ReadonlyMap<string, string>, filename: string): string {
  const key = fields.get("key");
  if (key === undefined || key === "") {
    const message =
      "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the " +
      "fields.";
    throw invalidArgument(message, "key", "");
  }
  // A path, as some browsers send it, is the business of nobody.
  const base = filename.slice(Math.max(filename.lastIndexOf("/"), filename.lastIndexOf("\\")) + 1);
  const named = key.replaceAll("${filename}", () => base);
  checkKey(named);
  return named;
}

function planOf(headers: RequestHeaders, bytesMax: number): BodyPlan {
  const declared = parseDeclaredChecksum(headers);
  return {
    length: undefined,
    bytesMax,
    isDocument: false,
    isChunked: false,
    contentMd5: headers["content-md5"] === undefined ? undefined : parseContentMd5(headers),
    sha256Hex: undefined,
    declared,
    algorithm: declared.kind === "none" ? undefined : declared.algorithm,
  };
}

/** All that can be said against a form is said here, before a byte of its file is taken. */
function beginUpload(
  exchange: Exchange,
  given: Map<string, string>,
  file: Extract<FormEvent, { kind: "file" }>,
): Upload {
  const { edge, target } = exchange;
  const { identity } = verifyPostSignature({
    fields: given,
    lookupSecret: edge.lookupSecret,
    keys: edge.signatures.keys,
  });
  exchange.identity = identity;
  const key = keyOf(given, file.filename);
  const fields = new Map([...given, ["key", key], ["bucket", target.bucket]]);
  const named = given.get("bucket");
  if (named !== undefined && named !== target.bucket) {
    throw invalidArgument("The bucket of the form is not that of the request", "bucket", named);
  }
  const policy = parsePostPolicy(given.get("policy") ?? "");
  checkPostPolicy(policy, fields, edge.options.clock.nowMs());
  exchange.bucket = ownBucket(exchange, target.bucket);
  if (!fields.has("content-type") && file.contentType !== undefined)
    fields.set("content-type", file.contentType);
  const headers = headersOf(fields);
  const bytesMax = Math.min(policy.lengthMax, PUT_BYTES_MAX);
  const digests = new BodyDigests(planOf(headers, bytesMax));
  return {
    key,
    fields,
    headers,
    attributes: toAttributes(parseObjectMetadata(headers), undefined),
    tags: tagsOf(fields),
    bytesMin: policy.lengthMin,
    bytesMax,
    digests,
    sink: new BodySink(edge.service.objects, digests),
  };
}

/** Reads a form; what it holds of the upload is given up by the caller. */
class FormUpload {
  readonly #exchange: Exchange;
  readonly #reader: FormDataReader;
  readonly #fields = new Map<string, string>();
  upload: Upload | undefined;

  constructor(exchange: Exchange, boundary: string) {
    this.#exchange = exchange;
    this.#reader = new FormDataReader(boundary);
  }

  get isComplete(): boolean {
    return this.#reader.isComplete;
  }

  readonly take = (wire: Buffer): Promise<void> | undefined => {
    const pending: Promise<void>[] = [];
    for (const event of this.#reader.push(wire)) {
      const wait = this.#on(event);
      if (wait !== undefined) pending.push(wait);
    }
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
  };

  #on(event: FormEvent): Promise<void> | undefined {
    switch (event.kind) {
      case "field": {
        const name = event.name.toLowerCase();
        if (this.#fields.has(name))
          throw invalidArgument("A field of the form is given twice", name, event.value);
        this.#fields.set(name, event.value);
        return undefined;
      }
      case "file":
        this.upload = beginUpload(this.#exchange, this.#fields, event);
        return undefined;
      case "bytes": {
        const { upload } = this;
        if (upload === undefined) throw s3Error("MalformedPOSTRequest");
        if (upload.sink.size + event.bytes.length > upload.bytesMax) throw bodyTooLong(upload);
        return upload.sink.take(event.bytes);
      }
      default:
        return unreachable(event);
    }
  }
}

type Put = Extract<PutOutcome, { readonly kind: "put" }>;

function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^\s]+$/.test(text) && URL.canParse(text);
}

function answerPosted(exchange: Exchange, upload: Upload, put: Put): void {
  const { etag, versionId } = put;
  const { bucket } = exchange.target;
  const { key, fields } = upload;
  const host = exchange.headers["host"];
  const path = `/${bucket}/${encodeRfc3986(key).replaceAll("%2F", "/")}`;
  const location = `http://${typeof host === "string" ? host : ""}${path}`;
  const headers = writeHeaders(exchange);
  headers.push("ETag", `"${etag}"`);
  pushVersion(headers, versionId);
  const redirect = fields.get("success_action_redirect") ?? fields.get("redirect") ?? "";
  if (isHttpUrl(redirect)) {
    const tag = encodeRfc3986(`"${etag}"`);
    const query = `bucket=${encodeRfc3986(bucket)}&key=${encodeRfc3986(key)}&etag=${tag}`;
    headers.push("Location", `${redirect}${redirect.includes("?") ? "&" : "?"}${query}`);
    return answer(exchange, 303, headers);
  }
  headers.push("Location", location);
  const status = fields.get("success_action_status");
  if (status !== "201") return answer(exchange, status === "200" ? 200 : 204, headers);
  headers.push("Content-Type", "application/xml");
  const facts = element("Location", location) + element("Bucket", bucket) + element("Key", key);
  answer(exchange, 201, headers, document("PostResponse", facts + element("ETag", `"${etag}"`)));
}

async function finishUpload(exchange: Exchange, upload: Upload): Promise<void> {
  const { key, attributes, tags, bytesMin, digests, sink } = upload;
  const { bucket } = exchange.target;
  if (sink.size < bytesMin) {
    const fields = { ProposedSize: String(sink.size), MinSizeAllowed: String(bytesMin) };
    throw s3Error("EntityTooSmall", { fields });
  }
  const { etag, checksum } = digests.finish({});
  authorizeAgain(exchange);
  const outcome = await exchange.edge.service.objects.put({
    bucket,
    key,
    etag,
    attributes: { ...attributes, checksum },
    body: await sink.finish(),
    condition: { kind: "none" },
    tags: tags.length === 0 ? undefined : tags,
  });
  if (outcome.kind !== "put") throw noSuchBucket(bucket);
  answerPosted(exchange, upload, outcome);
}

export async function postObject(exchange: Exchange): Promise<void> {
  const contentType = exchange.headers["content-type"];
  const boundary = typeof contentType === "string" ? boundaryOf(contentType) : undefined;
  if (boundary === undefined) throw s3Error("MalformedPOSTRequest");
  exchange.takeCredits(2 * CHUNK_BYTES_MAX);
  const form = new FormUpload(exchange, boundary);
  try {
    await pumpBody(exchange, form.take);
    const { upload } = form;
    if (upload === undefined) {
      throw invalidArgument("POST requires exactly one file upload per request.", "file", "0");
    }
    if (!form.isComplete) throw s3Error("IncompleteBody");
    await finishUpload(exchange, upload);
  } catch (error) {
    form.upload?.sink.abort();
    await form.upload?.sink.settled();
    throw error;
  } finally {
    form.upload?.sink.abort();
  }
}
