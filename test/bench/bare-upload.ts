/**
 * The least that an upload can be, for comparison: reads each file, hashes it, and puts it in one request.
 * Arguments: a pre-signed target and a file, in turn. Prints MiB per second.
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

const pairs = process.argv.slice(2);
const start = performance.now();
let bytes = 0;
let next = 0;
async function worker(): Promise<void> {
  while (next < pairs.length) {
    const at = next;
    next += 2;
    const body = await readFile(pairs[at + 1] as string);
    createHash("sha256").update(body).digest();
    await put(pairs[at] as string, body);
    bytes += body.length;
  }
}
await Promise.all([worker(), worker()]);
agent.destroy();
process.stdout.write(`${bytes / MIB / ((performance.now() - start) / 1000)}\n`);
