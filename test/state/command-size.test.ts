/** Promises of the sizes that admission counts with: never below what the codec writes, and not far above. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteWriter } from "../../src/base/bytes.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { encodeChunk, encodeCommand } from "../../src/state/command-codec.ts";
import type { Command } from "../../src/state/command.ts";
import { ENTRY_HEAD_BYTES, chunkBytesMax, commandBytesMax } from "../../src/state/command-size.ts";
import * as arbitrary from "./arbitraries.ts";

function encodedBytes(command: Command): number {
  const writer = new ByteWriter(16);
  encodeCommand(writer, command);
  return writer.length;
}

const putOf = (key: string, body: Uint8Array): Command => ({
  kind: "putObject",
  bucket: "bucket",
  key,
  etag: "0".repeat(32),
  attributes: NO_ATTRIBUTES,
  body: { kind: "bytes", bytes: body, crc32c: 0 },
  condition: { kind: "none" },
});

test("no command is longer in the log than it was admitted with", () => {
  fc.assert(
    fc.property(arbitrary.command, (command) => {
      expect(commandBytesMax(command)).toBeGreaterThanOrEqual(encodedBytes(command));
    }),
    { numRuns: 2000 },
  );
});

test("every kind of command was among those", () => {
  const kinds = new Set(fc.sample(arbitrary.command, { numRuns: 2000, seed: 1 }).map(({ kind }) => kind));
  expect(kinds.size).toBe(33);
});

test("nor a chunk, nor the head of an entry", () => {
  fc.assert(
    fc.property(arbitrary.chunk, (chunk) => {
      const writer = new ByteWriter(16);
      encodeChunk(writer, chunk, Number.MAX_SAFE_INTEGER);
      expect(chunkBytesMax(chunk) + ENTRY_HEAD_BYTES).toBeGreaterThanOrEqual(writer.length);
    }),
    { numRuns: 500 },
  );
  const writer = new ByteWriter(16);
  writer.varint(Number.MAX_SAFE_INTEGER);
  writer.varint(Number.MAX_SAFE_INTEGER);
  expect(writer.length).toBeLessThanOrEqual(ENTRY_HEAD_BYTES);
});

test.each(["a", "é", "€", "😀", "\u{d800}", "\u{dc00}"])("names of any character count: %j", (character) => {
  const command = putOf(character.repeat(300), Buffer.alloc(0));
  expect(commandBytesMax(command)).toBeGreaterThanOrEqual(encodedBytes(command));
});

test("long lists of numbers count", () => {
  const numbers = Array.from({ length: 1000 }, (_, at) => Number.MAX_SAFE_INTEGER - at);
  const complete = fc
    .sample(arbitrary.command, { numRuns: 2000, seed: 1 })
    .find((command) => command.kind === "completeUpload");
  const reap = { kind: "reapParts", uploadId: "u", partNumbers: numbers, last: true, dropped: true } as const;
  const runs = numbers.map((number) => ({ firstPart: number, count: number, size: number }));
  for (const command of [reap, { ...(complete as Extract<Command, { kind: "completeUpload" }>), runs }]) {
    expect(commandBytesMax(command)).toBeGreaterThanOrEqual(encodedBytes(command));
  }
});

test("an ordinary put is not taken for much more than it is: bodies count as they are", () => {
  for (const size of [0, 100, 4096, 65_536]) {
    const command = putOf("photos/2026/11/21/picture.jpg", Buffer.alloc(size));
    expect(commandBytesMax(command) - encodedBytes(command)).toBeLessThan(300);
  }
});
