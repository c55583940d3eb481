/**
 * Single flipped bits, anywhere in a data directory. Each must be harmless, mended (an index made anew, a
 * footer written again), or named: at the start, at the read of what it hit, and by `verify`. Never a lost
 * write without a word, never a wrong byte, never an older vote; and always read-only with `--salvage`, which
 * changes nothing.
 */
import { cp, open, readdir, rm, stat } from "node:fs/promises";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { RefusedError } from "../../src/base/errors.ts";
import { readTrailer, TRAILER_BYTES } from "../../src/segment/footer.ts";
import { SEGMENT_HEAD_BYTES } from "../../src/segment/segment-head.ts";
import { readManifest } from "../../src/store/level-manifest.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { verifyDirectory } from "../support/verify-directory.ts";
import { judgeSalvage } from "./judge-salvage.ts";
import { fillDirectory, judge, scratchDirectory } from "./real-directory.ts";
import type { Judgement } from "./real-directory.ts";

export type BitFlipCounts = {
  tried: number;
  /** By place, then by outcome. */
  readonly table: Record<string, Partial<Record<Judgement["outcome"], number>>>;
  readonly failures: {
    readonly directory: string;
    readonly flip: string;
    readonly wrong: readonly string[];
  }[];
};

const FLIPS_PER_DIRECTORY = 100;

export async function runBitFlips(options: {
  readonly seed: number | string;
  readonly count: number;
  readonly onProgress?: (counts: BitFlipCounts) => void;
}): Promise<BitFlipCounts> {
  const counts: BitFlipCounts = { tried: 0, table: {}, failures: [] };
  await using scratch = await scratchDirectory();
  for (let directory = 0; counts.tried < options.count; directory++) {
    const seed = `${options.seed}.${directory}`;
    const filled = await fillDirectory(`${scratch.path}/filled`, seed);
    const places = await placesIn(filled.path);
    for (let at = 0; at < FLIPS_PER_DIRECTORY && counts.tried < options.count; at++) {
      const copy = `${scratch.path}/copy`;
      await cp(filled.path, copy, { recursive: true });
      const flip = await flipBit(copy, places, new SimRandom(`flip ${seed} ${at}`));
      const read = await judgeSalvage(filled, copy);
      const sound = await verifies(copy);
      const { outcome, named, wrong } = await judge(filled, copy);
      counts.tried++;
      const row = (counts.table[flip.place] ??= {});
      row[outcome] = (row[outcome] ?? 0) + 1;
      const silent = sound && mustBeNamed(flip.place) ? ["verify found nothing"] : [];
      const nameless = outcome !== "intact" && named === "" ? ["the damage has no name"] : [];
      // Whoever is refused must learn how to get at the rest, and whoever is not has lost nothing.
      const refused = outcome === "refused" && read.outcome !== "refused";
      const helpless = refused && !named.includes("--salvage") ? [`no way out of: ${named}`] : [];
      const lost = outcome !== "refused" && read.outcome !== "all" ? [`--salvage: ${read.outcome}`] : [];
      const all = [...wrong, ...read.wrong, ...silent, ...nameless, ...helpless, ...lost];
      if (all.length > 0) counts.failures.push({ directory: seed, flip: `${at}: ${flip.text}`, wrong: all });
      await rm(copy, { recursive: true });
    }
    await rm(filled.path, { recursive: true });
    options.onProgress?.(counts);
  }
  return counts;
}

/** A markdown table of the outcomes. */
export function flipTable({ table }: BitFlipCounts): string {
  const outcomes = ["intact", "rebuilt", "damaged", "refused"] as const;
  const rows = Object.entries(table)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([place, row]) => `| ${place} | ${outcomes.map((outcome) => row[outcome] ?? 0).join(" | ")} |`);
  return [
    "| flipped in | harmless or mended | index made anew | named at read | refused to start |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/**
 * Where every byte stands under a checksum that `verify` reads. Other places hold padding, a second slot, or
 * what LevelDB drops without a word and the log has again; the next start makes a footer again.
 */
function mustBeNamed(place: string): boolean {
  const footer = place === "sealed segment, its trailer" || place === "sealed segment, its offset table";
  const segment = place.includes("segment") && !footer;
  return segment || place === "index, a table" || place === "node.json";
}

/** Whether `verify` finds everything in order. */
async function verifies(directory: string): Promise<boolean> {
  try {
    const { ok } = await verifyDirectory(directory);
    return ok;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}

/** A run of bytes of one kind. */
type Place = {
  readonly kind: string;
  readonly path: string;
  readonly start: number;
  readonly end: number;
};

async function placesIn(directory: string): Promise<readonly Place[]> {
  const places: Place[] = [];
  const manifest = await readManifest(new NodeDisk(), `${directory}/index`);
  for (const name of await readdir(directory, { recursive: true })) {
    const status = await stat(`${directory}/${name}`);
    if (!status.isFile() || status.size === 0 || name === "reserve") continue;
    if (name.startsWith("log/")) places.push(...(await placesInSegment(directory, name, status.size)));
    else if (name.endsWith(".ldb") && manifest?.tables.has(Number.parseInt(name.slice(6), 10)) === true) {
      places.push(...placesInTable(name, status.size));
    } else places.push({ kind: kindOf(name), path: name, start: 0, end: status.size });
    // Most of these two files is padding: the slots get their share.
    if (name === "vote" || name === "acked") {
      places.push({ kind: `${name}, a slot`, path: name, start: 0, end: 40 });
      places.push({ kind: `${name}, a slot`, path: name, start: 4096, end: 4136 });
    }
  }
  return places;
}

/** Its footer is half padding. */
function placesInTable(path: string, size: number): readonly Place[] {
  return [
    { kind: "index, a table", path, start: 0, end: size - 48 },
    { kind: "index, a table's footer", path, start: size - 48, end: size },
  ];
}

function kindOf(name: string): string {
  if (/index\/\d+\.log$/.test(name)) return "index, its log";
  if (name.startsWith("index/MANIFEST")) return "index, the manifest";
  if (name.startsWith("lock/")) return "lock";
  // A compaction has merged it, and nobody has removed it yet.
  if (name.endsWith(".ldb")) return "index, a table that is left over";
  return name.startsWith("index/") ? `index, ${name.slice("index/".length)}` : name;
}

async function placesInSegment(directory: string, path: string, size: number): Promise<readonly Place[]> {
  const file = await open(`${directory}/${path}`, "r");
  try {
    const tail = Buffer.alloc(TRAILER_BYTES);
    await file.read(tail, 0, TRAILER_BYTES, Math.max(0, size - TRAILER_BYTES));
    const trailer = readTrailer(tail);
    const state = trailer === undefined ? "open segment" : "sealed segment";
    const end = trailer === undefined ? size : size - TRAILER_BYTES - trailer.tableBytes;
    const places = [
      { kind: `${state}, its head`, path, start: 0, end: SEGMENT_HEAD_BYTES },
      {
        kind: `${state}, the first record's header`,
        path,
        start: SEGMENT_HEAD_BYTES,
        end: SEGMENT_HEAD_BYTES + 40,
      },
      { kind: `${state}, records`, path, start: SEGMENT_HEAD_BYTES, end },
    ];
    if (trailer === undefined) return places;
    return [
      ...places,
      { kind: "sealed segment, its offset table", path, start: end, end: size - TRAILER_BYTES },
      { kind: "sealed segment, its trailer", path, start: size - TRAILER_BYTES, end: size },
    ];
  } finally {
    await file.close();
  }
}

type Flip = { readonly place: string; readonly text: string };

async function flipBit(directory: string, places: readonly Place[], random: SimRandom): Promise<Flip> {
  // Each kind of place as often as every other, however many bytes it has.
  const kinds = [...new Set(places.map(({ kind }) => kind))].toSorted();
  const kind = random.pick(kinds);
  const place = random.pick(places.filter((candidate) => candidate.kind === kind));
  const at = random.between(place.start, place.end);
  const bit = random.below(8);
  const file = await open(`${directory}/${place.path}`, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] as number) ^ (1 << bit);
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
  return { place: kind, text: `bit ${bit} of byte ${at} of ${place.path}` };
}
