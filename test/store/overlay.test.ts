/** Promises of the overlay, against a map: what was applied is seen until its flush has ended. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Overlay } from "../../src/store/overlay.ts";

test("with any order of writes and flushes, overlay over store is what was written last", () => {
  const key = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), key, value: fc.nat(255) }),
    fc.record({ kind: fc.constant("delete" as const), key, value: fc.constant(0) }),
    fc.record({ kind: fc.constant("begin" as const), key, value: fc.constant(0) }),
    fc.record({ kind: fc.constant("end" as const), key, value: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const overlay = new Overlay(0);
      const store = new Map<string, Uint8Array>();
      const truth = new Map<string, Uint8Array>();
      let flushing: ReturnType<Overlay["beginFlush"]>;
      let index = 0;
      let flushed = 0;
      for (const { kind, key: at, value } of steps) {
        if (kind === "set") truth.set(at, Uint8Array.of(value));
        else if (kind === "delete") truth.delete(at);
        if (kind === "set" || kind === "delete") {
          overlay.set(at, truth.get(at) ?? null);
          overlay.entryApplied(++index);
        } else if (kind === "begin") {
          const begun = overlay.beginFlush();
          if (flushing === undefined && begun !== undefined) {
            expect([begun.before, begun.after]).toEqual([flushed, index]);
            flushing = begun;
          } else expect(begun).toBeUndefined();
        } else if (flushing !== undefined) {
          for (const [row, bytes] of flushing.rows) {
            if (bytes === null) store.delete(row);
            else store.set(row, bytes);
          }
          flushed = flushing.after;
          flushing = undefined;
          overlay.endFlush();
        }
        for (const row of ["a", "b", "c", "d"]) {
          const seen = overlay.get(row);
          expect(seen === null ? undefined : (seen ?? store.get(row))).toEqual(truth.get(row));
        }
        expect(overlay.appliedIndex).toBe(index);
      }
    }),
  );
});

test("counts rows and bytes of both generations, early rather than late", () => {
  const overlay = new Overlay(0);
  expect([overlay.rowCount, overlay.bytes, overlay.dirty]).toEqual([0, 0, false]);
  overlay.set("key", Buffer.alloc(1000));
  overlay.entryApplied(1);
  overlay.set("gone", null);
  overlay.entryApplied(2);
  expect(overlay.rowCount).toBe(2);
  expect(overlay.bytes).toBeGreaterThanOrEqual(1000 + "keygone".length);
  overlay.beginFlush();
  overlay.set("key", Buffer.alloc(500));
  overlay.entryApplied(3);
  expect(overlay.rowCount).toBe(3);
  const { bytes } = overlay;
  overlay.endFlush();
  expect(overlay.rowCount).toBe(1);
  expect(overlay.bytes).toBeLessThan(bytes);
});

test("an entry without rows is flushed too, so that the mark moves on", () => {
  const overlay = new Overlay(7);
  expect(overlay.beginFlush()).toBeUndefined();
  overlay.entryApplied(8);
  expect(overlay.beginFlush()).toMatchObject({ before: 7, after: 8 });
});
