/**
 * GetObjectAttributes: what HEAD tells and a little more, as a document of what the request asks for.
 */
import { formatHttpDate } from "../../s3/dates.ts";
import { invalidArgument, s3Error } from "../../s3/errors.ts";
import { objectAttributesXml } from "../../s3/copy-xml.ts";
import type { ObjectPartList } from "../../s3/copy-xml.ts";
import { headerText } from "../../s3/canonical-request.ts";
import { refuseCustomerKey } from "../../s3/headers.ts";
import { checkReadPreconditions } from "../../s3/preconditions.ts";
import type { FoundObject } from "../../service/api.ts";
import { answer, baseHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { storageClassOf } from "../object-attributes.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { pushVersion, requireObject, shownVersionId } from "../require-object.ts";

const HEADER = "x-amz-object-attributes";
const ATTRIBUTES: ReadonlySet<string> = new Set([
  "ETag",
  "Checksum",
  "ObjectParts",
  "StorageClass",
  "ObjectSize",
]);
const PARTS_MAX = 1000;

function parseAttributes(exchange: Exchange): ReadonlySet<string> {
  const text = headerText(exchange.headers, HEADER) ?? "";
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) {
    throw s3Error("InvalidArgument", {
      message:
        "The x-amz-object-attributes header specifying the attributes to be retrieved is either " +
        "missing or empty",
      fields: { ArgumentName: HEADER },
    });
  }
  const unknown = names.find((name) => !ATTRIBUTES.has(name));
  if (unknown !== undefined) throw invalidArgument("Invalid attribute name specified.", HEADER, unknown);
  return new Set(names);
}

function parseCount(exchange: Exchange, name: string, absent: number): number {
  const text = headerText(exchange.headers, name);
  if (text === undefined) return absent;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw invalidArgument(`Provided ${name} not an integer or within integer range`, name, text);
}

async function partsOf(exchange: Exchange, found: FoundObject): Promise<ObjectPartList | undefined> {
  const marker = parseCount(exchange, "x-amz-part-number-marker", 0);
  const maxParts = Math.min(PARTS_MAX, parseCount(exchange, "x-amz-max-parts", PARTS_MAX));
  const total = found.partCount;
  if (total === 0) return undefined;
  const parts = await exchange.edge.service.details.parts(found, { after: marker, limit: maxParts });
  const nextMarker = parts.at(-1)?.partNumber ?? marker;
  return { total, marker, nextMarker, maxParts, isTruncated: nextMarker < total, parts };
}

export async function getObjectAttributes(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { headers, edge } = exchange;
  refuseCustomerKey(headers);
  const wanted = parseAttributes(exchange);
  const found = await requireObject(exchange);
  const object = { etag: found.etag, lastModifiedMs: found.modifiedMs };
  const verdict = checkReadPreconditions({ headers, object, nowMs: edge.options.clock.nowMs() });
  if (verdict.kind === "failed") throw verdict.error;
  if (verdict.kind === "notModified") return answer(exchange, 304, baseHeaders(exchange));
  const xml = objectAttributesXml({
    etag: wanted.has("ETag") ? found.etag : undefined,
    checksum: wanted.has("Checksum") ? found.attributes.checksum : undefined,
    parts: wanted.has("ObjectParts") ? await partsOf(exchange, found) : undefined,
    storageClass: wanted.has("StorageClass") ? storageClassOf(found.attributes) : undefined,
    size: wanted.has("ObjectSize") ? found.size : undefined,
  });
  const list = baseHeaders(exchange);
  list.push("Last-Modified", formatHttpDate(found.modifiedMs), "Content-Type", "application/xml");
  pushVersion(list, shownVersionId(exchange, found));
  answer(exchange, 200, list, xml);
}
