/**
 * `thermocline restore` as an operator meets it: a server is lost, its folder of cold objects is not. The
 * program is killed while it restores, and called again; the restored server serves what the lost one did,
 * and the old disk, should it come back, stops uploading.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { plainEnvironment, runProgram } from "./run-program.ts";
import { PROGRAM, ServerProcess, credentials, temporaryDirectory } from "./server-process.ts";

const KILLS = 6;
const BODY = Buffer.alloc(200_000, "thermocline ");
const OBJECTS: readonly (readonly [key: string, body: Buffer])[] = [
  ["tiny", Buffer.from("tiny")],
  ["small", BODY.subarray(0, 5000)],
  ["chunked", BODY],
];

function clientOf(server: ServerProcess): S3Client {
  return new S3Client({
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
  });
}

async function thermocline(...args: readonly string[]) {
  const call = { env: plainEnvironment(), timeoutMs: 60_000 };
  const { code, out, err } = await runProgram(process.execPath, [PROGRAM, ...args], call);
  return { code, out: out.toString("utf8"), err };
}

async function untilTier(server: ServerProcess, isSo: (tier: Tier) => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const { tier } = await statusOf(server);
    if (tier !== undefined && isSo(tier)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the bucket does not follow the log: ${JSON.stringify(await statusOf(server))}`);
}

type Tier = {
  readonly recoveryPointSeconds: number;
  readonly restorePointIndex: number;
  readonly state: string;
  readonly reason?: string;
  readonly lineage: string;
};

type Status = { readonly tier?: Tier };

/** The bucket holds every entry. */
const isCovered = ({ recoveryPointSeconds, restorePointIndex }: Tier): boolean =>
  recoveryPointSeconds === 0 && restorePointIndex > 0;

async function statusOf(server: ServerProcess): Promise<Status> {
  const flags = ["--admin-addr", new URL(server.adminEndpoint).host];
  const keys = ["--root-access-key", credentials.accessKey, "--root-secret-key", credentials.secretKey];
  const { out } = await thermocline("status", "-o", "json", ...flags, ...keys);
  return JSON.parse(out) as Status;
}

test("a lost server comes back from its folder, whatever becomes of the restore", async () => {
  await using folder = await temporaryDirectory();
  const cold = `folder:${join(folder.path, "cold")}`;
  const flags = ["--cold-url", cold, "--recovery-point", "1s"];
  const lost = await ServerProcess.start(join(folder.path, "old"), { flags });
  const client = clientOf(lost);
  await client.send(new CreateBucketCommand({ Bucket: "kept" }));
  for (const [Key, Body] of OBJECTS) await client.send(new PutObjectCommand({ Bucket: "kept", Key, Body }));
  await untilTier(lost, isCovered);
  client.destroy();
  await lost.kill();

  const data = join(folder.path, "new");
  const restore = ["restore", "--from", cold, "--data-dir", data];
  const planned = await thermocline(...restore, "--dry-run");
  expect(planned).toMatchObject({ code: 0, err: "" });
  expect(planned.out).toContain("Nothing was done");
  expect(await readdir(folder.path)).not.toContain("new");
  await killWhileItRestores(restore);
  const done = await thermocline(...restore);
  expect(done.code).toBe(0);
  expect(done.out).toMatch(/Restored to|was restored already/);

  const server = await ServerProcess.start(data, { flags });
  const restored = clientOf(server);
  for (const [Key, body] of OBJECTS) {
    const got = await restored.send(new GetObjectCommand({ Bucket: "kept", Key }));
    expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
  }
  await restored.send(new PutObjectCommand({ Bucket: "kept", Key: "more", Body: "goes on" }));
  restored.destroy();
  const { tier } = await statusOf(server);
  await expectOldStops(join(folder.path, "old"), flags, tier?.lineage ?? "none");
  await server.stop();

  const again = await thermocline(...restore);
  expect(again).toMatchObject({ code: 1, out: "" });
  expect(again.err).toContain("is not empty");
}, 180_000);

test("after a stop that is no crash the folder has what was written last, and the disk may go", async () => {
  await using folder = await temporaryDirectory();
  const cold = `folder:${join(folder.path, "cold")}`;
  const flags = ["--cold-url", cold, "--recovery-point", "1h"];
  const stopped = await ServerProcess.start(join(folder.path, "old"), { flags });
  await untilTier(stopped, ({ restorePointIndex }) => restorePointIndex > 0);
  const client = clientOf(stopped);
  await client.send(new CreateBucketCommand({ Bucket: "kept" }));
  await client.send(new PutObjectCommand({ Bucket: "kept", Key: "last", Body: "words" }));
  client.destroy();
  await stopped.stop();
  await rm(join(folder.path, "old"), { recursive: true });

  const data = join(folder.path, "new");
  expect(await thermocline("restore", "--from", cold, "--data-dir", data)).toMatchObject({ code: 0 });
  const server = await ServerProcess.start(data, { flags });
  const restored = clientOf(server);
  const got = await restored.send(new GetObjectCommand({ Bucket: "kept", Key: "last" }));
  expect(await got.Body?.transformToString()).toBe("words");
  restored.destroy();
  await server.stop();
}, 60_000);

/** At any moment: the next call goes on. */
async function killWhileItRestores(args: readonly string[]): Promise<void> {
  for (let at = 0; at < KILLS; at++) {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: "ignore", env: plainEnvironment() });
    const ended = once(child, "exit");
    const kill = setTimeout(() => child.kill("SIGKILL"), 150 + 60 * at);
    await ended;
    clearTimeout(kill);
  }
}

async function expectOldStops(directory: string, flags: readonly string[], heir: string): Promise<void> {
  const old = await ServerProcess.start(directory, { flags });
  for (let tries = 0; tries < 100; tries++) {
    const { tier } = await statusOf(old);
    if (tier?.state === "degraded") {
      expect(tier.reason).toContain(heir);
      return void (await old.stop());
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await old.kill();
  throw new Error("the old disk goes on as if nothing had been restored");
}
