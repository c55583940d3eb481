/**
 * Decompression by itself: streams behind each other cut at every byte, and an end while it is under way.
 */
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Inflate } from "../../src/http/inflate.ts";

type Kind = "gzip" | "zstd";

async function inflated(kind: Kind, pieces: readonly Buffer[]): Promise<string> {
  const inflate = new Inflate(kind);
  const out: Buffer[] = [];
  try {
    for (const piece of pieces) for await (const bytes of inflate.push(piece)) out.push(Buffer.from(bytes));
    for await (const bytes of inflate.finish()) out.push(Buffer.from(bytes));
  } finally {
    inflate.close();
  }
  return Buffer.concat(out).toString();
}

describe.each([
  ["gzip", (text: string) => gzipSync(text)],
  ["zstd", (text: string) => zstdCompressSync(Buffer.from(text))],
] as const)("streams of %s behind each other", (kind, compress) => {
  const whole = Buffer.concat([compress("one "), compress(""), compress("two "), compress("three")]);

  test("give all of their bytes, wherever they are cut", async () => {
    for (let cut = 0; cut <= whole.length; cut++) {
      const pieces = [whole.subarray(0, cut), whole.subarray(cut)];
      expect(await inflated(kind, pieces), `cut at ${cut}`).toBe("one two three");
    }
    const bytes = Array.from(whole, (byte) => Buffer.from([byte]));
    expect(await inflated(kind, bytes)).toBe("one two three");
  });

  test("are damaged when any of the last one's bytes is missing, or one is too many", async () => {
    const last = compress("three").length;
    for (let missing = 1; missing < last; missing++) {
      const run = inflated(kind, [whole.subarray(0, whole.length - missing)]);
      await expect(run, `${missing} missing`).rejects.toThrow(/The archive is damaged/);
    }
    for (const extra of ["\u0001", "x".repeat(30)]) {
      await expect(inflated(kind, [whole, Buffer.from(extra)])).rejects.toThrow(/The archive is damaged/);
      await expect(inflated(kind, [Buffer.concat([whole, Buffer.from(extra)])])).rejects.toThrow(
        /The archive is damaged/,
      );
    }
  });
});

test("no further stream is begun for a client that went away", async () => {
  const frame = zstdCompressSync(Buffer.from("frame"));
  const inflate = new Inflate("zstd");
  const bytes = inflate.push(Buffer.concat([frame, frame]));
  expect(String((await bytes.next()).value)).toBe("frame");
  inflate.close();
  await expect(bytes.next()).rejects.toMatchObject({ code: "IncompleteBody" });
});

test.each([
  [22, "inflated"],
  [24, "refused"],
])("a frame of zstd that asks for 2^%i bytes of memory is %s", async (windowLog, outcome) => {
  const params = { [constants.ZSTD_c_windowLog]: windowLog, [constants.ZSTD_c_contentSizeFlag]: 0 };
  const frame = zstdCompressSync(Buffer.alloc(12 * 1024 * 1024), { params });
  const run = inflated("zstd", [frame]).then(
    () => "inflated",
    () => "refused",
  );
  expect(await run).toBe(outcome);
});
