/**
 * The body of a GET, held to what was asked for. A connection that breaks off is worth another attempt; an
 * answer that is complete and has another length is damage, and is not read to its end to find that out.
 */
import type { Readable } from "node:stream";
import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { COLD_WHOLE_BYTES_MAX, ColdDamagedError } from "../ports/cold-store.ts";
import type { ColdRange } from "../ports/cold-store.ts";

/** What is looked at of it. */
export type Got = Pick<GetObjectCommandOutput, "Body" | "ContentLength" | "ContentRange">;

export async function readBody(
  answer: Got,
  asked: { readonly what: string; readonly range: ColdRange | undefined },
): Promise<Uint8Array> {
  const body = answer.Body as Readable | undefined;
  try {
    const bytes = expectedBytes(answer, asked);
    const target = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for await (const piece of (body ?? []) as AsyncIterable<Buffer>) {
      if (at + piece.length > bytes) throw damaged(asked.what, `more than the ${bytes} bytes it announced`);
      target.set(piece, at);
      at += piece.length;
    }
    if (at < bytes) throw new Error(`the answer broke off after ${at} of ${bytes} bytes`);
    return target;
  } finally {
    // A socket with the rest of an unwanted body on it cannot be used again; one that was read out can.
    if (body?.readableEnded === false) body.destroy();
  }
}

function expectedBytes(
  answer: Got,
  { what, range }: { readonly what: string; readonly range: ColdRange | undefined },
): number {
  const { ContentLength: announced, ContentRange: part } = answer;
  if (announced === undefined) throw damaged(what, "an answer without a length");
  if (range === undefined) {
    if (announced <= COLD_WHOLE_BYTES_MAX) return announced;
    throw damaged(what, `${announced} bytes, too many to be read at once`);
  }
  const wanted = range.end - range.start;
  const isThatPart = part?.startsWith(`bytes ${range.start}-${range.end - 1}/`) ?? false;
  if (isThatPart && announced === wanted) return wanted;
  throw damaged(what, `asked for bytes ${range.start} to ${range.end}, got ${part ?? `all ${announced}`}`);
}

function damaged(what: string, how: string): ColdDamagedError {
  return new ColdDamagedError(`${what}: ${how}`);
}
