/**
 * WriteBatch, ours and not S3's: up to 1,000 puts, deletes, copies and checks in one request, all done or
 * none. What failed is told by its number, so that whoever lost a race knows which one.
 */
import { assert, unreachable } from "../../base/assert.ts";
import { BATCH_BYTES_MAX, PLAIN_METADATA } from "../../s3/batch.ts";
import { invalidArgument, s3Error } from "../../s3/errors.ts";
import type { S3ErrorCode } from "../../s3/errors.ts";
import type { BatchInput, BatchOutcome, BatchResult } from "../../service/batch-api.ts";
import { parseVersionId } from "../../state/version-id.ts";
import type { VersionName } from "../../state/version-id.ts";
import { answer, writeHeaders } from "../answer.ts";
import { receiveBatch } from "../batch-body.ts";
import type { ReceivedOperation } from "../batch-body.ts";
import { bodyTooLong, planBody } from "../body-plan.ts";
import type { RequestField } from "../client-usage.ts";
import type { Exchange } from "../exchange.ts";
import { toAttributes } from "../object-attributes.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";
import { conditionOf } from "../write-condition.ts";

/** What most puts have. */
const PLAIN = toAttributes(PLAIN_METADATA, undefined);

/** What each would be by itself. */
const FIELDS = {
  put: "puts",
  copy: "puts",
  delete: "deletes",
  deleteVersion: "deletes",
  check: "heads",
} as const satisfies Record<BatchInput["kind"], RequestField>;

function versionOf(versionId: string): VersionName {
  const version = parseVersionId(versionId);
  if (version === undefined) throw invalidArgument("Invalid version id specified", "versionId", versionId);
  return version;
}

function inputOf({ operation, bytes, etag }: ReceivedOperation): BatchInput {
  const { key } = operation;
  const condition = conditionOf(operation.condition);
  switch (operation.kind) {
    case "put":
      return {
        kind: "put",
        key,
        condition,
        etag,
        bytes,
        attributes:
          operation.metadata === PLAIN_METADATA ? PLAIN : toAttributes(operation.metadata, undefined),
        tags: operation.tags,
      };
    case "copy":
      return { kind: "copy", key, condition, source: operation.source, tags: operation.tags };
    case "delete": {
      const { versionId } = operation;
      if (versionId === undefined) return { kind: "delete", key, condition };
      return { kind: "deleteVersion", key, version: versionOf(versionId) };
    }
    case "check":
      return { kind: "check", key, condition };
    default:
      return unreachable(operation);
  }
}

function wordOf({ kind }: BatchInput): string {
  return kind === "deleteVersion" ? "delete" : kind;
}

/** As JSON, and by hand: walks over a thousand small objects cost as much as applying them. */
function resultOf(input: BatchInput, result: BatchResult | undefined): string {
  assert(result !== undefined, "a batch gave fewer results than it has operations");
  const start = `{"op":"${wordOf(input)}","key":${JSON.stringify(input.key)}`;
  switch (result.kind) {
    case "put":
      return `${start},"etag":"\\"${result.etag}\\""${versionField(result.versionId)}}`;
    case "deleted": {
      const { version } = result;
      const marker = version?.isMarker === true ? ',"deleteMarker":true' : "";
      return `${start}${versionField(version?.versionId)}${marker}}`;
    }
    case "checked":
      return `${start}}`;
    default:
      return unreachable(result);
  }
}

function versionField(versionId: string | undefined): string {
  return versionId === undefined ? "" : `,"versionId":"${versionId}"`;
}

const REFUSALS = {
  preconditionFailed: [412, "PreconditionFailed"],
  noSuchKey: [412, "NoSuchKey"],
  noSuchSource: [409, "NoSuchKey"],
} as const satisfies Record<
  Extract<BatchOutcome, { kind: "refused" }>["reason"],
  readonly [status: number, code: S3ErrorCode]
>;

function answerJson(exchange: Exchange, status: number, json: string): void {
  const headers = writeHeaders(exchange);
  headers.push("Content-Type", "application/json");
  answer(exchange, status, headers, Buffer.from(`${json}\n`));
}

function answerBatch(exchange: Exchange, inputs: readonly BatchInput[], outcome: BatchOutcome): void {
  switch (outcome.kind) {
    case "done": {
      const results = inputs.map((input, at) => resultOf(input, outcome.results[at]));
      return answerJson(exchange, 200, `{"results":[${results.join(",")}]}`);
    }
    case "refused": {
      const [status, code] = REFUSALS[outcome.reason];
      const { message } = s3Error(code);
      const input = inputs[outcome.at];
      const op = input && wordOf(input);
      const failed = { operation: outcome.at, op, key: input?.key, code, message };
      return answerJson(exchange, status, JSON.stringify({ failed }));
    }
    case "tooLarge":
      throw bodyTooLong({ bytesMax: BATCH_BYTES_MAX });
    case "noSuchBucket":
      throw noSuchBucket(exchange.target.bucket);
    default:
      return unreachable(outcome);
  }
}

export async function writeBatch(exchange: Exchange): Promise<void> {
  requireBucket(exchange);
  const plan = planBody(exchange, { bytesMax: BATCH_BYTES_MAX, needsLength: false });
  exchange.takeCredits(plan.length ?? BATCH_BYTES_MAX);
  const received = await receiveBatch(exchange, plan);
  const inputs = received.map(inputOf);
  const { edge, target } = exchange;
  edge.batchSizes.record(inputs.length);
  // What copies of small objects bring is in memory besides.
  if (inputs.some(({ kind }) => kind === "copy")) exchange.takeCredits(BATCH_BYTES_MAX);
  const batch = { bucket: target.bucket, operations: inputs, bytesMax: BATCH_BYTES_MAX };
  const outcome = await edge.service.batches.write(batch);
  if (outcome.kind === "done") for (const { kind } of inputs) edge.bundled.count(FIELDS[kind]);
  answerBatch(exchange, inputs, outcome);
}
