/** Servers in processes of their own, so that their CPU time is theirs alone. */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { presign } from "./presign.ts";
import type { Signer } from "./presign.ts";

export type ServerProcess = AsyncDisposable & {
  readonly pid: number;
  readonly host: string;
  /** Of the admin listener; that of a bare server is the same one. */
  readonly adminHost: string;
  readonly signer: Signer;
};

const ACCESS_KEY = "bench";
const SECRET_KEY = "bench-secret";

/** As `npm start` gives them. */
const NODE_FLAGS = ["--external-memory-accounted-in-global-limit", "--initial-old-space-size=64"];

function file(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Waits for a line that names the port, or the two of them. */
async function portsOf(child: ChildProcess, pattern: RegExp): Promise<readonly string[]> {
  let seen = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (seen += text));
  }
  for (;;) {
    const ports = pattern.exec(seen)?.slice(1);
    if (ports !== undefined) return ports;
    if (child.exitCode !== null) throw new Error(`the server ended: ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function start(args: readonly string[], pattern: RegExp): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [port, adminPort = port] = await portsOf(child, pattern);
  const host = `127.0.0.1:${port}`;
  return {
    pid: child.pid as number,
    host,
    adminHost: `127.0.0.1:${adminPort}`,
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
    /"s3":"127\.0\.0\.1:(\d+)","admin":"127\.0\.0\.1:(\d+)"/,
  );
}

export async function startBare(): Promise<ServerProcess> {
  return await start([file("bare-server.ts")], /listening (\d+)/);
}

/** What an operator types, with the keys of the server. Throws what it printed if it did not end with 0. */
export async function operate(server: ServerProcess, args: readonly string[]): Promise<string> {
  const keys = ["--root-access-key", ACCESS_KEY, "--root-secret-key", SECRET_KEY];
  const flags = ["--admin-addr", server.adminHost, ...keys];
  const program = file("../../src/cli/thermocline.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args, ...flags]);
  return stdout;
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
