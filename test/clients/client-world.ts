/**
 * What every client scenario works in: a server process of its own, a folder for files, and the count. The
 * server can be killed in the middle; whoever asks for its endpoint afterwards gets the new one.
 */
import { strict as assert } from "node:assert";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { STOP_MS_MAX, ServerProcess, temporaryDirectory } from "../scenario/server-process.ts";
import type { TemporaryDirectory } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";

export type Sent = { readonly writes: number; readonly bytes: number };

export class ClientWorld {
  readonly tally: Tally;
  readonly #temporary: TemporaryDirectory;
  #server: ServerProcess;

  private constructor(tally: Tally, temporary: TemporaryDirectory, server: ServerProcess) {
    this.tally = tally;
    this.#temporary = temporary;
    this.#server = server;
  }

  static async open(tally: Tally): Promise<ClientWorld> {
    const temporary = await temporaryDirectory();
    await mkdir(join(temporary.path, "home"));
    return new ClientWorld(tally, temporary, await ServerProcess.start(join(temporary.path, "data")));
  }

  get server(): ServerProcess {
    return this.#server;
  }

  get endpoint(): string {
    return this.#server.endpoint;
  }

  /** A path in the folder of this scenario. */
  path(name: string): string {
    return join(this.#temporary.path, name);
  }

  /** kill -9, and a new process on the same directory. */
  async crashAndRestart(): Promise<void> {
    await this.#server.kill();
    this.#server = await ServerProcess.start(this.#server.directory);
  }

  /** Requests of these operations that the server has counted so far: what a client really sent. */
  async requestCount(operations: readonly string[]): Promise<number> {
    const page = await (await fetch(`${this.#server.adminEndpoint}/-/metrics`)).text();
    const samples = page.matchAll(/^thermocline_http_requests_total\{operation="(\w+)"[^}]*\} (\d+)$/gm);
    return [...samples]
      .filter(([, operation = ""]) => operations.includes(operation))
      .reduce((sum, [, , count]) => sum + Number(count), 0);
  }

  /** Bytes that the server has written to its log so far: what came with requests, and some for each. */
  async logBytes(): Promise<number> {
    const page = await (await fetch(`${this.#server.adminEndpoint}/-/metrics`)).text();
    const [, count] = /^thermocline_log_batch_bytes_sum (\d+)$/m.exec(page) ?? [];
    assert.ok(count !== undefined, "the server counts no bytes of its log");
    return Number(count);
  }

  /** What a client sends while it does this: requests that write objects, and bytes of the log. */
  async sentBy(work: () => Promise<unknown>): Promise<Sent> {
    const [writes, bytes] = [await this.requestCount(WRITES), await this.logBytes()];
    await work();
    return { writes: (await this.requestCount(WRITES)) - writes, bytes: (await this.logBytes()) - bytes };
  }

  /** The last step of every scenario: SIGTERM ends the server with 0, in time. */
  async close(): Promise<void> {
    await this.tally.step("SIGTERM ends the server with 0 within 8 s", async () => {
      const { code, ms } = await this.#server.stop();
      assert.equal(code, 0, this.#server.output.slice(-2000));
      assert.ok(ms <= STOP_MS_MAX, `it took ${Math.round(ms)} ms`);
    });
    await this.#server.kill();
    await this.#temporary[Symbol.asyncDispose]();
  }
}

/** Operations that write an object or a part. */
export const WRITES = [
  "PutObject",
  "CreateMultipartUpload",
  "UploadPart",
  "CompleteMultipartUpload",
  "CopyObject",
];
