/**
 * `--salvage` as an operator meets it: a start that is refused names it, with it what is left can be copied
 * out by any S3 client, nobody is sent there to write, and the directory stays as it was.
 */
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { snapshot } from "../crash/salvage-world.ts";
import { plainEnvironment, runProgram } from "./run-program.ts";
import { PROGRAM, ServerProcess, credentials, temporaryDirectory } from "./server-process.ts";

const freePorts = ["--s3-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
const BODIES = new Map(
  ["first", "second", "third"].map((key, at) => [key, Buffer.alloc(70_000 + at, `${key} `)]),
);

function clientOf(server: ServerProcess): S3Client {
  return new S3Client({
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
  });
}

/** A store with three objects, of which the second has a flipped byte in its record. */
async function damagedStore(path: string): Promise<string> {
  const server = await ServerProcess.start(join(path, "data"));
  const client = clientOf(server);
  await client.send(new CreateBucketCommand({ Bucket: "kept" }));
  for (const [Key, Body] of BODIES) await client.send(new PutObjectCommand({ Bucket: "kept", Key, Body }));
  client.destroy();
  await server.stop();
  const segment = join(server.directory, "log/0000000001.seg");
  const at = (await readFile(segment)).indexOf(BODIES.get("second") as Buffer);
  expect(at).toBeGreaterThan(0);
  await using file = await open(segment, "r+");
  await file.write(Buffer.of(0), 0, 1, at + 500);
  return server.directory;
}

async function start(args: readonly string[]): Promise<{ readonly code: number; readonly err: string }> {
  const call = { env: plainEnvironment(), timeoutMs: 20_000 };
  const { code, err } = await runProgram(process.execPath, [PROGRAM, "dev", ...freePorts, ...args], call);
  return { code, err };
}

async function bodyOf(client: S3Client, Key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: "kept", Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

test("a damaged store: refused, then read with --salvage by a client, and not changed", async () => {
  await using folder = await temporaryDirectory();
  const directory = await damagedStore(folder.path);
  const refused = await start(["--data-dir", directory]);
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(
    /was acknowledged and is damaged .* start with --salvage to read what is left\n$/,
  );
  const before = await snapshot(directory);
  const server = await ServerProcess.start(directory, { flags: ["--salvage"] });
  const client = clientOf(server);
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: "kept" }));
  expect(Contents.map(({ Key }) => Key)).toEqual([...BODIES.keys()]);
  for (const key of ["first", "third"]) expect(await bodyOf(client, key)).toEqual(BODIES.get(key));
  await expect(bodyOf(client, "second")).rejects.toThrow();
  const head = await client.send(new HeadObjectCommand({ Bucket: "kept", Key: "third" }));
  expect(head.ContentLength).toBe(BODIES.get("third")?.length);
  const put = client.send(new PutObjectCommand({ Bucket: "kept", Key: "first", Body: "new" }));
  await expect(put).rejects.toMatchObject({
    name: "ServiceUnavailable",
    message: "This node takes no writes: read-only: started with --salvage",
    $metadata: { httpStatusCode: 503 },
  });
  client.destroy();
  expect(server.output).toMatch(/^DAMAGED .*0000000001\.seg: entry \d+ at offset \d+: /m);
  expect(server.output).toMatch(/^LOST no entry/m);
  expect(server.output).toContain("aws --endpoint-url");
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect(await snapshot(directory)).toEqual(before);
});

test("probes, status and metrics say that no write belongs there", async () => {
  await using folder = await temporaryDirectory();
  const directory = await damagedStore(folder.path);
  // Then the state can only be made from the log, as far as it is whole.
  await rm(join(directory, "index"), { recursive: true });
  const server = await ServerProcess.start(directory, { flags: ["--salvage"] });
  expect((await fetch(`${server.endpoint}/-/live`)).status).toBe(200);
  const ready = await fetch(`${server.endpoint}/-/ready`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { ready: false, reason: "read-only: started with --salvage" },
  ]);
  const metrics = await (await fetch(`${server.adminEndpoint}/-/metrics`)).text();
  expect(metrics).toMatch(/^thermocline_salvage 1$/m);
  expect(metrics).toMatch(/^thermocline_writes_refused 3$/m);
  expect(metrics).toMatch(/^thermocline_ready 0$/m);
  const at = server.adminEndpoint.slice("http://".length);
  const env = plainEnvironment({
    THERMOCLINE_ROOT_ACCESS_KEY: credentials.accessKey,
    THERMOCLINE_ROOT_SECRET_KEY: credentials.secretKey,
  });
  const status = await runProgram(process.execPath, [PROGRAM, "status", "--admin-addr", at], { env });
  expect(status.out.toString("utf8")).toMatch(/^writesRefused +all$/m);
  expect(status.out.toString("utf8")).toMatch(/^salvage\.lost\.firstIndex +\d+$/m);
  const client = clientOf(server);
  expect(await bodyOf(client, "first")).toEqual(BODIES.get("first"));
  await expect(bodyOf(client, "third")).rejects.toMatchObject({ name: "NoSuchKey" });
  client.destroy();
  expect(server.output).toMatch(/^LOST entries \d+ to \d+ \(\d+\)/m);
  await server.stop();
});

test("it locks the directory, and does not start beside a server", async () => {
  await using folder = await temporaryDirectory();
  const live = await ServerProcess.start(join(folder.path, "data"));
  const beside = await start(["--data-dir", live.directory, "--salvage"]);
  expect(beside).toMatchObject({
    code: 1,
    err: expect.stringMatching(/another process uses .*: stop it first/),
  });
  expect((await fetch(`${live.endpoint}/-/ready`)).status).toBe(200);
  await live.stop();
  const reader = await ServerProcess.start(live.directory, { flags: ["--salvage"] });
  const second = await start(["--data-dir", live.directory]);
  expect(second).toMatchObject({ code: 1, err: expect.stringContaining("another process uses") });
  await reader.stop();
  const again = await ServerProcess.start(live.directory);
  expect((await fetch(`${again.endpoint}/-/ready`)).status).toBe(200);
  await again.stop();
});

test("it cannot be switched on by a file or the environment", async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, "c.yaml");
  await writeFile(path, "salvage: true\n");
  expect(await start(["--config", path])).toMatchObject({
    code: 2,
    err: expect.stringContaining("(salvage): unknown key"),
  });
  const env = plainEnvironment({ THERMOCLINE_SALVAGE: "true" });
  const { code, err } = await runProgram(process.execPath, [PROGRAM, "dev", ...freePorts], { env });
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining("unknown variable") });
  expect(await start(["--salvage=true"])).toMatchObject({ code: 2 });
});
