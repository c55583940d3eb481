/**
 * What every cold store promises, as a suite over a factory. Durability after a crash is not part of it: that
 * is the bucket's own promise, and the folder's is tested where its syncs are seen.
 */
import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ColdMissingError, isColdError } from "../../src/ports/cold-store.ts";
import type { ColdEntry, ColdKind, ColdPut, ColdStore } from "../../src/ports/cold-store.ts";
import { SimRandom } from "../sim/sim-random.ts";

/** A store that is empty and belongs to one test, and a directory for files that are put into it. */
export type ColdWorld = AsyncDisposable & { readonly store: ColdStore; readonly directory: string };
type Factory = () => Promise<ColdWorld>;

const MIB = 1024 * 1024;
const segment: ColdPut = { kind: "segment" };

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const someBytes = (count: number, seed = "bytes"): Buffer => new SimRandom(seed).bytes(count);

async function allOf(entries: AsyncIterable<ColdEntry>): Promise<readonly ColdEntry[]> {
  const all: ColdEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

async function keysOf(entries: AsyncIterable<ColdEntry>): Promise<readonly string[]> {
  return (await allOf(entries)).map(({ key }) => key);
}

/** The code of the port's error, or whatever else was thrown. */
async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return isColdError(error) ? error.code : error;
  }
  return undefined;
}

/** Pieces of sizes that fit nothing. */
async function* piecesOf(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  await Promise.resolve();
}

/** Gives some bytes and then nothing more, ever. */
async function* stuck(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
  await new Promise(() => undefined);
}

function puts(open: Factory): void {
  test.each([0, 1, 256 * 1024, 3 * MIB + 17])("%d bytes come back whole and by ranges", async (count) => {
    await using world = await open();
    const { store } = world;
    const bytes = someBytes(count);
    const stored = await store.put("a/segments/1-9.seg", bytes, segment);
    expect(stored).toEqual({ bytes: count, sha256: sha256Of(bytes) });
    const back = await store.get("a/segments/1-9.seg", { sha256: stored.sha256 });
    expect(bytes.equals(back)).toBe(true);
    for (const [start, end] of [
      [0, count],
      [count - 1, count],
      [Math.floor(count / 3), Math.floor(count / 2)],
    ] as const) {
      if (start < 0 || start >= end) continue;
      const part = await store.get("a/segments/1-9.seg", { range: { start, end } });
      expect(bytes.subarray(start, end).equals(part)).toBe(true);
    }
  });

  test("pieces become one object, whatever kind it is", async () => {
    await using world = await open();
    const kinds: readonly ColdKind[] = ["segment", "packed", "snapshot", "tail", "manifest"];
    for (const kind of kinds) {
      const parts = [Buffer.from("first, "), new Uint8Array(0), new Uint8Array(Buffer.from("second"))];
      const stored = await world.store.put(`kinds/${kind}`, parts, { kind });
      expect(stored.bytes).toBe(13);
      expect(Buffer.from(await world.store.get(`kinds/${kind}`)).toString()).toBe("first, second");
    }
  });

  test("a put replaces what had the key", async () => {
    await using world = await open();
    await world.store.put("key", someBytes(500), segment);
    const before = await world.store.head("key");
    await world.store.put("key", Buffer.from("later"), segment);
    expect(Buffer.from(await world.store.get("key")).toString()).toBe("later");
    expect((await world.store.head("key"))?.etag).not.toBe(before?.etag);
    expect(await keysOf(world.store.list(""))).toEqual(["key"]);
  });

  test("of several puts of one key at a time one is there, whole", async () => {
    await using world = await open();
    const bodies = Array.from({ length: 8 }, (_, at) => someBytes(100_000 + at, `body ${at}`));
    await Promise.all(bodies.map((body) => world.store.put("contended", body, segment)));
    const back = Buffer.from(await world.store.get("contended"));
    expect(bodies.some((body) => body.equals(back))).toBe(true);
  });
}

function refusedPuts(open: Factory): void {
  test("bytes that have not the digest they are said to have are damage, and are not stored", async () => {
    await using world = await open();
    const { store } = world;
    const bytes = someBytes(1000);
    await store.put("key", bytes, { ...segment, sha256: sha256Of(bytes) });
    const put = { ...segment, sha256: sha256Of(Buffer.from("other")) };
    await writeFile(`${world.directory}/file`, "file");
    expect(await codeOf(store.put("key", Buffer.from("bytes"), put))).toBe("COLD_DAMAGED");
    expect(await codeOf(store.putFile("key", `${world.directory}/file`, put))).toBe("COLD_DAMAGED");
    const stream = piecesOf(Buffer.from("stream"), 2);
    expect(await codeOf(store.putStream("key", stream, put))).toBe("COLD_DAMAGED");
    expect(bytes.equals(await store.get("key"))).toBe(true);
  });

  test("names that could mean something else somewhere are refused, before anything is asked", async () => {
    await using world = await open();
    const { store } = world;
    const names = ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", ".a", "a/.b", "ü", "a b", "a\\b", "a\0b"];
    for (const name of [...names, "a".repeat(201), "a/".repeat(450) + "a"]) {
      expect(await codeOf(store.put(name, Buffer.from("x"), segment)), name).toBe("COLD_REFUSED");
      expect(await codeOf(store.get(name)), name).toBe("COLD_REFUSED");
      expect(await codeOf(store.head(name)), name).toBe("COLD_REFUSED");
      expect(await codeOf(store.delete(["good", name])), name).toBe("COLD_REFUSED");
    }
    expect(await keysOf(store.list(""))).toEqual([]);
  });
}

function files(open: Factory): void {
  test.each([0, 5 * MIB + 3])("a file of %d bytes is stored, and stays when the file goes", async (count) => {
    await using world = await open();
    const { store, directory } = world;
    const bytes = someBytes(count);
    await writeFile(`${directory}/1.seg`, bytes);
    for (let time = 0; time < 2; time++) {
      const stored = await store.putFile("segments/1.seg", `${directory}/1.seg`, segment);
      expect(stored).toEqual({ bytes: count, sha256: sha256Of(bytes) });
    }
    await rm(`${directory}/1.seg`);
    expect(bytes.equals(await store.get("segments/1.seg"))).toBe(true);
    expect(await keysOf(store.list(""))).toEqual(["segments/1.seg"]);
  });

  test("a file that is not there is the disk's error, not the cold tier's", async () => {
    await using world = await open();
    const error = await codeOf(world.store.putFile("key", `${world.directory}/absent`, segment));
    expect(error).toMatchObject({ code: "ENOENT" });
    expect(await world.store.head("key")).toBeUndefined();
  });
}

function streams(open: Factory): void {
  test.each([0, 100_000, 70 * MIB])("a stream of %d bytes becomes one object", async (count) => {
    await using world = await open();
    const bytes = someBytes(Math.min(count, MIB));
    const whole = Buffer.alloc(count);
    for (let at = 0; at < count; at += bytes.length) bytes.copy(whole, at);
    const source = piecesOf(whole, 99_991);
    const stored = await world.store.putStream("snapshots/1", source, { kind: "snapshot" });
    expect(stored).toEqual({ bytes: count, sha256: sha256Of(whole) });
    expect((await world.store.head("snapshots/1"))?.bytes).toBe(count);
    const back = await world.store.get("snapshots/1", { sha256: stored.sha256 });
    expect(back.length).toBe(count);
  });

  test.each([1000, 40 * MIB])("a source that fails after %d bytes leaves no object", async (count) => {
    await using world = await open();
    const failure = new Error("the index is closed");
    async function* source(): AsyncIterable<Uint8Array> {
      yield* piecesOf(Buffer.alloc(count), MIB);
      throw failure;
    }
    expect(await codeOf(world.store.putStream("key", source(), segment))).toBe(failure);
    expect(await world.store.head("key")).toBeUndefined();
    expect(await keysOf(world.store.list(""))).toEqual([]);
  });
}

function reads(open: Factory): void {
  test("what is missing is told at once, and is not an object of no bytes", async () => {
    await using world = await open();
    const { store } = world;
    await store.put("a/b", Buffer.alloc(0), segment);
    const start = performance.now();
    for (const key of ["a/c", "a", "b", "a/b/c"]) {
      expect(await codeOf(store.get(key)), key).toBe("COLD_MISSING");
      expect(await codeOf(store.get(key, { range: { start: 0, end: 5 } })), key).toBe("COLD_MISSING");
      expect(await store.head(key), key).toBeUndefined();
    }
    // One retry with its pause for each would be beyond it on any machine that runs this.
    expect(performance.now() - start).toBeLessThan(4000);
    expect((await store.head("a/b"))?.bytes).toBe(0);
  });

  test("a range that the object does not have is damage, never fewer bytes", async () => {
    await using world = await open();
    await world.store.put("key", Buffer.from("0123456789"), segment);
    await world.store.put("empty", Buffer.alloc(0), segment);
    const read = (key: string, start: number, end: number): Promise<unknown> =>
      codeOf(world.store.get(key, { range: { start, end } }));
    expect(await read("key", 0, 10)).toBeUndefined();
    expect(await read("key", 5, 11)).toBe("COLD_DAMAGED");
    expect(await read("key", 10, 11)).toBe("COLD_DAMAGED");
    expect(await read("key", 500, 600)).toBe("COLD_DAMAGED");
    expect(await read("empty", 0, 1)).toBe("COLD_DAMAGED");
  });

  test("other bytes than those of the digest are damage, of the whole and of ranges", async () => {
    await using world = await open();
    await world.store.put("key", Buffer.from("0123456789"), segment);
    const range = { start: 2, end: 5 };
    const right = sha256Of(Buffer.from("234"));
    expect(Buffer.from(await world.store.get("key", { range, sha256: right })).toString()).toBe("234");
    expect(await codeOf(world.store.get("key", { sha256: right }))).toBe("COLD_DAMAGED");
    const other = { range: { start: 3, end: 6 }, sha256: right };
    expect(await codeOf(world.store.get("key", other))).toBe("COLD_DAMAGED");
  });

  test("the head tells length, digest where one was kept, and a time not before the put", async () => {
    await using world = await open();
    const bytes = someBytes(12_345);
    await writeFile(`${world.directory}/old`, bytes);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    // Buckets tell whole seconds.
    const before = Math.floor(Date.now() / 1000) * 1000;
    await world.store.putFile("key", `${world.directory}/old`, segment);
    const head = await world.store.head("key");
    expect(head?.bytes).toBe(12_345);
    expect([undefined, sha256Of(bytes)]).toContain(head?.sha256);
    expect(head?.modifiedMs).toBeGreaterThanOrEqual(before);
    expect(head?.modifiedMs).toBeLessThanOrEqual(Date.now() + 1000);
  });
}

function lists(open: Factory): void {
  test("keys are listed in the order of their bytes, slashes included, with sizes and times", async () => {
    await using world = await open();
    const keys = ["a-b", "a.b", "a/b", "a/b-c", "a/b.c/d", "a/c", "a0", "aB", "a_", "ab", "b/a/a/a"];
    for (const key of keys) await world.store.put(key, Buffer.from(key), segment);
    const found = await allOf(world.store.list(""));
    expect(found.map(({ key }) => key)).toEqual(keys);
    for (const { key, bytes, modifiedMs } of found) {
      expect(bytes).toBe(key.length);
      expect(Math.abs(modifiedMs - Date.now())).toBeLessThan(60_000);
    }
    expect(await keysOf(world.store.list("a/b"))).toEqual(["a/b", "a/b-c", "a/b.c/d"]);
    expect(await keysOf(world.store.list("a/"))).toEqual(["a/b", "a/b-c", "a/b.c/d", "a/c"]);
    expect(await keysOf(world.store.list("", { after: "a/b.c/d" }))).toEqual(keys.slice(5));
    expect(await keysOf(world.store.list("a", { after: "a/b" }))).toEqual(keys.slice(3, -1));
    expect(await keysOf(world.store.list("c"))).toEqual([]);
    expect(await keysOf(world.store.list("../"))).toEqual([]);
  });

  test("any keys, any prefix, any start: what a sorted list of them says", async () => {
    const part = fc.string({ unit: fc.constantFrom("a", "b", "-", "0"), minLength: 1, maxLength: 3 });
    // An end that directories do not have: no key is a folder of another one.
    const key = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => `${parts.join("/")}.x`);
    const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "/", "."), maxLength: 3 });
    await using world = await open();
    const { store } = world;
    const run = async (keys: readonly string[], prefix: string, after: string): Promise<void> => {
      await Promise.all(keys.map((name) => store.put(name, Buffer.from("x"), segment)));
      const expected = keys.filter((name) => name.startsWith(prefix) && name > after).toSorted();
      expect(await keysOf(store.list(prefix, { after }))).toEqual(expected);
      await store.delete(keys);
      expect(await keysOf(store.list(""))).toEqual([]);
    };
    const keys = fc.uniqueArray(key, { maxLength: 12 });
    await fc.assert(fc.asyncProperty(keys, text, fc.option(key, { nil: "" }), run), { numRuns: 40 });
  });

  test("more keys than fit on a page are all listed, and all deleted", async () => {
    await using world = await open();
    const keys = Array.from({ length: 1203 }, (_, at) => `many/${String(at).padStart(5, "0")}`);
    for (let at = 0; at < keys.length; at += 50) {
      const some = keys.slice(at, at + 50);
      await Promise.all(some.map((key) => world.store.put(key, Buffer.from(key), segment)));
    }
    expect(await keysOf(world.store.list("many/"))).toEqual(keys);
    expect(await keysOf(world.store.list("many/", { after: "many/00998" }))).toEqual(keys.slice(999));
    await world.store.delete([...keys.slice(3), "many/absent", "none/at/all"]);
    expect(await keysOf(world.store.list(""))).toEqual(keys.slice(0, 3));
  });

  test("who stops listing early leaves nothing behind", async () => {
    await using world = await open();
    for (const key of ["a", "b", "c"]) await world.store.put(key, Buffer.from(key), segment);
    for await (const { key } of world.store.list("")) if (key === "b") break;
    expect(await keysOf(world.store.list(""))).toEqual(["a", "b", "c"]);
  });
}

function ends(open: Factory): void {
  test("what the caller gives up rejects with the caller's reason, before and while it runs", async () => {
    await using world = await open();
    const { store } = world;
    await store.put("key", Buffer.from("x"), segment);
    const reason = new Error("no longer wanted");
    const call = { signal: AbortSignal.abort(reason) };
    const works = [
      store.put("other", Buffer.from("x"), { ...segment, ...call }),
      store.get("key", call),
      store.head("key", call),
      keysOf(store.list("", call)),
      store.delete(["key"], call),
    ];
    for (const code of await Promise.all(works.map(codeOf))) expect(code).toBe(reason);
    const later = new AbortController();
    const put = store.putStream("other", stuck(Buffer.alloc(MIB)), { ...segment, signal: later.signal });
    later.abort(reason);
    expect(await codeOf(put)).toBe(reason);
    expect(await keysOf(store.list(""))).toEqual(["key"]);
  });

  test("closing ends what is under way, twice is harmless, and afterwards nothing is done", async () => {
    await using world = await open();
    const { store } = world;
    await store.put("key", Buffer.from("x"), segment);
    const put = codeOf(store.putStream("other", stuck(Buffer.alloc(MIB)), segment));
    await Promise.all([store.close(), store.close()]);
    await store.close();
    expect(await put).toBe("COLD_UNAVAILABLE");
    const works = [
      store.check(),
      store.put("other", Buffer.from("x"), segment),
      store.get("key"),
      store.head("key"),
      keysOf(store.list("")),
      store.delete(["key"]),
    ];
    for (const code of await Promise.all(works.map(codeOf))) expect(code).toBe("COLD_UNAVAILABLE");
  });

  test("a place that is there passes its check, again and again", async () => {
    await using world = await open();
    await world.store.check();
    await world.store.put("key", Buffer.from("x"), segment);
    await world.store.check();
    await expect(world.store.get("absent")).rejects.toBeInstanceOf(ColdMissingError);
    expect(world.store.place).toMatch(/^(s3:\/\/|folder:|memory:)/);
  });
}

export function coldStoreContract(name: string, open: Factory): void {
  describe(`${name}: putting`, () => puts(open));
  describe(`${name}: refusing`, () => refusedPuts(open));
  describe(`${name}: files`, () => files(open));
  describe(`${name}: streams`, () => streams(open));
  describe(`${name}: reading`, () => reads(open));
  describe(`${name}: listing and deleting`, () => lists(open));
  describe(`${name}: ending`, () => ends(open));
}
