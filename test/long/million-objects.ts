/**
 * After kill -9 with a million objects the server is ready in less than ten seconds, and all of them are
 * there.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { call, startThermocline } from "../bench/server-process.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const READY_MS_MAX = 10_000;
const SAMPLES = 1000;

export type MillionResult = { readonly objects: number; readonly readyMs: number; readonly sampled: number };

export async function runMillionObjects(options: { readonly objects: number }): Promise<MillionResult> {
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const script = fileURLToPath(new URL("fill-and-wait.ts", import.meta.url));
  const filler = spawn(process.execPath, [script, data, String(options.objects)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(filler.stdout, "data");
  const ended = once(filler, "exit");
  filler.kill("SIGKILL");
  await ended;
  const start = performance.now();
  await using server = await startThermocline(data);
  const readyMs = performance.now() - start;
  if (readyMs > READY_MS_MAX) throw new Error(`ready after ${readyMs.toFixed(0)} ms`);
  const step = Math.max(1, Math.floor(options.objects / SAMPLES));
  let sampled = 0;
  for (let at = 0; at < options.objects; at += step) {
    const key = `object/${at}`;
    const body = Buffer.from(await (await call(server, "GET", `/bucket/${key}`)).arrayBuffer());
    if (!body.equals(Buffer.alloc(1024, key))) throw new Error(`${key} came back wrong`);
    sampled++;
  }
  return { objects: options.objects, readyMs, sampled };
}
