/**
 * The head of a batch, and the list of keys of a GET of many: one line of JSON, read strictly. A field that
 * is not known is refused: whoever misspells a condition must not get a batch without one. No I/O; bodies
 * stand behind the head and are read by whoever has the socket.
 */
import { unreachable } from "../base/assert.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { headerNotImplemented, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import { parseObjectMetadata } from "./headers.ts";
import type { ObjectMetadata } from "./headers.ts";
import { checkKey } from "./names.ts";
import { parseWritePrecondition } from "./preconditions.ts";
import type { WritePrecondition } from "./preconditions.ts";
import { checkTags } from "./tagging.ts";
import type { Tags } from "./tagging.ts";

/** Operations of a batch, and keys of a GET of many. */
export const BATCH_COUNT_MAX = 1000;
/** Head and bodies together; what copies of small objects bring counts as well. */
export const BATCH_BYTES_MAX = 8 * 1024 * 1024;
/** Parsing so many holds the loop for some ten milliseconds. */
export const BATCH_HEAD_BYTES_MAX = 2 * 1024 * 1024;
export const BATCH_BODY_BYTES_MAX = 64 * 1024;
export const BATCH_CONTENT_TYPE = "application/x-thermocline-batch";

type AtKey = { readonly key: string; readonly condition: WritePrecondition };

export type BatchOperation =
  | (AtKey & {
      readonly kind: "put";
      readonly size: number;
      readonly metadata: ObjectMetadata;
      readonly tags: Tags;
    })
  | (AtKey & { readonly kind: "delete"; readonly versionId: string | undefined })
  | (AtKey & { readonly kind: "check" })
  /** `source` is a key of the same bucket. */
  | (AtKey & { readonly kind: "copy"; readonly source: string; readonly tags: Tags | undefined });

const FIELDS = {
  put: ["op", "key", "size", "contentType", "metadata", "tags", "ifMatch", "ifNoneMatch"],
  delete: ["op", "key", "versionId", "ifMatch"],
  check: ["op", "key", "ifMatch", "ifNoneMatch"],
  copy: ["op", "key", "source", "tags", "ifMatch", "ifNoneMatch"],
} as const;

type Fields = Readonly<Record<string, unknown>>;

function malformed(message: string): S3Error {
  return s3Error("InvalidRequest", { message });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    throw s3Error("InvalidRequest", { message: `The head is not JSON: ${reason}`, cause: error });
  }
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(`${what} is not an object`);
  }
  return value as Fields;
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${what} is not a list`);
  if (value.length === 0) throw malformed(`${what} is empty`);
  if (value.length > BATCH_COUNT_MAX) {
    throw malformed(`${what} has ${value.length} entries; at most ${BATCH_COUNT_MAX}`);
  }
  return value;
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(`${what} is not a string`);
  return value;
}

function keyOf(value: unknown, what: string): string {
  const key = textOf(value, what);
  checkKey(key);
  return key;
}

/** In lower case. */
export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** What can stand in a head line. */
// oxlint-disable-next-line no-control-regex
const NOT_A_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** As a header would have brought it: UTF-8 that is looked at as latin1. */
export function wireText(value: unknown, what: string): string {
  const text = textOf(value, what);
  if (NOT_A_VALUE.test(text) || !text.isWellFormed()) throw malformed(`${what} cannot stand in a header`);
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Of a put that says nothing of it; always this one object. */
export const PLAIN_METADATA = parseObjectMetadata({});
const UNCONDITIONAL: WritePrecondition = { kind: "none" };
const NO_TAGS: Tags = [];

function metadataOf(fields: Fields, what: string): ObjectMetadata {
  if (fields["contentType"] === undefined && fields["metadata"] === undefined) return PLAIN_METADATA;
  const headers: Record<string, string> = Object.create(null);
  const { contentType, metadata } = fields;
  if (contentType !== undefined) headers["content-type"] = wireText(contentType, `${what}.contentType`);
  const user = metadata === undefined ? {} : asFields(metadata, `${what}.metadata`);
  for (const [name, value] of Object.entries(user)) {
    const lower = name.toLowerCase();
    if (!HEADER_NAME.test(lower)) throw malformed(`${what}.metadata has a name that no header can have`);
    headers[`x-amz-meta-${lower}`] = wireText(value, `${what}.metadata.${name}`);
  }
  return parseObjectMetadata(headers);
}

function conditionOf({ ifMatch, ifNoneMatch }: Fields, what: string): WritePrecondition {
  if (ifMatch === undefined && ifNoneMatch === undefined) return UNCONDITIONAL;
  const headers: RequestHeaders = {
    ...(ifMatch === undefined ? {} : { "if-match": textOf(ifMatch, `${what}.ifMatch`) }),
    ...(ifNoneMatch === undefined ? {} : { "if-none-match": textOf(ifNoneMatch, `${what}.ifNoneMatch`) }),
  };
  return parseWritePrecondition(headers);
}

function tagsOf(value: unknown, what: string): Tags {
  const fields = Object.entries(asFields(value, `${what}.tags`));
  const tags = fields.map(([name, text]) => [name, textOf(text, `${what}.tags.${name}`)] as const);
  checkTags(tags, { of: "object" });
  return tags;
}

/** As of a single deletion: only the current object is compared with anything. */
function versionIdOf({ versionId, ifMatch }: Fields, what: string): string | undefined {
  if (versionId === undefined) return undefined;
  if (ifMatch !== undefined) throw headerNotImplemented("If-Match");
  return textOf(versionId, `${what}.versionId`);
}

function sizeOf(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw malformed(`${what}.size is not a whole number`);
  }
  if (value > BATCH_BODY_BYTES_MAX) {
    const fields = { ProposedSize: String(value), MaxSizeAllowed: String(BATCH_BODY_BYTES_MAX) };
    throw s3Error("EntityTooLarge", { message: `The body of ${what} is too large for a batch`, fields });
  }
  return value;
}

function checkFields(fields: Fields, op: keyof typeof FIELDS, what: string): void {
  const known: readonly string[] = FIELDS[op];
  for (const name in fields) {
    if (!known.includes(name)) {
      throw malformed(`${what} has a field ${JSON.stringify(name)} that ${op} has not`);
    }
  }
}

function operationOf(value: unknown, what: string): BatchOperation {
  const fields = asFields(value, what);
  const { op } = fields;
  if (op !== "put" && op !== "delete" && op !== "check" && op !== "copy") {
    throw malformed(`${what}.op is none of put, delete, copy and check`);
  }
  checkFields(fields, op, what);
  const key = keyOf(fields["key"], `${what}.key`);
  const condition = conditionOf(fields, what);
  const tags = fields["tags"] === undefined ? undefined : tagsOf(fields["tags"], what);
  switch (op) {
    case "put": {
      const size = sizeOf(fields["size"], what);
      return { kind: op, key, condition, size, metadata: metadataOf(fields, what), tags: tags ?? NO_TAGS };
    }
    case "copy":
      return { kind: op, key, condition, source: keyOf(fields["source"], `${what}.source`), tags };
    case "delete":
      return { kind: op, key, condition, versionId: versionIdOf(fields, what) };
    case "check":
      if (condition.kind === "none") throw malformed(`${what} checks nothing`);
      return { kind: op, key, condition };
    default:
      return unreachable(op);
  }
}

/** What becomes current behind a version that goes is known only when it has gone. */
function checkSources(operations: readonly BatchOperation[]): void {
  const uncertain = new Set<string>();
  for (const [at, operation] of operations.entries()) {
    if (operation.kind === "delete" && operation.versionId !== undefined) uncertain.add(operation.key);
    if (operation.kind === "copy" && uncertain.has(operation.source)) {
      throw malformed(`operations[${at}].source: a version of it is deleted before`);
    }
  }
}

/** `{"operations":[...]}` */
export function parseBatchHead(text: string): readonly BatchOperation[] {
  const head = asFields(parseJson(text), "The head");
  const unknown = Object.keys(head).find((name) => name !== "operations");
  if (unknown !== undefined) throw malformed(`The head has a field ${JSON.stringify(unknown)}`);
  const list = listOf(head["operations"], "operations");
  const operations = list.map((each, at) => operationOf(each, `operations[${at}]`));
  checkSources(operations);
  return operations;
}

/** `["key", ...]` */
export function parseKeyList(text: string): readonly string[] {
  return listOf(parseJson(text), "The list of keys").map((each, at) => keyOf(each, `Entry ${at}`));
}
