/**
 * Promises of the log's payloads: a command comes back as it was, and its body stands where it is said to.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { ByteReader, ByteWriter, FormatError } from "../../src/base/bytes.ts";
import { BatchKind, bytesOfStep, encodeBatch } from "../../src/state/batch-codec.ts";
import { decodeChunk, decodeCommands, encodeChunk, encodeCommand } from "../../src/state/command-codec.ts";
import type { Command } from "../../src/state/command.ts";
import * as arbitrary from "./arbitraries.ts";

/** As an entry is encoded: time, count, commands; and what `encodeCommand` said of each body. */
function encoded(
  commands: readonly Command[],
  timeMs = 0,
): { payload: Buffer; bodyOffsets: readonly number[] } {
  const writer = new ByteWriter(16);
  writer.varint(timeMs);
  writer.varint(commands.length);
  const bodyOffsets = commands.map((command) => encodeCommand(writer, command));
  return { payload: writer.take(), bodyOffsets };
}

/** Views into the payload are compared by their bytes. */
function plain(command: Command): unknown {
  if (command.kind === "batch") return { ...command, steps: command.steps.map(plain) };
  if (!("body" in command) || command.body.kind !== "bytes") return command;
  return { ...command, body: { ...command.body, bytes: Buffer.from(command.body.bytes) } };
}

describe("commands", () => {
  test("come back in order, with their time, and say where their bodies are", () => {
    fc.assert(
      fc.property(fc.array(arbitrary.command, { maxLength: 6 }), arbitrary.count, (commands, timeMs) => {
        const { payload, bodyOffsets } = encoded(commands, timeMs);
        const decoded = decodeCommands(payload);
        expect(decoded.timeMs).toBe(timeMs);
        expect(decoded.commands.map(({ command }) => plain(command))).toEqual(commands.map(plain));
        expect(decoded.commands.map(({ bodyOffset }) => bodyOffset)).toEqual(bodyOffsets);
        for (const { command, bodyOffset } of decoded.commands) {
          if (command.kind === "batch") {
            const bodies = Buffer.concat(
              command.steps.map((each) => bytesOfStep(each)?.bytes ?? Buffer.alloc(0)),
            );
            expect(bodyOffset > 0).toBe(bodies.length > 0);
            expect(payload.subarray(bodyOffset, bodyOffset + bodies.length)).toEqual(bodies);
            continue;
          }
          if (!("body" in command) || command.body.kind !== "bytes") {
            expect(bodyOffset).toBe(0);
            continue;
          }
          const { bytes } = command.body;
          expect(payload.subarray(bodyOffset, bodyOffset + bytes.length)).toEqual(Buffer.from(bytes));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("every kind of command was among those", () => {
    const kinds = new Set(fc.sample(arbitrary.command, { numRuns: 500, seed: 1 }).map(({ kind }) => kind));
    expect(kinds.size).toBe(33);
  });

  test("cut short anywhere they are refused, never half read", () => {
    const { payload } = encoded(fc.sample(arbitrary.command, { numRuns: 8, seed: 7 }), 99);
    for (let length = 0; length < payload.length; length++) {
      expect(() => decodeCommands(payload.subarray(0, length)), `${length} bytes`).toThrow(FormatError);
    }
  });

  test("bytes behind the last one are a bug", () => {
    const { payload } = encoded([{ kind: "abortBody", bodyId: "b" }]);
    expect(() => decodeCommands(Buffer.concat([payload, Buffer.from([0])]))).toThrow(InvariantError);
  });

  test("nothing but what a batch may hold is read as a step of one", () => {
    const writer = new ByteWriter(16);
    const tick: Command = { kind: "tick" };
    encodeBatch(writer, { kind: "batch", steps: [tick as never] }, encodeCommand);
    const payload = Buffer.concat([Buffer.from([0, 1, BatchKind.batch]), writer.take()]);
    expect(() => decodeCommands(payload)).toThrow("tick is no step of a batch");
  });

  test("of a kind that this release does not know stop it", () => {
    expect(() => decodeCommands(Buffer.from([0, 1, 200]))).toThrow("written by a newer version");
  });
});

describe("chunks", () => {
  test("come back with the place of their bytes", () => {
    fc.assert(
      fc.property(arbitrary.chunk, arbitrary.count, (chunk, timeMs) => {
        const writer = new ByteWriter(8);
        const start = encodeChunk(writer, chunk, timeMs);
        const payload = writer.take();
        const decoded = decodeChunk(payload);
        expect(decoded.timeMs).toBe(timeMs);
        expect(decoded.bodyOffset).toBe(start);
        const whole = Buffer.concat(chunk.pieces);
        const joined = Buffer.concat(decoded.chunk.pieces);
        expect({ ...decoded.chunk, pieces: [joined] }).toEqual({ ...chunk, pieces: [whole] });
        expect(new ByteReader(payload, start).bytes(chunk.length)).toEqual(whole);
      }),
    );
  });
});
