/** The body of a batch comes in pieces that know nothing of its lines and bodies. */
import { hash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchBody } from "../../src/http/batch-body.ts";
import { BATCH_BYTES_MAX } from "../../src/s3/batch.ts";

const bodies = fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 6 });

function wireOf(list: readonly Uint8Array[]): Buffer {
  const operations = list.flatMap(({ length }, at) => [
    { op: "put", key: `k${at}€`, size: length },
    { op: "delete", key: "gone" },
  ]);
  return Buffer.concat([Buffer.from(`${JSON.stringify({ operations })}\n`), ...list]);
}

test("wherever it is cut, each put gets its own bytes, in little more memory", () => {
  fc.assert(
    fc.property(bodies, fc.integer({ min: 1, max: 50 }), (list, step) => {
      const wire = wireOf(list);
      const body = new BatchBody({ length: wire.length, bytesMax: BATCH_BYTES_MAX });
      for (let at = 0; at < wire.length; at += step) {
        const piece = Buffer.from(wire.subarray(at, at + step));
        body.push(piece);
        piece.fill(0xff);
      }
      const puts = body.finish().filter(({ operation }) => operation.kind === "put");
      expect(puts.map(({ bytes }) => bytes)).toEqual(list.map((bytes) => Buffer.from(bytes)));
      expect(puts.map(({ etag }) => etag)).toEqual(list.map((bytes) => hash("md5", bytes, "hex")));
      for (const { bytes } of puts) {
        const most = bytes.length > 256 ? bytes.length : 1024;
        expect(bytes.length === 0 || bytes.buffer.byteLength <= most).toBe(true);
      }
    }),
  );
});

test("of unknown length it may not end early, nor go on behind its last body", () => {
  const list = [Buffer.from("one"), Buffer.from("two")];
  const wire = wireOf(list);
  const open = () => new BatchBody({ length: undefined, bytesMax: BATCH_BYTES_MAX });
  for (let end = 0; end < wire.length; end++) {
    const body = open();
    body.push(wire.subarray(0, end));
    expect(() => body.finish(), `${end} bytes`).toThrow();
  }
  const whole = open();
  whole.push(wire);
  expect(whole.finish()).toHaveLength(4);
  expect(() => whole.push(Buffer.from("x"))).toThrow("bytes behind the last body");
});
