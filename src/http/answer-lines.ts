/**
 * An answer that takes its time: lines of JSON, each when there is something to say, and a word now and then
 * so that nobody on the way takes silence for the end. The head goes out with the first of them; what fails
 * before is an error answer like any other.
 */
import { unreachable } from "../base/assert.ts";
import { baseHeaders } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

type Line =
  | { readonly kind: "progress"; readonly line: string }
  | { readonly kind: "done"; readonly outcome: object }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

const SILENCE_MS_MAX = 10_000;
/** Whoever reads slower misses lines on the way. */
const UNSENT_BYTES_MAX = 64 * 1024;

export class LineAnswer {
  readonly #exchange: Exchange;
  readonly #gone = new AbortController();
  readonly #over = new AbortController();

  constructor(exchange: Exchange, whenGone: Error) {
    this.#exchange = exchange;
    const { outgoing, edge } = exchange;
    outgoing.on("close", () => {
      this.#over.abort();
      this.#gone.abort(whenGone);
    });
    if (outgoing.destroyed) this.#gone.abort(whenGone);
    void this.#breakSilence(Math.min(SILENCE_MS_MAX, edge.options.limits.idleTimeoutMs / 3));
  }

  /** Aborted when nobody is left to read. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get hasBegun(): boolean {
    return this.#exchange.outgoing.headersSent;
  }

  readonly tell = (line: string): void => {
    this.#write({ kind: "progress", line });
  };

  /** With the last line. */
  end(last: Exclude<Line, { readonly kind: "progress" }>): void {
    this.#over.abort();
    this.#write(last);
    this.#exchange.outgoing.end();
    this.#exchange.finish(200);
  }

  /** Nothing was said and nothing will be: somebody else answers. */
  drop(): void {
    this.#over.abort();
  }

  #write(line: Line): void {
    const { outgoing } = this.#exchange;
    const isLate = line.kind === "progress" && outgoing.writableLength > UNSENT_BYTES_MAX;
    if (outgoing.destroyed || isLate) return;
    if (!outgoing.headersSent) {
      const headers = baseHeaders(this.#exchange);
      headers.push("Content-Type", "application/x-ndjson", "Cache-Control", "no-store");
      outgoing.writeHead(200, headers);
    }
    outgoing.write(`${JSON.stringify(bodyOf(line))}\n`);
  }

  async #breakSilence(everyMs: number): Promise<void> {
    const { signal } = this.#over;
    for (;;) {
      await this.#exchange.edge.options.clock.sleep(everyMs, { signal });
      if (signal.aborted) return;
      this.#write({ kind: "progress", line: "" });
    }
  }
}

function bodyOf(line: Line): object {
  switch (line.kind) {
    case "progress":
      return { progress: line.line };
    case "done":
      return { outcome: line.outcome };
    case "failed":
      return { failed: { code: line.code, message: line.message } };
    default:
      return unreachable(line);
  }
}
