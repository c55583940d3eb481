/**
 * kill -9 of the real process under load, again and again in one directory: what was answered with 200 or 204
 * is there after the next start, with the right bytes; of what was under way, the old or the new.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SimRandom } from "../sim/sim-random.ts";
import { Histories } from "./object-model.ts";
import { md5 } from "./recorded-client.ts";
import { scratchDirectory } from "./real-directory.ts";
import { ServerProcess } from "./server-process.ts";

export type KillCounts = {
  rounds: number;
  /** Writes that were answered, and those that the kill cut off. */
  acknowledged: number;
  cutOff: number;
  /** Objects that were read back and compared. */
  compared: number;
  slowestStartMs: number;
  readonly wrong: string[];
};

type State = { readonly etag: string; readonly bytes: Buffer };
type World = {
  readonly objects: Histories<string, State>;
  /** Stands for time: goes up with each request and each answer. */
  now: number;
};

const BUCKET = "killed";
const CLIENTS = 16;
const KEYS_PER_CLIENT = 12;

export async function runKillNine(options: {
  readonly seed: number | string;
  readonly rounds: number;
  readonly onProgress?: (counts: KillCounts) => void;
}): Promise<KillCounts> {
  const counts: KillCounts = {
    rounds: 0,
    acknowledged: 0,
    cutOff: 0,
    compared: 0,
    slowestStartMs: 0,
    wrong: [],
  };
  const world: World = { objects: new Histories(), now: 0 };
  await using scratch = await scratchDirectory();
  const random = new SimRandom(`kill ${options.seed}`);
  for (; counts.rounds < options.rounds; counts.rounds++) {
    if (counts.rounds > 0 && random.chance(0.3)) await killWhileStarting(scratch.path, random);
    const startedMs = performance.now();
    await using server = await ServerProcess.spawn(`${scratch.path}/data`);
    await server.ready();
    counts.slowestStartMs = Math.max(counts.slowestStartMs, Math.round(performance.now() - startedMs));
    if (counts.rounds === 0) await server.send("PUT", `/${BUCKET}`);
    await compareAll(server, world, counts);
    await loadAndKill(server, world, counts, random.fork(`round ${counts.rounds}`));
    options.onProgress?.(counts);
  }
  await using server = await ServerProcess.spawn(`${scratch.path}/data`);
  await server.ready();
  await compareAll(server, world, counts);
  await server.end("SIGTERM");
  return counts;
}

async function killWhileStarting(directory: string, random: SimRandom): Promise<void> {
  const server = await ServerProcess.spawn(`${directory}/data`);
  await sleep(random.between(50, 900));
  await server.end("SIGKILL");
}

async function loadAndKill(
  server: ServerProcess,
  world: World,
  counts: KillCounts,
  random: SimRandom,
): Promise<void> {
  const stop = { dead: false };
  const clients = Array.from({ length: CLIENTS }, (_, id) =>
    runClient(server, { id, world, counts, stop, random: random.fork(`client ${id}`) }),
  );
  await sleep(random.between(150, 900));
  stop.dead = true;
  await server.end("SIGKILL");
  await Promise.all(clients);
}

type Client = {
  readonly id: number;
  readonly world: World;
  readonly counts: KillCounts;
  readonly stop: { readonly dead: boolean };
  readonly random: SimRandom;
};

async function runClient(server: ServerProcess, client: Client): Promise<void> {
  const { id, world, counts, stop, random } = client;
  while (!stop.dead) {
    const key = `client ${id}/key ${random.below(KEYS_PER_CLIENT)}`;
    const history = world.objects.of(key);
    const remove = random.chance(0.2);
    const size = random.pick([10, 300, 5000, 40_000, 200_000]) + random.below(1000);
    const bytes = remove ? Buffer.alloc(0) : random.bytes(size);
    const change = history.begin(world.now++, remove ? undefined : { etag: md5(bytes), bytes });
    try {
      const { status } = await server.sendKey(remove ? "DELETE" : "PUT", BUCKET, key, bytes);
      if (status === 200 || status === 204) {
        change.acknowledged = world.now++;
        counts.acknowledged++;
      } else if (!stop.dead) {
        counts.wrong.push(`${remove ? "DELETE" : "PUT"} ${key} was answered with ${status}`);
      }
    } catch (error) {
      // The connection went with the process: nobody knows what became of this one, so its key rests.
      if (!stop.dead) counts.wrong.push(`the server went away by itself: ${String(error)}`);
      counts.cutOff++;
      return;
    }
  }
}

async function compareAll(server: ServerProcess, world: World, counts: KillCounts): Promise<void> {
  for (const [key, history] of world.objects.all) {
    const { status, body } = await server.sendKey("GET", BUCKET, key);
    const allowed = history.allowedAt(world.now);
    const seen =
      status === 404
        ? undefined
        : allowed.find(
            (state) => state !== undefined && state.etag === md5(body) && state.bytes.equals(body),
          );
    const fits = status === 404 ? allowed.includes(undefined) : status === 200 && seen !== undefined;
    if (!fits)
      counts.wrong.push(`round ${counts.rounds}: GET ${key} answers ${status}, ${body.length} bytes`);
    history.observed(world.now++, seen);
    counts.compared++;
  }
}
