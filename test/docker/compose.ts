/** A compose file of docker/, brought up under a project name of its own at free ports. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { mustRun, plainEnvironment, runProgram } from "../scenario/run-program.ts";
import type { Ended } from "../scenario/run-program.ts";
import { freePort } from "../support/minio-server.ts";
import { minioImage, thermoclineImage } from "./images.ts";
import { rootKeys, rootPair } from "./thermocline-container.ts";

/** `docker-compose` is version 1 in Debian; another program may be named. */
const COMPOSE = process.env["COMPOSE"] ?? "docker-compose";
const START_MS_MAX = 90_000;

export const composeKeys: Readonly<Record<string, string>> = {
  ...rootKeys,
  MINIO_ROOT_USER: "minio-root",
  MINIO_ROOT_PASSWORD: "minio-root-secret",
};

export type ComposeProject = AsyncDisposable & {
  readonly endpoint: string;
  readonly adminEndpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** `docker-compose` with these arguments, in this project; fails as it does. */
  readonly run: (...args: readonly string[]) => Promise<string>;
  readonly up: () => Promise<void>;
};

/** `docker-compose config`: what it says to a user before it does anything. */
export async function checkFile(name: string, keys: Readonly<Record<string, string>>): Promise<Ended> {
  const env = plainEnvironment({ ...keys, MINIO_IMAGE: minioImage() });
  return await runProgram(COMPOSE, ["--file", pathOf(name), "config", "--quiet"], { env });
}

export async function composeProject(name: string): Promise<ComposeProject> {
  const project = `thermocline-test-${randomUUID()}`;
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = plainEnvironment({
    ...composeKeys,
    THERMOCLINE_IMAGE: thermoclineImage(),
    MINIO_IMAGE: minioImage(),
    THERMOCLINE_PORT: String(port),
    THERMOCLINE_ADMIN_PORT: String(adminPort),
  });
  const run = async (...args: readonly string[]): Promise<string> => {
    const all = ["--file", pathOf(name), "--project-name", project, ...args];
    return (await mustRun(COMPOSE, all, { env })).out.toString();
  };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    adminEndpoint: `http://127.0.0.1:${adminPort}`,
    credentials: { accessKeyId: rootPair.accessKey, secretAccessKey: rootPair.secretKey },
    run,
    up: async () => {
      await run("up", "--detach", "--no-build");
      await untilHealthy(async () => await run("ps", "--quiet", "thermocline"));
    },
    [Symbol.asyncDispose]: async () => void (await run("down", "--volumes", "--timeout", "10")),
  };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../../docker/${name}`, import.meta.url));
}

/** As docker sees it: by the health check of the service. */
async function untilHealthy(idOf: () => Promise<string>): Promise<void> {
  const id = (await idOf()).trim();
  const untilMs = performance.now() + START_MS_MAX;
  for (;;) {
    const { out } = await mustRun("docker", ["inspect", "--format", "{{.State.Health.Status}}", id]);
    const status = out.toString().trim();
    if (status === "healthy") return;
    if (status !== "starting" || performance.now() > untilMs) {
      const logs = await runProgram("docker", ["logs", "--tail", "20", id]);
      throw new Error(`the container is ${status}: ${logs.out.toString()}${logs.err}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
