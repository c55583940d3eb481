/** `minio/start` with docker: what it prints works, data stays, and Ctrl-C leaves nothing behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { mustRun, plainEnvironment } from "../scenario/run-program.ts";
import { freePort } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { openClient } from "./bucket-client.ts";
import { minioImage } from "./images.ts";

const START = fileURLToPath(new URL("../../minio/start", import.meta.url));
const START_MS_MAX = 30_000;

type Running = AsyncDisposable & {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
};

/** What a shell gets that evaluates its export lines. */
async function start(data: string, port: number): Promise<Running> {
  const env = plainEnvironment({
    MINIO_IMAGE: minioImage(),
    MINIO_ADDR: `127.0.0.1:${port}`,
    MINIO_DATA_DIR: data,
  });
  const child = spawn(START, [], { env, cwd: "/tmp", stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  }
  const untilMs = performance.now() + START_MS_MAX;
  const health = `http://127.0.0.1:${port}/minio/health/ready`;
  while ((await fetch(health).catch(() => undefined))?.ok !== true) {
    if (child.exitCode !== null || performance.now() > untilMs) throw new Error(`it does not serve: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const exported = (name: string): string => new RegExp(`^export ${name}=(.*)$`, "m").exec(said)?.[1] ?? "";
  expect(exported("THERMOCLINE_COLD_URL")).toBe("s3://cold/thermocline");
  return {
    endpoint: exported("THERMOCLINE_COLD_ENDPOINT"),
    credentials: {
      accessKeyId: exported("THERMOCLINE_COLD_ACCESS_KEY"),
      secretAccessKey: exported("THERMOCLINE_COLD_SECRET_KEY"),
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGINT");
      await ended;
    },
  };
}

test("minio/start runs the image, prints what fits, and keeps its data in a directory of ours", async () => {
  await using directory = await temporaryDirectory();
  const port = await freePort();
  {
    await using minio = await start(directory.path, port);
    using client = openClient(minio);
    await client.put("kept", "cold below");
  }
  const { out } = await mustRun("docker", [
    "ps",
    "--all",
    "--quiet",
    "--filter",
    `name=thermocline-minio-${port}`,
  ]);
  expect(out.toString()).toBe("");
  await using minio = await start(directory.path, port);
  using client = openClient(minio);
  expect(await client.get("kept")).toBe("cold below");
});
