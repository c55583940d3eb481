/**
 * GetObject and HeadObject. The plain GET of a small object that is in memory runs without a promise: one
 * lookup, one list of head lines, one write. Conditions, ranges, parts and overrides go the general way.
 */
import { s3Error } from "../../s3/errors.ts";
import { refuseCustomerKey } from "../../s3/headers.ts";
import { parsePartNumber } from "../../s3/names.ts";
import { checkReadPreconditions } from "../../s3/preconditions.ts";
import { parseRange } from "../../s3/range.ts";
import { notModifiedHeaders, objectHeaders, parseResponseOverrides } from "../../s3/response-headers.ts";
import type { ObjectDescription } from "../../s3/response-headers.ts";
import type { FoundObject, Tier } from "../../service/api.ts";
import { answer, baseHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { describeObject } from "../object-attributes.ts";
import { TIER_HEADER, wholeObjectHeaders } from "../prebuilt-headers.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import {
  absentObject,
  pushVersion,
  requireVersion,
  shownVersionId,
  versionParameter,
} from "../require-object.ts";
import { sendBody } from "../send-body.ts";
import type { BodySlice } from "../send-body.ts";

/** Whether the answer is the whole object, unconditionally and under its own head lines. */
function isPlain(exchange: Exchange): boolean {
  const { headers } = exchange;
  if (
    headers["range"] !== undefined ||
    headers["if-none-match"] !== undefined ||
    headers["if-match"] !== undefined ||
    headers["if-modified-since"] !== undefined ||
    headers["if-unmodified-since"] !== undefined
  ) {
    return false;
  }
  return !exchange.isSelective;
}

function showsChecksum(exchange: Exchange): boolean {
  const mode = exchange.headers["x-amz-checksum-mode"];
  return typeof mode === "string" && mode.toUpperCase() === "ENABLED";
}

function send(
  exchange: Exchange,
  found: FoundObject,
  reply: { readonly status: number; readonly headers: string[]; readonly slice: BodySlice },
): void | Promise<void> {
  const { outgoing, edge } = exchange;
  const { status, headers, slice } = reply;
  if (exchange.method === "HEAD" || slice.end === slice.start) {
    outgoing.writeHead(status, headers);
    return edge.answers.end(exchange, status);
  }
  const { bytes } = found;
  // The head is written later, and a prebuilt list is then another request's.
  if (bytes === undefined) return sendBody(exchange, found, { status, slice, headers: [...headers] });
  outgoing.writeHead(status, headers);
  const isWhole = slice.end - slice.start === bytes.length;
  return edge.answers.end(exchange, status, isWhole ? bytes : bytes.subarray(slice.start, slice.end));
}

type Selection = { readonly status: number; readonly slice: BodySlice };

/** Which bytes: a part of the object, a range of it, or all. */
function select(exchange: Exchange, found: FoundObject): Selection {
  const { headers, target, edge } = exchange;
  const range = headers["range"];
  const rangeText = typeof range === "string" ? range : undefined;
  const partText = target.query.get("partNumber");
  if (partText !== undefined) {
    if (rangeText !== undefined) {
      throw s3Error("InvalidRequest", {
        message: "Cannot specify both Range header and partNumber query parameter",
      });
    }
    return selectPart(
      found,
      parsePartNumber(partText),
      edge.service.objects.partRange(found, Number(partText)),
    );
  }
  const result = parseRange(rangeText, found.size);
  if (result.kind === "unsatisfiable") throw result.error;
  if (result.kind === "whole") return { status: 200, slice: { start: 0, end: found.size } };
  return { status: 206, slice: result };
}

/** An object that was not uploaded in parts has one: itself. */
function selectPart(found: FoundObject, partNumber: number, slice: BodySlice | undefined): Selection {
  if (found.partCount === 0 && partNumber === 1) {
    return { status: 206, slice: { start: 0, end: found.size } };
  }
  if (slice !== undefined && found.partCount > 0) return { status: 206, slice };
  throw s3Error("InvalidPartNumber", {
    fields: {
      PartNumberRequested: String(partNumber),
      ActualPartCount: String(Math.max(1, found.partCount)),
    },
  });
}

function notModified(exchange: Exchange, object: ObjectDescription, versionId: string | undefined): void {
  const headers = [...baseHeaders(exchange), ...notModifiedHeaders(object)];
  pushVersion(headers, versionId);
  answer(exchange, 304, headers);
}

function sendSelected(exchange: Exchange, found: FoundObject): void | Promise<void> {
  const { headers, target, edge } = exchange;
  const hasPart = target.query.has("partNumber");
  const object = describeObject(found, { showPartsCount: hasPart });
  const verdict = checkReadPreconditions({ headers, object, nowMs: edge.options.clock.nowMs() });
  if (verdict.kind === "notModified") return notModified(exchange, object, shownVersionId(exchange, found));
  if (verdict.kind === "failed") throw verdict.error;
  const selection = select(exchange, found);
  return withTier(exchange, found, selection.slice, (tier) =>
    sendSlice(exchange, object, { found, selection, tier }),
  );
}

/** Only what is not in memory can lie elsewhere, and only then may rows have to be read to know. */
function withTier(
  exchange: Exchange,
  found: FoundObject,
  slice: BodySlice,
  answerWith: (tier: Tier) => void | Promise<void>,
): void | Promise<void> {
  if (found.bytes !== undefined) return answerWith("hot");
  const tier = exchange.edge.service.objects.tierOf(found, slice);
  return tier instanceof Promise ? tier.then(answerWith) : answerWith(tier);
}

function sendSlice(
  exchange: Exchange,
  object: ObjectDescription,
  {
    found,
    selection,
    tier,
  }: { readonly found: FoundObject; readonly selection: Selection; readonly tier: Tier },
): void | Promise<void> {
  const { status, slice } = selection;
  const list = objectHeaders({
    object,
    slice: status === 206 && found.size > 0 ? slice : undefined,
    overrides: parseResponseOverrides(exchange.target.query, { isSigned: true }),
    showChecksum: showsChecksum(exchange),
  });
  pushVersion(list, shownVersionId(exchange, found));
  return send(exchange, found, {
    status: found.size === 0 ? 200 : status,
    headers: [...baseHeaders(exchange), TIER_HEADER, tier, ...list],
    slice,
  });
}

function sendFound(exchange: Exchange, found: FoundObject | undefined): void | Promise<void> {
  if (found === undefined) throw absentObject(exchange);
  if (!isPlain(exchange)) return sendSelected(exchange, found);
  if (found.bytes !== undefined) return sendWhole(exchange, found, "hot");
  const whole = { start: 0, end: found.size };
  return withTier(exchange, found, whole, (tier) => sendWhole(exchange, found, tier));
}

function sendWhole(exchange: Exchange, found: FoundObject, tier: Tier): void | Promise<void> {
  const headers = wholeObjectHeaders(exchange, found, { showChecksum: showsChecksum(exchange), tier });
  return send(exchange, found, { status: 200, headers, slice: { start: 0, end: found.size } });
}

export function getObject(exchange: Exchange): void | Promise<void> {
  requireBucketAndKey(exchange);
  refuseCustomerKey(exchange.headers);
  const version = exchange.isSelective ? versionParameter(exchange) : undefined;
  if (version !== undefined) {
    return requireVersion(exchange, version).then((object) => sendFound(exchange, object));
  }
  const found = exchange.edge.service.objects.find(exchange.target.path);
  if (found instanceof Promise) return found.then((object) => sendFound(exchange, object));
  return sendFound(exchange, found);
}
