/**
 * One request to the S3 listener, in the order that safety needs: target (once, from the raw bytes),
 * reserved paths, signature, authorisation, operation. Everything after works on what was found here.
 */
import { assert, unreachable } from "../base/assert.ts";
import { s3Error } from "../s3/errors.ts";
import { WRITING_OPERATIONS, isFormUpload, routeOperation } from "../s3/operations.ts";
import type { Route, S3Operation } from "../s3/operations.ts";
import { checkAskedConsistency } from "./asked-consistency.ts";
import { authenticate, requestHeaders } from "./authenticate.ts";
import { authorize } from "./authorize.ts";
import { addCorsHeaders, answerPreflight } from "./cross-origin.ts";
import type { Edge } from "./edge.ts";
import type { Exchange } from "./exchange.ts";
import type { Faults } from "./faults.ts";
import { answerHealth } from "./health.ts";
import type { OperationCounter } from "./operation-counter.ts";
import { operationTable } from "./operation-table.ts";
import type { OperationFunction } from "./operation-table.ts";
import { sufferFault } from "./suffer-fault.ts";
import type { KnownTarget } from "./target-memo.ts";
import { getBucketSetting, getObjectSetting } from "./operations/absent-settings.ts";

type Operation = {
  readonly run: OperationFunction;
  readonly counter: OperationCounter;
  /** Why this node refuses it to everybody. */
  readonly refusal: string | undefined;
};

function operationsOf(edge: Edge): ReadonlyMap<string, Operation> {
  const { readOnly } = edge.options;
  const entries = Object.entries(operationTable) as [S3Operation, OperationFunction][];
  return new Map(
    entries.map(([name, run]) => {
      const refusal = WRITING_OPERATIONS.has(name) ? readOnly : undefined;
      return [name, { run, counter: edge.counter(name), refusal }];
    }),
  );
}

/** Before a byte of the body is asked for. */
function begin(exchange: Exchange, { counter, refusal }: Operation): void {
  exchange.counter = counter;
  if (refusal === undefined) return;
  throw s3Error("ServiceUnavailable", { message: `This node takes no writes: ${refusal}` });
}

function routeOf(exchange: Exchange, known: KnownTarget): Route {
  const { method, target, headers } = exchange;
  if (method !== "GET") return routeOperation({ method, target, headers });
  known.getRoute ??= routeOperation({ method, target, headers });
  return known.getRoute;
}

export type Serve = (exchange: Exchange) => void | Promise<void>;

function operate(
  operations: ReadonlyMap<string, Operation>,
  exchange: Exchange,
  route: Route,
): void | Promise<void> {
  const operation = route.kind === "operation" ? operations.get(route.name) : undefined;
  if (operation !== undefined) begin(exchange, operation);
  authorize(exchange, route);
  switch (route.kind) {
    case "operation":
      assert(operation !== undefined, "an operation without a function");
      return operation.run(exchange);
    case "refused":
      throw route.error;
    case "absentBucketSetting":
      return getBucketSetting(exchange, route.setting);
    case "absentObjectSetting":
      return getObjectSetting(exchange, route.setting);
    default:
      return unreachable(route);
  }
}

/** Faults are looked at once it is known who asks for what, and before anything is done. */
function operateUnderFaults(
  faults: Faults,
  exchange: Exchange,
  parts: { readonly operations: ReadonlyMap<string, Operation>; readonly route: Route },
): void | Promise<void> {
  const { operations, route } = parts;
  const { bucket, key } = exchange.target;
  const operation = route.kind === "operation" ? route.name : undefined;
  const suffering = faults.meet({ operation, bucket, key });
  if (suffering === undefined) return operate(operations, exchange, route);
  if (operation !== undefined) exchange.counter = operations.get(operation)?.counter ?? exchange.counter;
  return sufferFault(exchange, suffering, () => operate(operations, exchange, route));
}

export function serveS3(edge: Edge): Serve {
  const operations = operationsOf(edge);
  const { faults } = edge.options;
  return (exchange) => {
    const { incoming } = exchange;
    exchange.headers = requestHeaders(exchange);
    const known = edge.targets.parse(incoming.url ?? "", incoming.headers.host);
    const { target } = known;
    exchange.target = target;
    exchange.isSelective = known.isSelective;
    if (!target.isVirtualHost && answerHealth(exchange)) return undefined;
    addCorsHeaders(exchange);
    if (exchange.method === "OPTIONS") return answerPreflight(exchange);
    if (!isFormUpload(exchange)) authenticate(exchange);
    checkAskedConsistency(exchange);
    const route = routeOf(exchange, known);
    if (faults === undefined || faults.isEmpty) return operate(operations, exchange, route);
    return operateUnderFaults(faults, exchange, { operations, route });
  };
}
