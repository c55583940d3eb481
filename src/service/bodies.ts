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
    const bodyId = this.newId();
    return new ChunkedBody(this.#log, { bodyId, incarnation: this.#incarnation });
  }

  /** For rows that a command makes. */
  newId(): string {
    return `${this.#incarnation}-${(this.#next++).toString(36)}`;
  }

  /** Harmless once the body was taken. */
  giveUp(body: PutBody): void {
    giveUp(body);
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

  /** Proposes the command that names a body, and gives the body up if that is refused or fails. */
  async propose<Put extends HasBody>(put: Put, commandOf: CommandOf<Put>): Promise<CommandResult> {
    try {
      const result = await this.#log.propose(commandOf(put, this.commandBody(put.body)));
      if (!isTaken(result)) giveUp(put.body);
      return result;
    } catch (error) {
      giveUp(put.body);
      throw error;
    }
  }

  /** The same of several, in one entry. */
  async proposeTogether<Put extends HasBody>(
    puts: readonly Put[],
    commandOf: CommandOf<Put>,
  ): Promise<readonly CommandResult[]> {
    try {
      const commands = puts.map((put) => commandOf(put, this.commandBody(put.body)));
      const results = await this.#log.proposeTogether(commands);
      results.forEach((result, at) => {
        if (!isTaken(result)) giveUp((puts[at] as Put).body);
      });
      return results;
    } catch (error) {
      for (const { body } of puts) giveUp(body);
      throw error;
    }
  }
}

type HasBody = { readonly body: PutBody };
type CommandOf<Put> = (put: Put, body: CommandBody) => Command;

function isTaken({ kind }: CommandResult): boolean {
  return kind === "objectPut" || kind === "partPut";
}

/** Harmless after a put of unknown outcome: a body that is named stays. */
function giveUp(body: PutBody): void {
  if (body.kind === "written") own(body.writer).unname();
}

function own(writer: BodyWriter): ChunkedBody {
  assert(writer instanceof ChunkedBody, "a body writer of another store");
  return writer;
}
