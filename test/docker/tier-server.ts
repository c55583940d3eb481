/** A server in a process of its own over a cold bucket, asked as its clients and its operator ask it. */
import { S3Client } from "@aws-sdk/client-s3";
import type { NodeStatus } from "../../src/service/api.ts";
import { presign } from "../bench/presign.ts";
import { plainEnvironment, runProgram } from "../scenario/run-program.ts";
import type { Ended } from "../scenario/run-program.ts";
import { PROGRAM, ServerProcess } from "../scenario/server-process.ts";

const ROOT = { accessKey: "tier-root", secretKey: "tier-root-secret" };
const ROOT_FLAGS = ["--root-access-key", ROOT.accessKey, "--root-secret-key", ROOT.secretKey];

export type Asked = {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
};

export type TierServer = AsyncDisposable & {
  readonly process: ServerProcess;
  /** Asks once: what fails is told. */
  readonly s3: S3Client;
  /** By the shortest way, for bodies in great number; whatever the status is. */
  readonly call: (method: string, path: string, asked?: Asked) => Promise<Response>;
  readonly status: () => Promise<Required<NodeStatus>>;
  /** What an operator types, with the keys of this server. */
  readonly operate: (...args: readonly string[]) => Promise<Ended>;
};

export async function startTierServer(directory: string, flags: readonly string[]): Promise<TierServer> {
  const started = await ServerProcess.start(directory, {
    command: "server",
    flags: [...ROOT_FLAGS, ...flags],
  });
  const { endpoint, adminEndpoint } = started;
  const adminHost = new URL(adminEndpoint).host;
  const s3 = new S3Client({
    endpoint,
    credentials: { accessKeyId: ROOT.accessKey, secretAccessKey: ROOT.secretKey },
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 1,
  });
  return {
    process: started,
    s3,
    call: async (method, path, { query = {}, body } = {}) => {
      const target = presign({ host: new URL(endpoint).host, ...ROOT }, method, path, query);
      return await fetch(endpoint + target, { method, ...(body === undefined ? {} : { body }) });
    },
    status: async () => {
      const answer = await fetch(adminEndpoint + presign({ host: adminHost, ...ROOT }, "GET", "/-/status"));
      if (!answer.ok) throw new Error(`/-/status: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as Required<NodeStatus>;
    },
    operate: async (...args) => await operate([...args, "--admin-addr", adminHost, ...ROOT_FLAGS]),
    [Symbol.asyncDispose]: async () => {
      s3.destroy();
      await started.stop();
    },
  };
}

/** The command line, wherever it speaks to. */
export async function operate(args: readonly string[]): Promise<Ended> {
  return await runProgram(process.execPath, [PROGRAM, ...args], { env: plainEnvironment() });
}

/** Each number below `count` once, some at a time. */
export async function inParallel(
  count: number,
  work: (at: number) => Promise<unknown>,
  atOnce = 16,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
