/** A store whose sealed segments are in the bucket, its loops at rest, and an audit of it. */
import { audit } from "../../src/offload/audit.ts";
import type { AuditParts, AuditTerms } from "../../src/offload/audit.ts";
import type { AuditReport } from "../../src/offload/audit-report.ts";
import { InFlight } from "../../src/offload/in-flight.ts";
import { SegmentUploader } from "../../src/offload/segment-uploader.ts";
import { TierPace } from "../../src/offload/tier-pace.ts";
import { garbageSettings } from "./garbage-world.ts";
import { collectorOver, packerOf } from "./packer-world.ts";
import type { Sparse } from "./packer-world.ts";
import { tierNodeOf } from "../../src/start-cold-tier.ts";
import { TierWorld, isUploaded } from "./tier-world.ts";

export type Audited = Sparse & { readonly manifests: string[] };

export async function uploaded(segments = 3): Promise<Audited> {
  const world = new TierWorld({ recoveryPointMs: undefined, afterMs: 1000, livePercentMin: 0 });
  const store = await world.openWithBucket();
  await world.fill(store, segments);
  await world.until(() => isUploaded(store));
  await world.run(store.tier.close());
  return { world, store, manifests: [] };
}

export function auditParts({ world, store, manifests }: Audited): AuditParts {
  const { clock, disk } = world.machine;
  const { logger } = world;
  const node = { ...tierNodeOf(store.node), incarnation: "n1.audit" };
  const inFlight = new InFlight();
  const pace = new TierPace(clock, { bytesPerSecondMax: 1e9, requestsPerMinuteMax: 60_000 });
  const common = { node, store: world.cold, disk, clock, logger, pace, inFlight, verify: "auto" as const };
  return {
    ...common,
    index: store.node.index,
    settings: garbageSettings,
    uploader: new SegmentUploader({ ...common, isFollowed: false }),
    packer: packerOf({ world, store }, { node }),
    collector: collectorOver({ world, store }, 0),
    writeManifest: () => Promise.resolve(manifests.push("written")),
  };
}

export async function audited(world: Audited, terms: Partial<AuditTerms> = {}): Promise<AuditReport> {
  const { signal } = new AbortController();
  const asked = { deep: false, repair: false, ...terms };
  return await world.world.run(audit(auditParts(world), asked, { signal, onProgress: () => undefined }));
}
