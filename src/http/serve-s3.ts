/**
 * One request to the S3 listener, in the order that safety needs: target (once, from the raw bytes), reserved paths,
 * signature, operation. Everything after works on what was found here.
 */
import { unreachable } from "../base/assert.ts";
import { routeOperation } from "../s3/operations.ts";
import type { S3Operation } from "../s3/operations.ts";
import { authenticate, requestHeaders } from "./authenticate.ts";
import type { Edge } from "./edge.ts";
import type { Exchange } from "./exchange.ts";
import { answerHealth } from "./health.ts";
import type { OperationCounter } from "./operation-counter.ts";
import { operationTable } from "./operation-table.ts";
import type { OperationFunction } from "./operation-table.ts";
import { getBucketSetting, getObjectSetting } from "./operations/absent-settings.ts";

type Operation = { readonly run: OperationFunction; readonly counter: OperationCounter };

function operationsOf(edge: Edge): ReadonlyMap<S3Operation, Operation> {
  const entries = Object.entries(operationTable) as [S3Operation, OperationFunction][];
  return new Map(entries.map(([name, run]) => [name, { run, counter: edge.counter(name) }]));
}

export type Serve = (exchange: Exchange) => void | Promise<void>;

export function serveS3(edge: Edge): Serve {
  const operations = operationsOf(edge);
  return (exchange) => {
    const { incoming } = exchange;
    exchange.headers = requestHeaders(exchange);
    const target = edge.targets.parse(incoming.url ?? "", incoming.headers.host);
    exchange.target = target;
    if (!target.isVirtualHost && answerHealth(exchange)) return undefined;
    authenticate(exchange);
    const { headers, method } = exchange;
    const route = routeOperation({ method, target, headers });
    switch (route.kind) {
      case "operation": {
        const operation = operations.get(route.name) as Operation;
        exchange.counter = operation.counter;
        return operation.run(exchange);
      }
      case "refused":
        throw route.error;
      case "absentBucketSetting":
        return getBucketSetting(exchange, route.setting);
      case "absentObjectSetting":
        return getObjectSetting(exchange, route.setting);
      default:
        return unreachable(route);
    }
  };
}
