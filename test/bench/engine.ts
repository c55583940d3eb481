/**
 * The engine in-process, through the functions that the HTTP edge calls: 10,000 operations of 100 B per
 * round; the first round is shown, then come warm-up rounds, then the median of five. Every write is durable
 * unless the row says not.
 */
import { hash } from "node:crypto";
import { openSync, writeSync, fsyncSync, closeSync } from "node:fs";
import { join } from "node:path";
import type { PutObjectInput } from "../../src/service/api.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";
import { median, perSecond, row } from "./measure.ts";
import type { BenchRow } from "./measure.ts";

const OPERATIONS = 10_000;
const BATCH = 1000;
const ROUNDS = 5;
/** Between the first round and the measured ones: V8 compiles what runs often. */
const WARM_UP_ROUNDS = 30;
const NONE = { kind: "none" } as const;
const ATTRIBUTES: PutObjectInput["attributes"] = {
  headers: [["content-type", "application/octet-stream"]],
  metadata: [],
  checksum: undefined,
};

const objectKeys = Array.from({ length: OPERATIONS }, (_, at) => `obj/${String(at).padStart(8, "0")}`);
const paths = objectKeys.map((key) => `bench/${key}`);

/** The digest is made outside the timed part: over HTTP the edge makes it while the body arrives. */
function input(key: string, bytes: Buffer): PutObjectInput {
  return {
    bucket: "bench",
    key,
    etag: hash("md5", bytes),
    attributes: ATTRIBUTES,
    body: { kind: "bytes", bytes },
    condition: NONE,
  };
}

function batches(bytes: Buffer): readonly (readonly PutObjectInput[])[] {
  const all: PutObjectInput[][] = [];
  for (let at = 0; at < OPERATIONS; at += BATCH) {
    all.push(objectKeys.slice(at, at + BATCH).map((key) => input(key, bytes)));
  }
  return all;
}

async function timed(work: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

type Rounds = { readonly first: number; readonly median: number };

async function rounds(
  count: number,
  work: () => Promise<void> | void,
  between?: () => Promise<void> | void,
): Promise<Rounds> {
  const rates: number[] = [];
  for (let round = 0; round < 1 + WARM_UP_ROUNDS + ROUNDS; round++) {
    await between?.();
    rates.push(count / (await timed(work)));
  }
  return { first: rates[0] as number, median: median(rates.slice(-ROUNDS)) };
}

function rateRow(name: string, figures: Rounds, target: number, firstTarget?: number): BenchRow {
  const met = figures.median >= target && (firstTarget === undefined || figures.first >= firstTarget);
  return row(name, {
    ours: `${perSecond(figures.median)} (first ${perSecond(figures.first)})`,
    target: `≥ ${perSecond(target)}${firstTarget === undefined ? "" : `, first ≥ ${perSecond(firstTarget)}`}`,
    met,
  });
}

function costRow(name: string, figures: Rounds, targetUs: number): BenchRow {
  const us = 1e6 / figures.median;
  return row(name, {
    ours: `${us.toFixed(2)} µs (first ${(1e6 / figures.first).toFixed(2)})`,
    target: `≤ ${targetUs} µs`,
    met: us <= targetUs,
  });
}

export async function benchEngine(): Promise<readonly BenchRow[]> {
  await using directory = await temporaryDirectory();
  await using store = await openStore(directory.path, { cacheBytesMax: 256 * 1024 * 1024 });
  await store.service.buckets.create({ name: "bench", owner: "root", location: "" });
  const small = Buffer.alloc(100, 7);
  return [
    await burst(store, small),
    await durable(store, small, directory.path),
    await hit(store),
    await missOverlay(store, small),
    await missStored(store, small, "inline in LevelDB", 4),
    await missStored(store, Buffer.alloc(4096, 7), "4 KiB log record", 5.5),
    await putsThenGets(store, small),
    await interleaved(store, small),
  ];
}

async function burst(store: OpenStore, bytes: Buffer): Promise<BenchRow> {
  const { objects } = store.service;
  const inputs = batches(bytes);
  const figures = await rounds(OPERATIONS, async () => {
    await Promise.all(inputs.map((batch) => objects.putMany(batch)));
  });
  return rateRow("PUT 100 B, ten batches of 1,000 at once", figures, 800_000);
}

async function durable(store: OpenStore, bytes: Buffer, directory: string): Promise<BenchRow> {
  const { objects } = store.service;
  const inputs = batches(bytes);
  const figures = await rounds(OPERATIONS, async () => {
    for (const batch of inputs) await objects.putMany(batch);
  });
  const control = appendAndSync(join(directory, "control"), BATCH * bytes.length);
  return {
    ...rateRow("PUT 100 B, durable batches of 1,000", figures, 250_000),
    control: `${perSecond(control * BATCH)} append+sync`,
    ratio: (figures.median / (control * BATCH)).toFixed(2),
  };
}

/** The raw loop: one write and one sync of the same bytes, how many per second. */
function appendAndSync(path: string, bytes: number): number {
  const file = openSync(path, "w");
  const batch = Buffer.alloc(bytes, 1);
  const count = 50;
  const start = performance.now();
  for (let at = 0; at < count; at++) {
    writeSync(file, batch);
    fsyncSync(file);
  }
  const seconds = (performance.now() - start) / 1000;
  closeSync(file);
  return count / seconds;
}

/** Reads every path; a read that had to go through a thread (a slow machine) is waited for. */
async function readAll(store: OpenStore): Promise<void> {
  const { objects } = store.service;
  const late: Promise<unknown>[] = [];
  let bytes = 0;
  for (const path of paths) {
    const found = objects.find(path);
    if (found instanceof Promise) late.push(found);
    else bytes += found?.bytes?.length ?? 0;
  }
  if (bytes === 0 && late.length === 0) throw new Error("nothing was read");
  if (late.length > 0) await Promise.all(late);
}

async function hit(store: OpenStore): Promise<BenchRow> {
  const figures = await rounds(OPERATIONS, () => readAll(store));
  return rateRow("GET hit", figures, 6_000_000, 1_900_000);
}

async function missOverlay(store: OpenStore, bytes: Buffer): Promise<BenchRow> {
  const { objects } = store.service;
  const figures = await rounds(
    OPERATIONS,
    () => readAll(store),
    async () => {
      await Promise.all(batches(bytes).map((batch) => objects.putMany(batch)));
      store.node.cache.clear();
    },
  );
  return costRow("GET miss, row in the overlay", figures, 1);
}

async function missStored(
  store: OpenStore,
  bytes: Buffer,
  what: string,
  targetUs: number,
): Promise<BenchRow> {
  const { objects } = store.service;
  for (const batch of batches(bytes)) await objects.putMany(batch);
  await store.node.index.flushedThrough(store.node.index.appliedIndex);
  // Opens the segment files once: a first miss on each of them goes through a thread.
  for (const path of paths) await objects.find(path);
  store.node.cache.clear();
  for (const path of paths) await objects.find(path);
  const figures = await rounds(
    OPERATIONS,
    () => readAll(store),
    () => store.node.cache.clear(),
  );
  return costRow(`GET miss, ${what}`, figures, targetUs);
}

async function putsThenGets(store: OpenStore, bytes: Buffer): Promise<BenchRow> {
  const { objects } = store.service;
  const half = OPERATIONS / 2;
  const inputs = batches(bytes).slice(0, half / BATCH);
  const figures = await rounds(OPERATIONS, async () => {
    await Promise.all(inputs.map((batch) => objects.putMany(batch)));
    for (let at = 0; at < half; at++) void objects.find(paths[at] as string);
  });
  return rateRow("5,000 puts then 5,000 gets", figures, 900_000);
}

async function interleaved(store: OpenStore, bytes: Buffer): Promise<BenchRow> {
  const { objects } = store.service;
  const half = OPERATIONS / 2;
  const slice = 500;
  const inputs = objectKeys.slice(0, half).map((key) => input(key, bytes));
  const figures = await rounds(OPERATIONS, async () => {
    const work: Promise<unknown>[] = [];
    for (let at = 0; at < half; at += slice) {
      work.push(objects.putMany(inputs.slice(at, at + slice)));
      for (let read = at; read < at + slice; read++) void objects.find(paths[half + read] as string);
    }
    await Promise.all(work);
  });
  return rateRow("5,000 puts and 5,000 gets interleaved", figures, 700_000);
}

/** A minute of batches, each awaited four deep, with the index flushed at the end. */
export async function benchSustained(): Promise<readonly BenchRow[]> {
  await using directory = await temporaryDirectory();
  await using store = await openStore(directory.path);
  const { objects, buckets } = store.service;
  await buckets.create({ name: "bench", owner: "root", location: "" });
  const bytes = Buffer.alloc(100, 7);
  const seconds = Number(process.env["BENCH_SECONDS"] ?? 60);
  const end = performance.now() + seconds * 1000;
  const start = performance.now();
  let count = 0;
  const inputs = batches(bytes);
  const under: Promise<unknown>[] = [];
  while (performance.now() < end) {
    for (const batch of inputs) {
      under.push(objects.putMany(batch));
      count += batch.length;
      if (under.length < 4) continue;
      await under.shift();
    }
  }
  await Promise.all(under);
  await store.node.index.flushedThrough(store.node.index.appliedIndex);
  const rate = count / ((performance.now() - start) / 1000);
  const figures = { first: rate, median: rate };
  return [rateRow(`PUT 100 B, sustained ${seconds} s, index flushed`, figures, 150_000)];
}
