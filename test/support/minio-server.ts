/** MinIO from a program on this machine, on a free port and a directory of its own, with one bucket. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { plainEnvironment } from "../scenario/run-program.ts";
import { temporaryDirectory } from "./open-store.ts";

export type BucketServer = AsyncDisposable & {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly bucket: string;
};

const START_MS_MAX = 20_000;

export async function startMinio(program: string): Promise<BucketServer> {
  const directory = await temporaryDirectory();
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: "minio-test", secretAccessKey: "minio-test-secret" };
  const child = spawn(program, ["server", directory.path, "--address", `127.0.0.1:${port}`, "--quiet"], {
    env: plainEnvironment({
      MINIO_ROOT_USER: credentials.accessKeyId,
      MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
      // So that anybody may read its counters.
      MINIO_PROMETHEUS_AUTH_TYPE: "public",
    }),
    stdio: "ignore",
  });
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  await Promise.race([
    makeBucket({ endpoint, credentials, bucket: "cold" }),
    ended.then(() => Promise.reject(new Error(`${program} ended before it answered`))),
  ]);
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    await directory[Symbol.asyncDispose]();
  };
  return { endpoint, credentials, bucket: "cold", [Symbol.asyncDispose]: end };
}

/** Repeats until the server is up. */
export async function makeBucket(server: Omit<BucketServer, typeof Symbol.asyncDispose>): Promise<void> {
  const { endpoint, credentials, bucket } = server;
  const client = new S3Client({
    endpoint,
    credentials,
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 1,
  });
  const untilMs = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      break;
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  client.destroy();
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** How often each S3 operation was asked for, as MinIO counts it: `PutObject`, `GetObject`, ... */
export async function requestsSeen({ endpoint }: BucketServer): Promise<ReadonlyMap<string, number>> {
  const page = await (await fetch(`${endpoint}/minio/metrics/v3/api/requests`)).text();
  const counts = new Map<string, number>();
  for (const [, name = "", count] of page.matchAll(/^minio_api_requests_total\{name="(\w+)".*\} (\S+)$/gm)) {
    counts.set(name, Number(count));
  }
  return counts;
}
