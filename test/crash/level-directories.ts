/**
 * Cut LevelDB directories: the index of a real data directory is truncated, holed, mixed up or taken away,
 * and the node must come up with everything all the same: from what is left, or from the log.
 */
import { cp, open, readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { SimRandom } from "../sim/sim-random.ts";
import { fillDirectory, judge, scratchDirectory } from "./real-directory.ts";

export type LevelDirectoryCounts = {
  tried: number;
  intact: number;
  rebuilt: number;
  readonly byCut: Record<string, number>;
  readonly failures: {
    readonly directory: string;
    readonly cut: string;
    readonly wrong: readonly string[];
  }[];
};

const CUTS_PER_DIRECTORY = 40;
const PAGE_BYTES = 4096;

export async function runCutLevelDirectories(options: {
  readonly seed: number | string;
  readonly count: number;
  readonly onProgress?: (counts: LevelDirectoryCounts) => void;
}): Promise<LevelDirectoryCounts> {
  const counts: LevelDirectoryCounts = { tried: 0, intact: 0, rebuilt: 0, byCut: {}, failures: [] };
  await using scratch = await scratchDirectory();
  for (let directory = 0; counts.tried < options.count; directory++) {
    const seed = `${options.seed}.${directory}`;
    const filled = await fillDirectory(`${scratch.path}/filled`, seed);
    for (let at = 0; at < CUTS_PER_DIRECTORY && counts.tried < options.count; at++) {
      const copy = `${scratch.path}/copy`;
      await cp(filled.path, copy, { recursive: true });
      const cut = await cutIndex(`${copy}/index`, new SimRandom(`cut ${seed} ${at}`));
      const { outcome, named, wrong } = await judge(filled, copy);
      counts.tried++;
      counts.byCut[cut.kind] = (counts.byCut[cut.kind] ?? 0) + 1;
      if (outcome === "intact" || outcome === "rebuilt") counts[outcome]++;
      const all = outcome === "refused" || outcome === "damaged" ? [...wrong, `${outcome}: ${named}`] : wrong;
      if (all.length > 0) counts.failures.push({ directory: seed, cut: `${at}: ${cut.text}`, wrong: all });
      await rm(copy, { recursive: true });
    }
    await rm(filled.path, { recursive: true });
    options.onProgress?.(counts);
  }
  return counts;
}

type Cut = { readonly kind: string; readonly text: string };

async function cutIndex(index: string, random: SimRandom): Promise<Cut> {
  const names = (await readdir(index)).filter((name) => name !== "LOCK").toSorted();
  const name = random.pick(names);
  const path = `${index}/${name}`;
  const { size } = await stat(path);
  const draw = random.below(100);
  if (draw < 35) {
    const length = random.below(size + 1);
    await truncate(path, length);
    return { kind: "truncated", text: `${name} cut from ${size} to ${length} bytes` };
  }
  if (draw < 55) {
    await rm(path);
    return { kind: "removed", text: `${name} removed` };
  }
  if (draw < 80 && size > 0) {
    const at = Math.floor(random.below(size) / PAGE_BYTES) * PAGE_BYTES;
    const count = Math.min(PAGE_BYTES, size - at);
    await overwrite(path, at, Buffer.alloc(count));
    return { kind: "lost page", text: `${count} bytes of ${name} at ${at} zeroed` };
  }
  if (draw < 88) {
    const text = random.pick([
      "",
      "MANIFEST-000001\n",
      "MANIFEST-999999\n",
      "MANIFEST",
      "\0\0\0\0",
      "CURRENT\n",
    ]);
    await writeFile(`${index}/CURRENT`, text);
    return { kind: "wrong CURRENT", text: `CURRENT says ${JSON.stringify(text)}` };
  }
  if (draw < 93) {
    // Of one kind: a log that is a sound manifest is no accident of a disk (and LevelDB aborts over it).
    const other = random.pick(names.filter((candidate) => extname(candidate) === extname(name)));
    await writeFile(path, await readFile(`${index}/${other}`));
    return { kind: "mixed up", text: `${name} has the bytes of ${other}` };
  }
  const kept = names.filter(() => random.chance(0.5));
  for (const gone of names) if (!kept.includes(gone)) await rm(`${index}/${gone}`);
  return { kind: "half gone", text: `only ${kept.join(", ")} are left` };
}

async function overwrite(path: string, at: number, bytes: Buffer): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.write(bytes, 0, bytes.length, at);
  } finally {
    await file.close();
  }
}
