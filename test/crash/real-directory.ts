/**
 * Data directories on a real file system with a real LevelDB, filled by the workload's clients, and the
 * judgement of what a node makes of a copy that was damaged. Copies lie in memory where the system has such a
 * place: here it is the bytes that count, not the disk.
 */
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { DamageError, RefusedError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { OperationLog } from "../sim/disk-operation.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { openStore } from "../support/open-store.ts";
import { checkRows } from "./check-rows.ts";
import { compare } from "./compare.ts";
import { StoreModel } from "./object-model.ts";
import { RecordedClient } from "./recorded-client.ts";
import { WorkloadClient } from "./workload-client.ts";

/** Closed directory with what must be in it. */
export type FilledDirectory = {
  readonly path: string;
  readonly seed: string;
  readonly model: StoreModel;
  readonly segmentBytes: number;
  /** Of the last session: a vote must never be older. */
  readonly term: number;
};

export async function scratchDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const root = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const path = await mkdtemp(join(root, "thermocline-crash-"));
  // The clocks of a node do not keep a process alive.
  const alive = setInterval(() => undefined, 60_000);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      clearInterval(alive);
      await rm(path, { recursive: true, force: true });
    },
  };
}

const hastyClock: Clock = { ...systemClock, sleep: (ms) => systemClock.sleep(Math.min(ms, 2)) };
const CLIENTS = 3;
/** The mark is exact so long after the last acknowledgement. */
const MARK_MS = 40;

/** Fills `path` in some sessions; the last one is stopped, or its files are taken while it is open. */
export async function fillDirectory(path: string, seed: string): Promise<FilledDirectory> {
  const random = new SimRandom(`directory ${seed}`);
  const segmentBytes = random.pick([32, 128]) * 1024;
  const model = new StoreModel();
  const sessions = random.between(1, 6);
  const live = random.chance(0.4);
  let term = 0;
  for (let session = 0; session < sessions; session++) {
    const last = session === sessions - 1;
    const work = live && last ? `${path}.live` : path;
    if (work !== path && session > 0) await cp(path, work, { recursive: true });
    {
      await using store = await openStore(work, { segmentBytes });
      await runClients(store.service, model, random.fork(`${seed} ${session}`));
      ({ term } = store.service.status());
      if (work !== path) {
        await systemClock.sleep(MARK_MS);
        await rm(path, { recursive: true, force: true });
        await cp(work, path, { recursive: true });
      }
    }
    if (work !== path) await rm(work, { recursive: true });
  }
  return { path, seed, model, segmentBytes, term };
}

async function runClients(
  service: ConstructorParameters<typeof RecordedClient>[0],
  model: StoreModel,
  random: SimRandom,
): Promise<void> {
  const log = new OperationLog();
  const clients = Array.from({ length: CLIENTS }, (_, id) => {
    const name = `client ${id}`;
    const calls = new RecordedClient(service, model, log);
    const parts = { random: random.fork(name), clock: hastyClock, service, model, name: `${random.word()}` };
    return new WorkloadClient(id, calls, parts);
  });
  await Promise.all(clients.map((client) => client.run(random.between(8, 25))));
}

export type Judgement = {
  readonly outcome: "intact" | "rebuilt" | "refused" | "damaged";
  /** What was named: the reason of the rebuild or the refusal, or the first damage. */
  readonly named: string;
  readonly wrong: readonly string[];
};

/** Opens the copy at `path` and says what came of it. Everything in `filled` was acknowledged. */
export async function judge(filled: FilledDirectory, path: string): Promise<Judgement> {
  try {
    const fatal: unknown[] = [];
    const { segmentBytes } = filled;
    await using store = await openStore(path, { segmentBytes, onFatal: (error) => fatal.push(error) });
    const damaged: string[] = [];
    const wrong = [...(await compare(store.service, filled.model, Number.MAX_SAFE_INTEGER, damaged))];
    if (damaged.length === 0) wrong.push(...(await checkRows(store.node)));
    const { term } = store.service.status();
    if (term <= filled.term) wrong.push(`the term went from ${filled.term} to ${term}`);
    wrong.push(...fatal.map((error) => `the node ended: ${String(error)}`));
    const rebuilt = store.node.indexRebuilt;
    if (damaged.length > 0) return { outcome: "damaged", named: damaged[0] as string, wrong };
    return { outcome: rebuilt === undefined ? "intact" : "rebuilt", named: rebuilt ?? "", wrong };
  } catch (error) {
    if (error instanceof RefusedError || error instanceof DamageError) {
      return { outcome: "refused", named: error.message, wrong: [] };
    }
    const text = error instanceof Error ? `${error.stack}` : String(error);
    return { outcome: "refused", named: "", wrong: [`thrown: ${text}`] };
  }
}
