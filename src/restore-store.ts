/**
 * `thermocline restore`: joins the restore to the real disk, the cold store and the clock. The settings say
 * where to (`dataDir`, `nodeId`) and how the cold store is reached (`cold.*`); where from is the caller's.
 */
import { relative, resolve, sep } from "node:path";
import { openColdStore } from "./adapters/open-cold-store.ts";
import { NodeDisk } from "./adapters/node-disk.ts";
import { systemClock } from "./adapters/system-clock.ts";
import { systemRandom } from "./adapters/system-random.ts";
import { RefusedError } from "./base/errors.ts";
import type { ColdUrl } from "./config/cold-url.ts";
import type { Config } from "./config/config.ts";
import { RestoreMeter } from "./offload/restore-meter.ts";
import { RestoreRefusedError } from "./offload/restore-outline.ts";
import type { RestoreWish } from "./offload/restore-plan.ts";
import { planFacts, refusedReport, restoredReport } from "./offload/restore-report.ts";
import type { RestoreProgress, RestoreReport } from "./offload/restore-report.ts";
import { planOnly, restore } from "./offload/restore.ts";
import type { ColdStore } from "./ports/cold-store.ts";
import { writeRestoredNode } from "./replica/node-file.ts";

export type RestoreRequest = {
  readonly from: ColdUrl;
  readonly cluster: string | undefined;
  readonly wish: RestoreWish;
  readonly dryRun: boolean;
  readonly progress: (progress: RestoreProgress) => void;
};

export async function restoreStore(config: Config, request: RestoreRequest): Promise<RestoreReport> {
  const ports = { disk: new NodeDisk(), clock: systemClock, random: systemRandom };
  const store = await openColdStore({ ...config.cold, url: request.from }, ports);
  if (store === undefined) throw new RefusedError("there is nothing to restore from");
  try {
    await store.check();
    return await restoreFrom(store, config, request);
  } catch (error) {
    if (!(error instanceof RestoreRefusedError)) throw error;
    return refusedReport(error.refusal);
  } finally {
    await store.close();
  }
}

async function restoreFrom(
  store: ColdStore,
  { dataDir: directory, nodeId }: Config,
  { from, cluster, wish, dryRun, progress }: RestoreRequest,
): Promise<RestoreReport> {
  const clock = systemClock;
  if (dryRun) {
    const { plan, outline } = await planOnly({ store, clock, wish, cluster });
    return { kind: "planned", ...planFacts(plan, outline) };
  }
  const disk = new NodeDisk();
  const meter = new RestoreMeter(clock, progress);
  const result = await restore({
    store,
    disk,
    clock,
    random: systemRandom,
    directory,
    nodeId,
    wish,
    cluster,
    spared: sparedBy(from, directory),
    tell: (news) => meter.hear(news),
    commit: (node) => writeRestoredNode(disk, directory, node),
  });
  return restoredReport(result, directory);
}

/** `dev` keeps its cold folder within the data directory: that is no reason to call it full. */
function sparedBy(from: ColdUrl, directory: string): readonly string[] {
  if (from.kind !== "folder") return [];
  const [first = ".."] = relative(resolve(directory), resolve(from.path)).split(sep);
  return first === ".." || first === "" ? [] : [first];
}
