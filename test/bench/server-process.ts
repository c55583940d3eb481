/** Servers in processes of their own, so that their CPU time is theirs alone. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { presign } from "./presign.ts";
import type { Signer } from "./presign.ts";

export type ServerProcess = AsyncDisposable & {
  readonly pid: number;
  readonly host: string;
  readonly signer: Signer;
};

const ACCESS_KEY = "bench";
const SECRET_KEY = "bench-secret";

/** As `npm start` gives them. */
const NODE_FLAGS = ["--external-memory-accounted-in-global-limit", "--initial-old-space-size=64"];

function file(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Waits for a line that names the port. */
async function portOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  let seen = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (seen += text));
  }
  for (;;) {
    const port = pattern.exec(seen)?.[1];
    if (port !== undefined) return port;
    if (child.exitCode !== null) throw new Error(`the server ended: ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function start(args: readonly string[], pattern: RegExp): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const host = `127.0.0.1:${await portOf(child, pattern)}`;
  return {
    pid: child.pid as number,
    host,
    signer: { host, accessKey: ACCESS_KEY, secretKey: SECRET_KEY },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

export async function startThermocline(
  directory: string,
  more: readonly string[] = [],
): Promise<ServerProcess> {
  const flags = ["--data-dir", directory, "--s3-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
  const keys = ["--root-access-key", ACCESS_KEY, "--root-secret-key", SECRET_KEY];
  return await start(
    [...NODE_FLAGS, file("../../src/cli/thermocline.ts"), "server", ...flags, ...keys, ...more],
    /"s3":"127\.0\.0\.1:(\d+)"/,
  );
}

export async function startBare(): Promise<ServerProcess> {
  return await start([file("bare-server.ts")], /listening (\d+)/);
}

export async function call(
  server: ServerProcess,
  method: string,
  path: string,
  options: { readonly query?: Readonly<Record<string, string>>; readonly body?: Uint8Array } = {},
): Promise<Response> {
  const target = presign(server.signer, method, path, options.query);
  const response = await fetch(`http://${server.host}${target}`, {
    method,
    ...(options.body === undefined ? {} : { body: options.body as Uint8Array<ArrayBuffer> }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}
