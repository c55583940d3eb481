/**
 * The reader of archives by itself: every form of name and size, cut anywhere, and nothing that is damaged
 * taken for something else.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TarReader } from "../../src/s3/tar.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { paxHead, tarEntry, tarOf } from "../support/tar-writer.ts";

type Read = { readonly kind: string; readonly path: string; readonly body: string };

/** Every entry, in words; `cuts` are where the bytes come apart. */
function read(archive: Buffer, cuts: readonly number[] = []): readonly Read[] {
  const reader = new TarReader();
  const entries: { kind: string; path: string; size: number; pieces: Buffer[]; ended: boolean }[] = [];
  const places = [0, ...cuts.map((cut) => cut % (archive.length + 1)), archive.length].toSorted(
    (a, b) => a - b,
  );
  for (const [at, end] of places.entries()) {
    for (const event of reader.push(archive.subarray(places[at - 1] ?? 0, end))) {
      const last = entries.at(-1);
      if (event.kind === "entry") entries.push({ ...event.entry, pieces: [], ended: false });
      else if (event.kind === "bytes") last?.pieces.push(event.bytes);
      else if (last !== undefined) last.ended = true;
    }
  }
  reader.finish();
  return entries.map(({ kind, path, size, pieces, ended }) => {
    const body = Buffer.concat(pieces);
    expect([ended, body.length]).toEqual([true, size]);
    return { kind, path, body: body.toString("latin1") };
  });
}

const LONG = `${"d".repeat(120)}/${"ö".repeat(200)}`;
const WHOLE = tarOf(
  paxHead({ comment: "of all" }, "g"),
  tarEntry("a", "hello"),
  tarEntry("directory", "", { type: "5" }),
  tarEntry("v7-directory/", "", { type: "\0", magic: "" }),
  paxHead({ path: LONG, size: "600", "minio.metadata.x": "y=\nz" }),
  tarEntry("short", "x".repeat(600), { size: 1 }),
  tarEntry("././@LongLink", `${LONG}\0`, { type: "L", magic: "ustar  \0" }),
  tarEntry("short", "gnu", { magic: "ustar  \0" }),
  tarEntry("link", "", { type: "2", size: 999 }),
  tarEntry("last", "y".repeat(512), { prefix: "in/a/prefix" }),
  tarEntry("empty"),
);
const OF_WHOLE = [
  { kind: "file", path: "a", body: "hello" },
  { kind: "directory", path: "directory", body: "" },
  { kind: "directory", path: "v7-directory/", body: "" },
  { kind: "file", path: LONG, body: "x".repeat(600) },
  { kind: "file", path: LONG, body: "gnu" },
  { kind: "file", path: "in/a/prefix/last", body: "y".repeat(512) },
  { kind: "file", path: "empty", body: "" },
];

describe("an archive", () => {
  test("in whatever pieces it comes gives the same entries", () => {
    expect(read(WHOLE)).toEqual(OF_WHOLE);
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 20 }), (cuts) => {
        expect(read(WHOLE, cuts)).toEqual(OF_WHOLE);
      }),
      { numRuns: 300 },
    );
    expect(
      read(
        WHOLE,
        Array.from({ length: WHOLE.length }, (_, at) => at),
      ),
    ).toEqual(OF_WHOLE);
  });

  test("that lacks its last byte, or any number of them inside an entry, is damaged", () => {
    const whole = tarOf(tarEntry("a", "hello"), paxHead({ path: "b" }), tarEntry("c", "b".repeat(513)));
    const boundaries = new Set([0, 1024, whole.length - 1024, whole.length - 512, whole.length]);
    for (let length = 0; length <= whole.length - 1024; length++) {
      const run = (): unknown => read(whole.subarray(0, length));
      if (boundaries.has(length)) run();
      else expect(run, `${length} bytes`).toThrow(/The archive is damaged: it ends in the middle/);
    }
  });

  test("without blocks of zeros behind it is whole; with anything else behind them it is not", () => {
    const entry = tarEntry("a", "a");
    expect(read(entry)).toEqual([{ kind: "file", path: "a", body: "a" }]);
    expect(read(Buffer.concat([tarOf(entry), Buffer.alloc(5000)]))).toHaveLength(1);
    expect(() => read(Buffer.concat([tarOf(entry), entry]))).toThrow(/behind its end/);
    expect(read(Buffer.alloc(0))).toEqual([]);
  });

  test("a flipped bit in a head is noticed", () => {
    const whole = tarOf(tarEntry("a", "hello"));
    for (let bit = 0; bit < 512 * 8; bit++) {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      // Of the sum itself some bits mean nothing: spaces and zeros around its digits.
      if (bit >> 3 >= 148 && bit >> 3 < 156) continue;
      expect(() => read(flipped), `bit ${bit}`).toThrow(/it is no tar/);
    }
  });

  test.each([
    ["a name that is no UTF-8", tarEntry(Buffer.from([0x66, 0xff])), /not UTF-8/],
    [
      "a pax name that is no UTF-8",
      tarEntry("p", Buffer.from("11 path=\xff\xfe\n", "latin1"), { type: "x" }),
      /not UTF-8/,
    ],
    ["records of a wrong length", tarEntry("p", "11 path=abc\n", { type: "x" }), /pax record/],
    ["records without an end", tarEntry("p", "999 path=abc\n", { type: "x" }), /pax record/],
    ["records without a name", tarEntry("p", "6 abc\n", { type: "x" }), /pax record/],
    [
      "records that are too long",
      tarEntry("p", "", { type: "x", size: 64 * 1024 + 1 }),
      /at most 65536 bytes/,
    ],
    ["a long name that is too long", tarEntry("p", "", { type: "L", size: 2 ** 30 }), /at most 65536 bytes/],
    ["a size that is no number", tarEntry("p", "", { patches: { 124: Buffer.from("0000000000x") } }), /size/],
    ["a negative size", tarEntry("p", "", { patches: { 124: Buffer.alloc(12, 0xff) } }), /size/],
    ["a pax size that is none", Buffer.concat([paxHead({ size: "-1" }), tarEntry("p")]), /size/],
    ["no tar", Buffer.alloc(512, "text"), /it is no tar/],
    ["a sparse file", tarEntry("p", "", { type: "S" }), /sparse/],
    ["a sparse file of pax", Buffer.concat([paxHead({ "GNU.sparse.major": "1" }), tarEntry("p")]), /sparse/],
  ])("with %s is refused", (_what, entries, message) => {
    expect(() => read(tarOf(entries))).toThrow(message);
  });

  test.each(["g", "x"])(
    "records that add up over heads of type %s are bounded, with or without entries",
    (type) => {
      const each = (at: number): Buffer => paxHead({ [`k${at}`]: "v".repeat(9000) }, type);
      const some = Array.from({ length: 7 }, (_, at) => each(at));
      const entry = tarEntry("a", "a");
      expect(read(tarOf(...some, entry))).toHaveLength(1);
      expect(() => read(tarOf(...some, each(7), entry))).toThrow(/at most 65536 bytes and 500 records/);
      // The same ones over and over are no more than they were.
      expect(read(tarOf(...some, ...some, entry))).toHaveLength(1);
      const between = some.flatMap((head) => [head, entry]);
      const all = (): unknown => read(tarOf(...between, each(7), entry));
      if (type === "g") expect(all).toThrow(/at most/);
      else expect(all()).toHaveLength(8);
    },
  );

  test("records without number are refused before they are all read, in one head or in many", () => {
    const head = (from: number, count: number, value: string): Buffer =>
      paxHead(Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${from + at}`, value])));
    expect(read(tarOf(head(0, 500, "v"), tarEntry("a")))).toHaveLength(1);
    expect(() => read(tarOf(head(0, 501, "v"), tarEntry("a")))).toThrow(/at most .* 500 records/);
    expect(() => read(tarOf(head(0, 501, ""), tarEntry("a")))).toThrow(/at most .* 500 records/);
    expect(() => read(tarOf(head(0, 499, "v"), head(499, 2, "v"), tarEntry("a")))).toThrow(/500 records/);
    const refusal = expect.objectContaining({ code: "MetadataTooLarge", status: 400 });
    expect(() => read(head(0, 501, "v"))).toThrow(refusal);
  });

  test("a size beyond eight octal digits is read, and one that pax corrects", () => {
    const binary = Buffer.alloc(12);
    binary[0] = 0x80;
    binary.writeUInt32BE(3, 8);
    expect(read(tarOf(tarEntry("a", "abc", { patches: { 124: binary } })))).toEqual([
      { kind: "file", path: "a", body: "abc" },
    ]);
    expect(read(tarOf(paxHead({ path: "all" }, "g"), paxHead({ path: "" }), tarEntry("own", "1")))).toEqual([
      { kind: "file", path: "own", body: "1" },
    ]);
  });

  const isHere = String(spawnSync("tar", ["--version"]).stdout).includes("GNU tar");
  test.runIf(isHere)("of GNU tar, in each of its formats, is read as it was written", async () => {
    await using directory = await temporaryDirectory();
    const long = `sub/${"n".repeat(90)}/${"ü".repeat(60)}`;
    mkdirSync(join(directory.path, "in", long), { recursive: true });
    writeFileSync(join(directory.path, "in/a"), "a");
    writeFileSync(join(directory.path, "in", long, "file"), "x".repeat(70_000));
    for (const format of ["gnu", "oldgnu", "pax", "posix"]) {
      const archive = execFileSync("tar", [
        `--format=${format}`,
        "-C",
        join(directory.path, "in"),
        "-c",
        ".",
      ]);
      const files = read(archive).filter(({ kind }) => kind === "file");
      const sizes = files.map(({ path, body }) => [path, body.length]);
      expect(Object.fromEntries(sizes)).toEqual({ "./a": 1, [`./${long}/file`]: 70_000 });
    }
  });
});
