/** From the settings, as they are loaded, to a cold store; and what is loaded for it, when. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { openColdStore } from "../../src/adapters/open-cold-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { ColdStore } from "../../src/ports/cold-store.ts";
import { plainEnvironment, runProgram } from "../scenario/run-program.ts";
import { accept, startStub } from "../support/bucket-stub.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const ports = { disk: new NodeDisk(), clock: systemClock, random: systemRandom };

function coldOf(env: Readonly<Record<string, string>>): Config["cold"] {
  const { config } = loadConfig({
    argv: [],
    env: { THERMOCLINE_ROOT_ACCESS_KEY: "root", THERMOCLINE_ROOT_SECRET_KEY: "root-secret", ...env },
    readFile: (path) => {
      if (path === "/secrets/key") return "from-a-file\n";
      throw new Error(`there is no ${path}`);
    },
    memoryBytes: 1e9,
    command: "server",
  });
  return config.cold;
}

async function openFrom(env: Readonly<Record<string, string>>): Promise<ColdStore | undefined> {
  return await openColdStore(coldOf(env), ports);
}

test("none is no store", async () => {
  expect(await openFrom({})).toBeUndefined();
  expect(await openFrom({ THERMOCLINE_COLD_URL: "none" })).toBeUndefined();
});

test("a folder is made by its check, relative names from where the program stands", async () => {
  await using directory = await temporaryDirectory();
  const store = await openFrom({ THERMOCLINE_COLD_URL: `folder:${directory.path}/a/cold` });
  await store?.check();
  await store?.put("key", Buffer.from("x"), { kind: "tail" });
  expect(store?.place).toBe(`folder:${directory.path}/a/cold`);
  const relative = await openFrom({ THERMOCLINE_COLD_URL: "folder:cold" });
  expect(relative?.place).toBe(`folder:${process.cwd()}/cold`);
});

test("bucket, prefix, endpoint, keys and pool reach the wire, the secret by its file", async () => {
  const seen: string[] = [];
  await using stub = await startStub(async (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization?.split(",")[0]}`);
    await accept(request, response);
  });
  const store = await openFrom({
    THERMOCLINE_COLD_URL: "s3://bucket/some/prefix",
    THERMOCLINE_COLD_ENDPOINT: stub.endpoint,
    THERMOCLINE_COLD_REGION: "eu-west-9",
    THERMOCLINE_COLD_ACCESS_KEY: "AKIATEST",
    THERMOCLINE_COLD_SECRET_KEY_FILE: "/secrets/key",
    THERMOCLINE_COLD_POOL_SIZE: "2",
  });
  const put = async (): Promise<unknown> => await store?.put("key", Buffer.from("x"), { kind: "tail" });
  const puts = Array.from({ length: 20 }, put);
  await Promise.all(puts);
  await store?.close();
  expect(stub.sockets()).toMatchObject({ most: 2, ever: 2 });
  expect(new Set(seen).size).toBe(1);
  expect(seen[0]).toMatch(/^PUT \/bucket\/some\/prefix\/key AWS4-HMAC-SHA256 Credential=AKIATEST\//);
  expect(seen[0]).toMatch(/\/eu-west-9\/s3\/aws4_request$/);
  expect(store?.place).toBe(`s3://bucket/some/prefix at ${stub.endpoint}`);
});

test("without an endpoint it is AWS, and the bucket's region is part of the place", async () => {
  const store = await openFrom({ THERMOCLINE_COLD_URL: "s3://bucket", THERMOCLINE_COLD_REGION: "eu-west-1" });
  expect(store?.place).toBe("s3://bucket at eu-west-1");
  await store?.close();
});

test("an endpoint where nobody listens is unavailable, in one line that names it", async () => {
  const stub = await startStub(accept);
  await stub[Symbol.asyncDispose]();
  const store = await openFrom({
    THERMOCLINE_COLD_URL: "s3://bucket",
    THERMOCLINE_COLD_ENDPOINT: stub.endpoint,
    THERMOCLINE_COLD_ACCESS_KEY: "AKIATEST",
    THERMOCLINE_COLD_SECRET_KEY: "secret",
  });
  const message = `cold tier s3://bucket at ${stub.endpoint}: ECONNREFUSED`;
  await expect(store?.check()).rejects.toMatchObject({
    code: "COLD_UNAVAILABLE",
    message: expect.stringContaining(message) as unknown,
  });
  await store?.close();
});

test("the SDK is loaded for a bucket, and neither for a server nor for a folder", async () => {
  const program = fileURLToPath(new URL("cold-loading-program.ts", import.meta.url));
  await using directory = await temporaryDirectory();
  const options = { cwd: directory.path, env: plainEnvironment(), timeoutMs: 25_000 };
  const { code, out, err } = await runProgram(process.execPath, [program], options);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const neither = { server: false, tier: false };
  expect(JSON.parse(out.toString())).toEqual({ ...neither, none: false, folder: false, bucket: true });
});
