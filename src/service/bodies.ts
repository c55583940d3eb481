/** Bodies of puts and parts on their way into commands. */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Chunk, Command, CommandBody, CommandResult } from "../state/command.ts";
import { INLINE_BODY_BYTES_MAX } from "../state/object-row.ts";
import { SMALL_BODY_BYTES_MAX } from "./api.ts";
import type { BodyWriter, PutBody } from "./api.ts";
import { ChunkedBody } from "./body-writer.ts";

const EMPTY: CommandBody = { kind: "empty" };

export class Bodies {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #incarnation: string;
  #next = 0;

  constructor(log: ReplicatedLog<Command, Chunk, CommandResult>, incarnation: string) {
    this.#log = log;
    this.#incarnation = incarnation;
  }

  /** Ids are unique because incarnations are. */
  start(): ChunkedBody {
    const bodyId = `${this.#incarnation}-${(this.#next++).toString(36)}`;
    return new ChunkedBody(this.#log, { bodyId, incarnation: this.#incarnation });
  }

  commandBody(body: PutBody): CommandBody {
    if (body.kind === "written") {
      const writer = own(body.writer);
      return writer.size === 0 ? EMPTY : writer.name();
    }
    const { bytes } = body;
    assert(
      bytes.length <= SMALL_BODY_BYTES_MAX,
      `a body of ${bytes.length} bytes has to be written in chunks`,
    );
    if (bytes.length === 0) return EMPTY;
    // A tiny body becomes part of its row, and the check of the row covers it.
    const check = bytes.length <= INLINE_BODY_BYTES_MAX ? 0 : crc32c(bytes);
    return { kind: "bytes", bytes, crc32c: check };
  }

  /** Proposes a command that names a body, and gives the body up if the command was refused. */
  async propose(command: Command, body: PutBody): Promise<CommandResult> {
    try {
      const result = await this.#log.propose(command);
      if (result.kind !== "objectPut" && result.kind !== "partPut") giveUp(body);
      return result;
    } catch (error) {
      giveUp(body);
      throw error;
    }
  }
}

/** Harmless after a put of unknown outcome: a body that is named stays. */
function giveUp(body: PutBody): void {
  if (body.kind === "written") own(body.writer).unname();
}

function own(writer: BodyWriter): ChunkedBody {
  assert(writer instanceof ChunkedBody, "a body writer of another store");
  return writer;
}
