/**
 * A connection that says exactly what it is told to, byte for byte, and reads what comes back: answers with
 * their status and S3 code, one behind the other, and the end of the connection. It is opened again when the
 * server has ended it. What no client library would send needs such a thing.
 */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";

const WAIT_MS_MAX = 30_000;

/** What is sent, and how the client goes on. */
export type Sent = {
  /** Pieces are written one by one, `pauseMs` apart. */
  readonly pieces: readonly (Buffer | string)[];
  readonly pauseMs?: number;
  /** Behind the bytes: nothing, the end of our side, or a reset. */
  readonly ending: "wait" | "finish" | "reset";
};

export type Heard = {
  /** `400 BadDigest` each; `end` when the server ended the connection after them. */
  readonly answers: readonly string[];
  /** From the first byte to the last answer or the end. */
  readonly ms: number;
};

type Parsed = { readonly line: string; readonly closes: boolean; readonly bytes: number };

/** The answer that `text` begins with, once it is whole; one character is one byte. */
function parseAnswer(text: string): Parsed | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? `no answer: ${head}`;
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
  const bytes = headEnd + 4 + length;
  if (text.length < bytes) return undefined;
  const code = /<Code>([^<]*)<\/Code>/.exec(text.slice(headEnd, bytes))?.[1];
  const line = code === undefined ? status : `${status} ${code}`;
  return { line, closes: /^connection: close$/im.test(head), bytes };
}

export class RawLane {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = "";
  #hasEnded = false;
  #wake: (() => void) | undefined;
  connections = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends, and hears until there are `answersMax` answers or the connection ends. */
  async exchange(sent: Sent, answersMax: number): Promise<Heard> {
    const startMs = performance.now();
    const socket = await this.#open();
    await this.#send(socket, sent);
    const answers: string[] = [];
    let closes = false;
    while (answers.length < answersMax && sent.ending !== "reset") {
      const parsed = parseAnswer(this.#received);
      if (parsed === undefined) {
        if (this.#hasEnded) break;
        await this.#more(startMs);
        continue;
      }
      this.#received = this.#received.slice(parsed.bytes);
      answers.push(parsed.line);
      closes = parsed.closes;
    }
    if (closes || sent.ending !== "wait" || this.#hasEnded) {
      if (!socket.destroyed) socket.end();
      while (!this.#hasEnded) await this.#more(startMs);
      answers.push("end");
      this.close();
    }
    return { answers, ms: performance.now() - startMs };
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  async #open(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#hasEnded) return this.#socket;
    this.#socket?.destroy();
    const socket = connect({ port: this.#port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    this.#socket = socket;
    this.#received = "";
    this.#hasEnded = false;
    this.connections++;
    const note = (): void => {
      if (this.#socket === socket) this.#wake?.();
    };
    socket.on("data", (bytes) => {
      if (this.#socket === socket) this.#received += bytes.toString("latin1");
      note();
    });
    const end = (): void => {
      if (this.#socket === socket) this.#hasEnded = true;
      note();
    };
    // A reset is an end, too; what had been received before it stays.
    socket.on("error", end);
    socket.on("end", end);
    socket.on("close", end);
    await once(socket, "connect");
    return socket;
  }

  async #send(socket: Socket, sent: Sent): Promise<void> {
    for (const [at, piece] of sent.pieces.entries()) {
      if (at > 0 && sent.pauseMs !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, sent.pauseMs));
        if (this.#hasEnded || this.#received !== "") return;
      }
      socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
    }
    if (sent.ending === "finish") socket.end();
    if (sent.ending === "reset") {
      await new Promise((resolve) => socket.write("", resolve));
      socket.resetAndDestroy();
      this.#hasEnded = true;
    }
  }

  #more(startMs: number): Promise<void> {
    const leftMs = startMs + WAIT_MS_MAX - performance.now();
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`no answer and no end after ${WAIT_MS_MAX} ms`)),
        leftMs,
      );
      this.#wake = () => {
        clearTimeout(late);
        resolve();
      };
    });
  }
}
