/**
 * Bytes of a batch: its steps, each as the command that it is but without its body, and behind the last of
 * them all bodies, one after the other. So one offset says where every body of the batch stands.
 */
import { FormatError } from "../base/bytes.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { INLINE_BODY_BYTES_MAX } from "./object-row.ts";
import type { Batch, BatchStep, Command, CommandBody } from "./command.ts";

export const BatchKind = { batch: 50, checkObject: 51 } as const;

const EMPTY_BODY = { kind: "empty" } as const;

/** The body that stands behind the steps. */
export function bytesOfStep(step: BatchStep): Extract<CommandBody, { kind: "bytes" }> | undefined {
  if (step.kind !== "putObject" && step.kind !== "copyObject") return undefined;
  return step.body.kind === "bytes" ? step.body : undefined;
}

function withBody(step: BatchStep, body: Extract<CommandBody, { kind: "bytes" | "empty" }>): BatchStep {
  if (step.kind === "putObject" || step.kind === "copyObject") return { ...step, body };
  throw new FormatError(`a body of ${step.kind}`);
}

/** Behind the kind; returns where the bodies start in the writer, or 0. */
export function encodeBatch(
  writer: ByteWriter,
  { steps }: Batch,
  encode: (writer: ByteWriter, command: Command) => void,
): number {
  writer.varint(steps.length);
  let bodyBytes = 0;
  for (const step of steps) {
    const body = bytesOfStep(step);
    writer.u8(body === undefined ? 0 : 1);
    if (body !== undefined) {
      writer.u32(body.crc32c);
      writer.varint(body.bytes.length);
      bodyBytes += body.bytes.length;
    }
    encode(writer, body === undefined ? step : withBody(step, EMPTY_BODY));
  }
  const start = writer.length;
  for (const step of steps) {
    const body = bytesOfStep(step);
    if (body !== undefined) writer.bytes(body.bytes);
  }
  return bodyBytes === 0 ? 0 : start;
}

function asStep(command: Command): BatchStep {
  switch (command.kind) {
    case "putObject":
    case "copyObject": {
      const { body } = command;
      if (body.kind === "stored" || body.kind === "bytes") throw new FormatError("a body inside a batch");
      return command.kind === "putObject"
        ? { ...command, body: body as typeof EMPTY_BODY }
        : { ...command, body };
    }
    case "deleteVersion": {
      const { condition } = command;
      if (condition.kind !== "none") throw new FormatError("a condition on a version inside a batch");
      return { ...command, condition };
    }
    case "deleteObject":
    case "checkObject":
      return command;
    default:
      throw new FormatError(`${command.kind} is no step of a batch`);
  }
}

export function decodeBatch(
  reader: ByteReader,
  decode: (reader: ByteReader) => Command,
): { readonly command: Batch; readonly bodyOffset: number } {
  const heads: { readonly step: BatchStep; readonly crc32c: number; readonly length: number }[] = [];
  let bodyBytes = 0;
  for (let count = reader.varint(); count > 0; count--) {
    const hasBody = reader.u8() === 1;
    const crc32c = hasBody ? reader.u32() : 0;
    const length = hasBody ? reader.varint() : -1;
    heads.push({ step: asStep(decode(reader)), crc32c, length });
    bodyBytes += Math.max(0, length);
  }
  const start = reader.offset;
  const steps = heads.map(({ step, crc32c, length }) => {
    if (length < 0) return step;
    const view = reader.bytes(length);
    // A tiny body stays in memory with its object; the window of the log that it was read from moves on.
    const bytes = length <= INLINE_BODY_BYTES_MAX ? Buffer.from(view) : view;
    return withBody(step, { kind: "bytes", bytes, crc32c });
  });
  return { command: { kind: "batch", steps }, bodyOffset: bodyBytes === 0 ? 0 : start };
}
