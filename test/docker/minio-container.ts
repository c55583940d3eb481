/**
 * The real MinIO in a container, with one bucket, at an address that stays the same while it is paused,
 * stopped or killed and started again. What it stores lies in the container and goes with it. `requests` are
 * its own counters, so that a test can say what reached the bucket and not what somebody meant to send.
 */
import { GenericContainer, Wait, getContainerRuntimeClient } from "testcontainers";
import { freePort, makeBucket } from "../support/minio-server.ts";
import type { BucketServer } from "../support/minio-server.ts";
import { minioImage } from "./images.ts";

export type MinioContainer = BucketServer & {
  /** As docker calls it. */
  readonly id: string;
  /** Freezes it: connections are accepted and stay open, and nothing is answered. */
  readonly pause: () => Promise<void>;
  readonly unpause: () => Promise<void>;
  /** Ends it as an operator does: until `start` connections fail at once. */
  readonly stop: () => Promise<void>;
  /** Ends it as a power cut does to a process. */
  readonly kill: () => Promise<void>;
  /** After `stop` or `kill`; resolves when it answers. Its counters begin at 0 again. */
  readonly start: () => Promise<void>;
  /** Requests by operation, as S3 calls them: `PutObject`, `GetObject`, `ListObjectsV2`, ... */
  readonly requests: () => Promise<Readonly<Record<string, number>>>;
};

const START_MS_MAX = 60_000;

export async function startMinioContainer(
  options: { readonly bucket?: string; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<MinioContainer> {
  const { bucket = "cold", environment = {} } = options;
  const credentials = { accessKeyId: "minio-test", secretAccessKey: "minio-test-secret" };
  // Published at a port of our choice: one that docker chose would be another after each start.
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const started = await new GenericContainer(minioImage())
    .withCommand(["server", "/data", "--address", ":9000", "--quiet"])
    .withEnvironment({
      MINIO_ROOT_USER: credentials.accessKeyId,
      MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
      MINIO_PROMETHEUS_AUTH_TYPE: "public",
      ...environment,
    })
    .withExposedPorts({ container: 9000, host: port })
    .withWaitStrategy(Wait.forHttp("/minio/health/ready", 9000))
    .withStartupTimeout(START_MS_MAX)
    .start();
  const container = (await getContainerRuntimeClient()).container.getById(started.getId());
  await makeBucket({ endpoint, credentials, bucket });
  return {
    id: started.getId(),
    endpoint,
    credentials,
    bucket,
    pause: async () => void (await container.pause()),
    unpause: async () => void (await container.unpause()),
    stop: async () => void (await container.stop({ t: 10 })),
    kill: async () => void (await container.kill()),
    start: async () => {
      await container.start();
      await untilItAnswers(endpoint);
    },
    requests: () => requestsCounted(endpoint),
    [Symbol.asyncDispose]: async () => {
      // A frozen process cannot be killed; one that is not frozen is no reason to fail.
      await container.unpause().catch(() => undefined);
      await container.remove({ force: true, v: true });
    },
  };
}

async function untilItAnswers(endpoint: string): Promise<void> {
  const untilMs = performance.now() + START_MS_MAX;
  for (;;) {
    // Nobody listens there yet: that is what is waited for.
    const answer = await fetch(`${endpoint}/minio/health/ready`).catch(() => undefined);
    if (answer?.ok === true) return;
    if (performance.now() > untilMs) throw new Error(`MinIO does not answer at ${endpoint}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function requestsCounted(endpoint: string): Promise<Readonly<Record<string, number>>> {
  const answer = await fetch(`${endpoint}/minio/metrics/v3/api/requests`);
  if (!answer.ok) throw new Error(`MinIO tells no metrics: ${answer.status}`);
  const samples = (await answer.text()).matchAll(
    /^minio_api_requests_total\{name="(\w+)"[^}]*type="s3"\} (\d+)$/gm,
  );
  return Object.fromEntries([...samples].map(([, name = "", count]) => [name, Number(count)]));
}
