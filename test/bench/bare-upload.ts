/**
 * The least that an upload can be, for comparison: reads each file, hashes it, and puts it in one request.
 * Arguments: MiB per second, then a pre-signed target and a file, in turn. With 0 it does so once, as fast as
 * it can, and prints MiB per second; else again and again, until it is ended.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";

const MIB = 1024 * 1024;
const agent = new Agent({ keepAlive: true, maxSockets: 2 });

async function put(url: string, body: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const sent = request(url, { method: "PUT", agent, headers: { "content-length": body.length } });
    sent.once("error", reject).once("response", (response) => {
      response.resume().once("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`PUT was answered ${response.statusCode}`));
      });
    });
    sent.end(body);
  });
}

const [rate = "0", ...pairs] = process.argv.slice(2);
const mibPerSecond = Number(rate);
const start = performance.now();
let bytes = 0;
let next = 0;
async function untilEarned(): Promise<void> {
  const dueMs = (bytes / MIB / mibPerSecond) * 1000 - (performance.now() - start);
  if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
}

async function worker(): Promise<void> {
  while (mibPerSecond > 0 || next < pairs.length) {
    const at = next % pairs.length;
    next += 2;
    if (mibPerSecond > 0) await untilEarned();
    const body = await readFile(pairs[at + 1] as string);
    createHash("sha256").update(body).digest();
    await put(pairs[at] as string, body);
    bytes += body.length;
  }
}
await Promise.all([worker(), worker()]);
agent.destroy();
process.stdout.write(`${bytes / MIB / ((performance.now() - start) / 1000)}\n`);
