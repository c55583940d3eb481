/**
 * The real program as a process of its own, to be killed and traced, and a small S3 client to talk to it.
 * Requests are signed by the tests' own signer.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeKey, signRequest } from "../s3/signer.ts";

const credentials = { accessKey: "test", secretKey: "test-secret" };
const program = new URL("../../src/cli/thermocline.ts", import.meta.url).pathname;
const READY_MS = 60_000;

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export type Answer = {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
};

export class ServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #output = "";

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (piece: Buffer) => (this.#output += piece.toString("utf8")));
    }
  }

  /** `tracer`: a command before the program, like strace with its options. */
  static async spawn(directory: string, tracer: readonly string[] = []): Promise<ServerProcess> {
    const port = await freePort();
    const words = [...tracer, process.execPath, program, "server"];
    const child = spawn(words[0] ?? "", words.slice(1), {
      env: {
        PATH: process.env["PATH"],
        UV_THREADPOOL_SIZE: "16",
        THERMOCLINE_DATA_DIR: directory,
        THERMOCLINE_S3_ADDR: `127.0.0.1:${port}`,
        THERMOCLINE_ADMIN_ADDR: `127.0.0.1:${await freePort()}`,
        THERMOCLINE_ROOT_ACCESS_KEY: credentials.accessKey,
        THERMOCLINE_ROOT_SECRET_KEY: credentials.secretKey,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new ServerProcess(child, port);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until it serves; throws with what it said if it ends instead. */
  async ready(): Promise<void> {
    const endMs = performance.now() + READY_MS;
    while (performance.now() < endMs) {
      if (this.#child.exitCode !== null) throw new Error(`the server ended: ${this.#output}`);
      const answer = await this.send("GET", "/-/ready").catch(() => undefined);
      if (answer?.status === 200) return;
      await sleep(20);
    }
    throw new Error(`not ready after ${READY_MS} ms: ${this.#output}`);
  }

  async send(method: string, url: string, body: Buffer = Buffer.alloc(0)): Promise<Answer> {
    const host = `127.0.0.1:${this.#port}`;
    const signed = signRequest({ method, url, host, nowMs: Date.now(), body, credentials });
    const headers = { ...signed.headers, "content-length": String(body.length) };
    return await new Promise((resolve, reject) => {
      const options = { agent: this.#agent, host: "127.0.0.1", port: this.#port, method, path: url, headers };
      const call = request(options, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () => {
          const { statusCode = 0, headers: got } = response;
          resolve({ status: statusCode, headers: got, body: Buffer.concat(pieces) });
        });
      });
      call.on("error", reject);
      call.end(body);
    });
  }

  async sendKey(method: string, bucket: string, key: string, body?: Buffer): Promise<Answer> {
    return await this.send(method, `/${bucket}/${encodeKey(key)}`, body);
  }

  /** What it said so far. */
  get output(): string {
    return this.#output;
  }

  /** Its exit code once it has ended; `null` if a signal ended it. */
  async exitCode(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    return this.#child.exitCode;
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#agent.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}
