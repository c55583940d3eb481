/**
 * A body on its way in, as chunk records. Chunks are proposed in order and go on in the background; the put
 * that names the body follows them in the same queue, so it waits for nothing (RULES.md R6).
 */
import { assert } from "../base/assert.ts";
import { UnavailableError } from "../base/errors.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import { CHUNK_BYTES_MAX } from "./api.ts";
import type { BodyWriter } from "./api.ts";

/** Chunks under way per body: enough to keep the disk busy while the next one arrives. */
const CHUNKS_AHEAD = 4;

export class ChunkedBody implements BodyWriter {
  readonly bodyId: string;
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #incarnation: string;
  readonly #underWay: Promise<void>[] = [];
  #sequence = 0;
  #size = 0;
  #failure: unknown;
  #state: "open" | "named" | "aborted" = "open";

  constructor(
    log: ReplicatedLog<Command, Chunk, CommandResult>,
    ids: { readonly bodyId: string; readonly incarnation: string },
  ) {
    this.#log = log;
    this.bodyId = ids.bodyId;
    this.#incarnation = ids.incarnation;
  }

  get size(): number {
    return this.#size;
  }

  async write(
    bytes: Uint8Array | readonly Uint8Array[],
    options: { readonly onStored?: () => void } = {},
  ): Promise<void> {
    assert(this.#state === "open", "a body that was finished or given up takes no more bytes");
    const pieces = bytes instanceof Uint8Array ? [bytes] : bytes;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    assert(length > 0 && length <= CHUNK_BYTES_MAX, `a chunk of ${length} bytes`);
    if (this.#failure !== undefined) throw this.#failure;
    const { bodyId } = this;
    const chunk = { bodyId, sequence: this.#sequence++, incarnation: this.#incarnation, pieces, length };
    this.#size += length;
    this.#underWay.push(this.#propose(chunk, options.onStored));
    if (this.#underWay.length > CHUNKS_AHEAD) await this.#underWay.shift();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #propose(chunk: Chunk, onStored: (() => void) | undefined): Promise<void> {
    try {
      const result = await this.#log.proposeChunk(chunk);
      if (result.kind !== "done") {
        throw new UnavailableError("the staged body was given up before it was complete: send it again");
      }
      onStored?.();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** The put that names the body follows now. */
  name(): { readonly kind: "stored"; readonly bodyId: string; readonly size: number } {
    assert(this.#state === "open", "a body is named once");
    if (this.#failure !== undefined) throw this.#failure;
    this.#state = "named";
    return { kind: "stored", bodyId: this.bodyId, size: this.#size };
  }

  /** A put that was refused: the body is given up after all. */
  unname(): void {
    if (this.#state === "named") this.#state = "open";
    this.abort();
  }

  abort(): void {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    if (this.#sequence === 0) return;
    // If this proposal fails too, housekeeping finds the stage.
    this.#log.propose({ kind: "abortBody", bodyId: this.bodyId }).catch(() => undefined);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}
