/**
 * Runs of operations against a server and the model beside it. Most are on a server in memory that is reset
 * between them; one in twenty is on a data directory, and there the server is started again wherever the run
 * says so. The seed is a text; the run that fails is shrunk, and printed as the operations of a test.
 */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { createServer } from "../../src/index.ts";
import type { EmbeddedServer } from "../../src/index.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { Driver } from "./driver.ts";
import { runOf } from "./arbitrary-operations.ts";
import type { Operation } from "./operations.ts";
import { S3Client } from "./s3-client.ts";
import type { Endpoint } from "./s3-client.ts";
import { Tally } from "./tally.ts";

export type Operations = readonly (Operation | undefined)[];

export type ModelRuns = {
  readonly tried: number;
  readonly operations: number;
  /** How many of them had a data directory. */
  readonly withRestarts: number;
  readonly failures: readonly string[];
  /** What was exercised, and how often it succeeded. */
  readonly tally: Tally;
};

const DIRECTORY_EVERY = 20;
const REPORT_EVERY = 250;

function endpointOf(server: EmbeddedServer): Endpoint {
  return { endpoint: server.endpoint, ...server.credentials };
}

/** On a server in memory; a restart is nothing there. */
async function runOn(server: EmbeddedServer, operations: Operations, tally: Tally): Promise<void> {
  const client = new S3Client(endpointOf(server));
  try {
    await new Driver(client, { restart: async () => false, tally }).run(operations);
  } finally {
    client.close();
  }
}

/** On a data directory of its own. */
export async function runOnDirectory(operations: Operations, tally = new Tally()): Promise<void> {
  await using directory = await temporaryDirectory();
  const open = (): Promise<EmbeddedServer> =>
    createServer({ settings: { dataDir: `${directory.path}/data` } });
  let server = await open();
  const client = new S3Client(endpointOf(server));
  const restart = async (): Promise<boolean> => {
    await server.close();
    server = await open();
    client.moveTo(endpointOf(server));
    return true;
  };
  try {
    await new Driver(client, { restart, tally }).run(operations);
  } finally {
    client.close();
    await server.close();
  }
}

async function check(
  run: (operations: Operations) => Promise<void>,
  options: { readonly seed: number; readonly runs: number; readonly length: number },
): Promise<readonly string[]> {
  const property = fc.asyncProperty(runOf(options.length), run);
  const { seed, runs: numRuns } = options;
  const details = await fc.check(property, { seed, numRuns });
  if (!details.failed) return [];
  const { counterexample, errorInstance } = details;
  const operations = (counterexample?.[0] ?? []).filter((operation) => operation !== undefined);
  return [`${String(errorInstance)}\n  by ${JSON.stringify(operations)}`];
}

/** Runs of `length` operations each; the same seed makes the same runs. */
export async function runModel(options: {
  readonly seed: string;
  readonly runs: number;
  readonly length: number;
  /** Gets a line now and then. */
  readonly report?: (line: string) => void;
}): Promise<ModelRuns> {
  const { runs, length, report } = options;
  const seed = createHash("sha256").update(options.seed).digest().readInt32LE();
  const withRestarts = Math.ceil(runs / DIRECTORY_EVERY);
  const tally = new Tally();
  await using server = await createServer({ memory: true });
  let begun = 0;
  const inMemory = async (operations: Operations): Promise<void> => {
    if (++begun % REPORT_EVERY === 0) report?.(`${begun} runs`);
    await server.reset();
    await runOn(server, operations, tally);
  };
  const failures = [
    ...(await check(inMemory, { seed, runs: runs - withRestarts, length })),
    ...(await check((operations) => runOnDirectory(operations, tally), {
      seed: seed ^ 1,
      runs: withRestarts,
      length,
    })),
  ];
  return { tried: runs, operations: runs * length, withRestarts, failures, tally };
}
