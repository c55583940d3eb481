/**
 * What a fault does to a request: it waits, is answered with an error, or loses its connection: before the
 * operation, or with nothing or only a part of the answer sent. An answer is cut by standing between the
 * operation and the response, so operations know nothing of it.
 */
import { unreachable } from "../base/assert.ts";
import type { Exchange } from "./exchange.ts";
import type { Suffering } from "./faults.ts";

/** What the log and the counters say of a request that got no answer. */
const NO_ANSWER_STATUS = 499;

type Ending = ((error?: Error | null) => void) | undefined;
type WrittenBytes = Uint8Array | string;
/** What may stand behind the bytes: how a string becomes bytes, and who is told that they are gone. */
type Manner = readonly [(BufferEncoding | Ending)?, Ending?];

/** `operate` does what the request asks for. */
export async function sufferFault(
  exchange: Exchange,
  suffering: Suffering,
  operate: () => void | Promise<void>,
): Promise<void> {
  const { effect, delayMs, cleared } = suffering;
  if (delayMs > 0) await exchange.edge.options.clock.sleep(delayMs, { signal: cleared });
  switch (effect.kind) {
    case "none":
      return operate();
    case "error":
      throw effect.error;
    case "cutRequest":
      exchange.incoming.socket.destroy();
      return exchange.finish(NO_ANSWER_STATUS);
    case "cutAnswer":
      cutAnswer(exchange, effect.afterBytes);
      return operate();
    default:
      return unreachable(effect);
  }
}

function readManner([first, second]: Manner): { readonly encoding: BufferEncoding; readonly done: Ending } {
  return typeof first === "string"
    ? { encoding: first, done: second }
    : { encoding: "utf8", done: first ?? second };
}

/** Replaces what operations write answers with. */
function cutAnswer({ outgoing, incoming }: Exchange, afterBytes: number | undefined): void {
  const { socket } = incoming;
  const write = outgoing.write.bind(outgoing) as (bytes: WrittenBytes, done: Ending) => boolean;
  const end = outgoing.end.bind(outgoing) as (done: Ending) => void;
  let left = afterBytes ?? -1;
  const cut = (): void => {
    if (afterBytes === undefined) socket.destroy();
    else {
      outgoing.flushHeaders();
      // Not before what was written is sent.
      socket.destroySoon();
    }
  };
  /** Writes what may be sent of `bytes`; whether that is all. */
  const writePart = (bytes: WrittenBytes, encoding: BufferEncoding, done: Ending): boolean => {
    const buffer = typeof bytes === "string" ? Buffer.from(bytes, encoding) : bytes;
    if (buffer.length <= left) {
      left -= buffer.length;
      write(buffer, done);
      return true;
    }
    if (left > 0) write(buffer.subarray(0, left), undefined);
    left = -1;
    cut();
    return false;
  };
  Object.assign(outgoing, {
    write: (bytes: WrittenBytes, ...manner: Manner): boolean => {
      const { encoding, done } = readManner(manner);
      writePart(bytes, encoding, done);
      // Whoever waits for the socket to take more would wait for ever on one that is gone.
      return true;
    },
    end: (bytes?: WrittenBytes | Ending, ...manner: Manner): typeof outgoing => {
      const { encoding, done } = readManner(typeof bytes === "function" ? [bytes] : manner);
      const isEmpty = bytes === undefined || bytes === null || typeof bytes === "function";
      const isWhole = left >= 0 && (isEmpty || writePart(bytes, encoding, undefined));
      if (isWhole) end(done);
      else if (!socket.destroyed) cut();
      return outgoing;
    },
  });
}
