/**
 * What a read-only start makes of a damaged copy: if it says that nothing is lost, everything acknowledged is
 * there or named as damaged; if it says that something is, what it serves was put by somebody once; and the
 * copy stays as it is.
 */
import { DamageError, RefusedError } from "../../src/base/errors.ts";
import type { Service } from "../../src/service/api.ts";
import { compare } from "./compare.ts";
import { isOf } from "./object-model.ts";
import type { StoreModel } from "./object-model.ts";
import type { FilledDirectory } from "./real-directory.ts";
import { salvage, snapshot } from "./salvage-world.ts";
import { readBody } from "./workload-client.ts";

export type SalvageJudgement = {
  /** Whether it says that entries are lost; `refused` is only what a newer release might have written. */
  readonly outcome: "all" | "lost" | "refused";
  readonly wrong: readonly string[];
};

export async function judgeSalvage(filled: FilledDirectory, path: string): Promise<SalvageJudgement> {
  const before = await snapshot(path);
  const judgement = await judge(filled, path);
  const after = await snapshot(path);
  const changed = after.join("\n") === before.join("\n") ? [] : ["the read-only start changed the directory"];
  return { ...judgement, wrong: [...judgement.wrong, ...changed] };
}

async function judge(filled: FilledDirectory, path: string): Promise<SalvageJudgement> {
  try {
    await using salvaged = await salvage(path, { segmentBytes: filled.segmentBytes });
    const { report, service } = salvaged;
    if (report.lost !== undefined) return { outcome: "lost", wrong: await strangers(service, filled.model) };
    return { outcome: "all", wrong: await compare(service, filled.model, Number.MAX_SAFE_INTEGER, []) };
  } catch (error) {
    const isNewer = error instanceof RefusedError && error.message.includes("a newer release wrote it");
    if (isNewer) return { outcome: "refused", wrong: [] };
    return {
      outcome: "refused",
      wrong: [`--salvage: ${error instanceof Error ? error.stack : String(error)}`],
    };
  }
}

/** Objects that nobody ever put as they are served. */
async function strangers(service: Service, model: StoreModel): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [path, history] of model.objects.all) {
    try {
      const found = await service.objects.find(path);
      if (found === undefined) continue;
      const states = history.changes.flatMap(({ state }) => (state === undefined ? [] : [state]));
      const state = states.find((candidate) => isOf(found, candidate));
      const bytes = await readBody(service, found);
      if (state?.bytes.equals(bytes) !== true) wrong.push(`${path} was never put as --salvage serves it`);
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
    }
  }
  return wrong;
}
