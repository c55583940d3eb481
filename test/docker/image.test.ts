/** The image: what docker/Dockerfile promises, seen from outside. */
import { chmod, readFile } from "node:fs/promises";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { Wait, getContainerRuntimeClient } from "testcontainers";
import { expect, test } from "vitest";
import { UPLOAD_BYTES, halfAnUpload } from "../scenario/slow-upload.ts";
import { runProgram } from "../scenario/run-program.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { openClient } from "./bucket-client.ts";
import { thermoclineImage } from "./images.ts";
import { freshVolume, rootKeys, rootPair, startThermocline } from "./thermocline-container.ts";
import type { ThermoclineContainer } from "./thermocline-container.ts";

const NODE = "/usr/local/bin/node";
const HEALTH = [NODE, "/opt/thermocline/docker/healthcheck.js"];

/** What a line of JavaScript says inside of the container, which may have no shell. */
async function evaluate({ container }: ThermoclineContainer, code: string): Promise<unknown> {
  const { output, exitCode } = await container.exec([NODE, "--input-type=module", "--eval", code]);
  expect(exitCode, output).toBe(0);
  return JSON.parse(output);
}

const kept = (name: string): Promise<string> =>
  readFile(new URL(`../support/certificates/${name}`, import.meta.url), "utf8");

test("it gets healthy by its own health check, and serves at its published ports", async () => {
  await using node = await startThermocline({ until: Wait.forHealthCheck() });
  using client = openClient(node);
  await client.s3.send(new CreateBucketCommand({ Bucket: "cold" }));
  await client.put("greeting", "warm on top");
  expect(await client.get("greeting")).toBe("warm on top");
  expect(await (await fetch(`${node.adminEndpoint}/-/metrics`)).text()).toContain("thermocline_");
  const status = await node.container.exec(["thermocline", "status"]);
  expect(status.exitCode, status.output).toBe(0);
});

test("it is nobody's root, and can write where its data is and nowhere beside its program", async () => {
  await using node = await startThermocline();
  const told = await evaluate(
    node,
    `import { accessSync, constants, statSync } from "node:fs";
     const writable = (path) => {
       try { accessSync(path, constants.W_OK); return true; } catch { return false; }
     };
     console.log(JSON.stringify({
       user: process.getuid(), group: process.getgid(),
       owner: statSync("/data").uid, made: statSync("/data/node.json").uid,
       data: writable("/data"), program: writable("/opt/thermocline"), system: writable(process.execPath),
     }));`,
  );
  expect(told).toEqual({
    ...{ user: 65_532, group: 65_532, owner: 65_532, made: 65_532 },
    ...{ data: true, program: false, system: false },
  });
});

test("it holds production dependencies alone, and nothing else of the checkout", async () => {
  const lock: { readonly packages: Readonly<Record<string, { readonly dev?: true }>> } = JSON.parse(
    await readFile(new URL("../../package-lock.json", import.meta.url), "utf8"),
  );
  const needed = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  const allowed = new Set(needed.map(([path]) => /^node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]));
  await using node = await startThermocline();
  const told = await evaluate(
    node,
    `import { readdirSync } from "node:fs";
     process.chdir("/opt/thermocline");
     const list = (path) => readdirSync(path).sort();
     const within = (scope) => list("node_modules/" + scope).map((name) => scope + "/" + name);
     const modules = list("node_modules").filter((name) => name[0] !== ".");
     const packages = modules.flatMap((name) => (name[0] === "@" ? within(name) : [name]));
     console.log(JSON.stringify({ packages, top: list("."), tools: list("docker") }));`,
  );
  const { packages, ...rest } = told as { readonly packages: readonly string[] };
  expect(packages.length).toBeGreaterThan(20);
  expect(packages.filter((name) => !allowed.has(`node_modules/${name}`))).toEqual([]);
  expect(rest).toEqual({
    top: [".dist", "LICENSE", "docker", "node_modules", "package.json"],
    tools: ["command.js", "healthcheck.js", "make-bucket.js"],
  });
});

test("what was acknowledged is there in a new container on the same volume", async () => {
  await using volume = await freshVolume();
  {
    await using node = await startThermocline({ volume: volume.name });
    using client = openClient(node);
    await client.s3.send(new CreateBucketCommand({ Bucket: "cold" }));
    await client.put("kept", "still here");
    // The container goes without a signal to its process, as when its machine is gone.
  }
  await using node = await startThermocline({ volume: volume.name });
  using client = openClient(node);
  expect(await client.get("kept")).toBe("still here");
});

test("docker stop lets an upload end, refuses what is new, and the exit code is 0", async () => {
  await using volume = await freshVolume();
  {
    await using node = await startThermocline({ volume: volume.name });
    await using upload = await halfAnUpload(node.endpoint, rootPair);
    const stopped = node.stop();
    await untilItDrains(node);
    await upload.finish();
    expect(await stopped).toBe(0);
    expect(node.output()).toMatch(/"message":"stopping".*"signal":"SIGTERM"[^]*"message":"stopped"/);
  }
  await using node = await startThermocline({ volume: volume.name });
  using client = openClient(node, "slow-uploads");
  expect((await client.get("slow"))?.length).toBe(UPLOAD_BYTES);
});

/** Docker's own proxy still accepts connections for it; but nobody answers. */
async function untilItDrains({ endpoint }: ThermoclineContainer): Promise<void> {
  for (;;) {
    const answer = await fetch(`${endpoint}/-/ready`).catch(() => undefined);
    if (answer?.ok !== true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.each([
  [{}, /THERMOCLINE_ROOT_ACCESS_KEY: is not set; set it and THERMOCLINE_ROOT_SECRET_KEY/],
  [{ THERMOCLINE_ROOT_ACCESS_KEY: "root" }, /set THERMOCLINE_ROOT_SECRET_KEY too/],
  [{ ...rootKeys, THERMOCLINE_ROOT_SECRET_KEY: "short" }, /THERMOCLINE_ROOT_SECRET_KEY: .*at least 8/],
  [{ ...rootKeys, THERMOCLINE_COLD_URL: "s3:/cold" }, /THERMOCLINE_COLD_URL/],
])("with %j it does not start, and says what to set", async (environment, message) => {
  const given = Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const ended = await runProgram("docker", ["run", "--rm", ...given, thermoclineImage()]);
  expect(ended.err).toMatch(message);
  expect(ended.code).toBe(2);
});

test("a directory that it may not write into is told by name and reason", async () => {
  await using directory = await temporaryDirectory();
  // As docker makes one that is not there: others may look into it.
  await chmod(directory.path, 0o755);
  const keys = Object.entries(rootKeys).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const args = ["run", "--rm", ...keys, "--volume", `${directory.path}:/data`, thermoclineImage()];
  const ended = await runProgram("docker", args);
  expect(ended.err).toMatch(/^thermocline: EACCES: permission denied, .*'\/data/m);
  expect(ended.code).toBe(1);
});

test("its health check says no, and why, where no server runs or one is not ready", async () => {
  const { container } = await getContainerRuntimeClient();
  const { dockerode } = container;
  const idle = await dockerode.createContainer({
    Image: thermoclineImage(),
    Entrypoint: [NODE, "--eval", "setInterval(() => undefined, 1000)"],
  });
  try {
    await idle.start();
    const { exitCode, output } = await container.exec(idle, HEALTH);
    expect(output).toMatch(/ECONNREFUSED/);
    expect(exitCode).toBe(1);
  } finally {
    await idle.remove({ force: true, v: true });
  }
});

test("its health check goes to the address and by the protocol that the server has", async () => {
  const files = [
    { content: await kept("tls.crt"), target: "/tls/crt" },
    { content: await kept("tls.key"), target: "/tls/key" },
  ];
  const environment = {
    THERMOCLINE_ADMIN_ADDR: "[::]:9443",
    THERMOCLINE_TLS_CERT_FILE: "/tls/crt",
    THERMOCLINE_TLS_KEY_FILE: "/tls/key",
  };
  const until = Wait.forLogMessage(/"message":"serving"/);
  await using node = await startThermocline({ environment, files, until });
  const { exitCode, output } = await node.container.exec(HEALTH);
  expect(exitCode, output).toBe(0);
});
