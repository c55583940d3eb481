/**
 * Presigned addresses made by boto3 and used by curl, which knows nothing of S3: what a browser or a script
 * does with an address that somebody gave it. And curl's own signing, a fourth implementation of SigV4.
 */
import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { mustRun } from "../scenario/run-program.ts";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { linesOf } from "./aws-cli.ts";
import { ClientWorld } from "./client-world.ts";
import { MIB, makeBytes } from "./test-bodies.ts";

const SCRIPT = fileURLToPath(new URL("presigned.py", import.meta.url));
const KEY = "pre signed/%2e%2e/\u{1f986}+&=?#";

/** Status, content type and body of one call. */
async function curl(
  world: ClientWorld,
  ...args: readonly string[]
): Promise<{ readonly status: string; readonly type: string; readonly body: Buffer }> {
  const to = world.path("curl.out");
  await writeFile(to, "");
  const { out } = await mustRun("curl", ["-sS", "-o", to, "-w", "%{http_code} %{content_type}", ...args]);
  const [, status = "", type = ""] = /^(\d+) (.*)$/.exec(out.toString()) ?? [];
  return { status, type, body: await readFile(to) };
}

export async function presignedScenario(tally: Tally, python: string): Promise<void> {
  const world = await ClientWorld.open(tally);
  try {
    const auth = [
      "-H",
      "x-amz-content-sha256: UNSIGNED-PAYLOAD",
      "--aws-sigv4",
      "aws:amz:us-east-1:s3",
      "-u",
      `${credentials.accessKey}:${credentials.secretKey}`,
    ];
    await tally.step("curl signs: a bucket is made", async () => {
      const { status, body } = await curl(world, ...auth, "-X", "PUT", `${world.endpoint}/presigned`);
      assert.equal(status, "200", body.toString());
    });
    let urls: readonly string[] = [];
    await tally.step("boto3 makes the addresses", async () => {
      const pair = [credentials.accessKey, credentials.secretKey];
      const { out } = await mustRun(python, [SCRIPT, world.endpoint, ...pair, "presigned", KEY]);
      urls = linesOf(out);
      assert.equal(urls.length, 3);
    });
    await useUrls(world, () => urls);
  } finally {
    await world.close();
  }
}

async function useUrls(world: ClientWorld, urls: () => readonly string[]): Promise<void> {
  const { tally } = world;
  const url = (at: number): string => urls()[at] ?? "http://127.0.0.1:1/";
  const bytes = makeBytes(3 * MIB, "presigned");
  await writeFile(world.path("presigned"), bytes);
  const upload = ["-T", world.path("presigned"), "-H", "Content-Type: text/plain"];
  await tally.step("curl puts a file of 3 MiB, asking for 100-continue", async () => {
    const { status, body } = await curl(world, ...upload, "-H", "Expect: 100-continue", url(0));
    assert.equal(status, "200", body.toString());
  });
  await tally.step("curl puts standard input, in chunks of unknown number", async () => {
    const chunked = ["-H", "Transfer-Encoding: chunked", ...upload];
    const { status, body } = await curl(world, ...chunked, url(0));
    assert.equal(status, "411", body.toString());
  });
  await tally.step("curl gets it back, with the content type that the address asks for", async () => {
    const { status, type, body } = await curl(world, url(1));
    assert.equal(status, "200", body.toString());
    assert.equal(type, "text/x-other");
    assert.ok(bytes.equals(body), "other bytes came back");
  });
  await tally.step("a range of it", async () => {
    const { status, body } = await curl(world, "-r", "1000000-1099999", url(1));
    assert.equal(status, "206");
    assert.ok(bytes.subarray(1_000_000, 1_100_000).equals(body));
  });
  await tally.step("the address for a GET is none for a PUT or DELETE", async () => {
    assert.equal((await curl(world, "-X", "DELETE", url(1))).status, "403");
    assert.equal((await curl(world, ...upload, url(1))).status, "403");
  });
  await tally.step("an address that has expired is refused", async () => {
    const { status, body } = await curl(world, url(2).replace("X-Amz-Expires=1&", "X-Amz-Expires=300&"));
    assert.equal(status, "403");
    assert.match(body.toString(), /SignatureDoesNotMatch/);
    const deadline = Date.now() + 10_000;
    let last = await curl(world, url(2));
    while (last.status !== "403" && Date.now() < deadline) last = await curl(world, url(2));
    assert.equal(last.status, "403");
    assert.match(last.body.toString(), /Request has expired/);
  });
}
