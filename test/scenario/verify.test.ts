/**
 * `thermocline verify` on what a real server left behind: after a stop and after a kill everything matches;
 * on damaged copies it says what is damaged and where, and exits 1.
 */
import { createHash } from "node:crypto";
import { cp, open, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { plainEnvironment, runProgram } from "./run-program.ts";
import { PROGRAM, ServerProcess, credentials, temporaryDirectory } from "./server-process.ts";

const BODY = Buffer.alloc(100_000, "thermocline ");

async function verify(
  directory: string,
): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const call = { env: plainEnvironment(), timeoutMs: 20_000 };
  const args = [PROGRAM, "verify", "--data-dir", directory];
  const { code, out, err } = await runProgram(process.execPath, args, call);
  return { code, lines: [...out.toString("utf8").trimEnd().split("\n"), ...(err === "" ? [] : [err])] };
}

/** A data directory with some objects in it, made by a real server and left by SIGTERM or SIGKILL. */
async function filledStore(path: string, end: "stop" | "kill"): Promise<string> {
  const server = await ServerProcess.start(join(path, "data"));
  const client = new S3Client({
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: "kept" }));
  for (const [Key, Body] of [
    ["tiny", "tiny"],
    ["small", BODY.subarray(0, 5000)],
    ["chunked", BODY],
  ] as const) {
    await client.send(new PutObjectCommand({ Bucket: "kept", Key, Body }));
  }
  client.destroy();
  await server[end]();
  // 128 MiB of zeros that say nothing, and would be copied for every damage.
  await rm(join(server.directory, "reserve"), { force: true });
  return server.directory;
}

/** Digest of every file: what must not change. */
async function digests(directory: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    // LevelDB goes over to a new manifest when it is opened, and opening a vote heals its other slot.
    if (!entry.isFile() || /\/(index|lock)$/.test(entry.parentPath) || entry.name === "vote") continue;
    const path = join(entry.parentPath, entry.name);
    found[path.slice(directory.length)] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return found;
}

async function flipByte(path: string, at: number): Promise<void> {
  await using file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8(0) ^ 0x40);
  await file.write(byte, 0, 1, at);
}

const SEGMENT = "log/0000000001.seg";

test("after a clean stop everything matches, exit 0, and log and mark stay as they were", async () => {
  await using folder = await temporaryDirectory();
  const directory = await filledStore(folder.path, "stop");
  const before = await digests(directory);
  const { code, lines } = await verify(directory);
  expect(lines.at(-1)).toBe("everything matches");
  expect(lines.join("\n")).toMatch(/3 objects, \d+ bodies read/);
  expect(code).toBe(0);
  expect(await digests(directory)).toEqual(before);
});

test("after kill -9 everything matches too", async () => {
  await using folder = await temporaryDirectory();
  const { code, lines } = await verify(await filledStore(folder.path, "kill"));
  expect(lines.at(-1)).toBe("everything matches");
  expect(code).toBe(0);
});

describe("on a damaged copy it says what is damaged, exit 1", () => {
  const damages: readonly {
    readonly title: string;
    readonly damage: (directory: string) => Promise<void>;
    readonly told: RegExp;
  }[] = [
    {
      title: "a byte of a body in the log",
      damage: async (directory) => {
        const segment = join(directory, SEGMENT);
        await flipByte(segment, (await readFile(segment)).indexOf(BODY.subarray(0, 1000)) + 500);
      },
      told: /^DAMAGED .*0000000001\.seg: entry \d+ at offset \d+ is damaged/m,
    },
    {
      title: "the head of a segment",
      damage: (directory) => flipByte(join(directory, SEGMENT), 20),
      told: /^DAMAGED .*0000000001\.seg: the head is damaged/m,
    },
    {
      title: "a segment that was cut short",
      damage: async (directory) => {
        const { size } = await stat(join(directory, SEGMENT));
        await using file = await open(join(directory, SEGMENT), "r+");
        await file.truncate(Math.floor(size / 2));
      },
      told: /^DAMAGED .*(is damaged|were acknowledged)/m,
    },
    {
      title: "a missing segment",
      damage: (directory) => rm(join(directory, SEGMENT)),
      told: /^DAMAGED .*(is missing|were acknowledged)/m,
    },
    {
      title: "both slots of the vote",
      damage: (directory) => writeFile(join(directory, "vote"), Buffer.alloc(8192, 1)),
      told: /^DAMAGED both slots of .*vote are damaged/m,
    },
    {
      title: "the index",
      damage: async (directory) => {
        const names = await readdir(join(directory, "index"));
        const name = names.find((each) => each.startsWith("MANIFEST"));
        await flipByte(join(directory, "index", name ?? "MANIFEST"), 10);
      },
      told: /^DAMAGED index: .*the next start makes the index again from the log/m,
    },
  ];

  test.each(damages)("$title", async ({ damage, told }) => {
    await using folder = await temporaryDirectory();
    const directory = join(folder.path, "copy");
    await cp(await filledStore(folder.path, "stop"), directory, { recursive: true });
    await damage(directory);
    const { code, lines } = await verify(directory);
    expect(lines.join("\n")).toMatch(told);
    expect(lines.at(-1)).toMatch(/^\d+ problems$/);
    expect(code).toBe(1);
  });
});

test("what is no data directory is told so, exit 1, and not made one", async () => {
  await using folder = await temporaryDirectory();
  const { code, lines } = await verify(join(folder.path, "nothing"));
  expect(lines.join("\n")).toMatch(/is no data directory: it has no node\.json/);
  expect(code).toBe(1);
  expect(await readdir(folder.path)).toEqual([]);
});
