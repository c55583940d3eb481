/**
 * The actions of `thermocline tier` on the cold tier of this node, and what they came to in words. What takes
 * long says how far it is; what was done stays done if it ends early.
 */
import { BusyError } from "../base/errors.ts";
import { adoptOutcome } from "../offload/adopt.ts";
import { auditOutcome } from "../offload/audit-report.ts";
import type { ColdTier } from "../offload/cold-tier.ts";
import { segmentsOfKeys } from "../offload/key-segments.ts";
import type { StoredBytes } from "../offload/tier-facts.ts";
import { bytesOfCopies } from "../offload/tier-facts.ts";
import type { ColdTierSettings } from "../offload/tier-settings.ts";
import type { StorageNode } from "../replica/storage-node.ts";
import { s3Error } from "../s3/errors.ts";
import type {
  AuditTerms,
  PolicyChange,
  RecallTarget,
  TierActions,
  TierCall,
  TierFacts,
  TierOutcome,
} from "./tier-api.ts";

type ActionParts = {
  readonly tier: ColdTier;
  readonly node: Pick<StorageNode, "index" | "state">;
  readonly settingsWith: (change: PolicyChange) => Partial<ColdTierSettings>;
};

export class ServerTierActions implements TierActions {
  readonly #parts: ActionParts;

  constructor(parts: ActionParts) {
    this.#parts = parts;
  }

  status(): Readonly<Record<string, unknown>> {
    return this.#parts.tier.status;
  }

  async recall({ bucket, prefix }: RecallTarget, { signal, onProgress }: TierCall): Promise<TierOutcome> {
    const { tier, node } = this.#parts;
    const { index, state } = node;
    const bucketId = state.buckets.find(bucket)?.row.id;
    if (bucketId === undefined) throw s3Error("NoSuchBucket");
    const parts = { index, segments: state.segments };
    const onRows = (count: number): void => onProgress(`${count} objects looked at`);
    const ids = await segmentsOfKeys(parts, { bucketId, prefix }, { signal, onRows });
    let recalled = 0;
    for (const [at, id] of [...ids].toSorted((one, other) => one - other).entries()) {
      recalled += await tier.recall([id], { signal });
      onProgress(`${at + 1} of ${ids.size} segments`);
    }
    const here = ids.size - recalled;
    return {
      ok: true,
      lines: [`${recalled} segments were brought back, ${here} were here, or changed meanwhile`],
      facts: { segments: ids.size, recalled },
    };
  }

  async facts(): Promise<TierFacts> {
    const { tier, settingsWith } = this.#parts;
    const facts = await tier.policyFacts();
    const storedBytes = withListed(bytesOfCopies(facts.segments), tier.listedBytes);
    return { ...facts, storedBytes, policyWith: (change) => tier.policyWith(settingsWith(change)) };
  }

  async offload({ all }: { readonly all: boolean }, call: TierCall): Promise<TierOutcome> {
    const { tier } = this.#parts;
    try {
      if (!all) {
        const uploaded = await tier.offloadNow(call);
        return { ok: true, lines: [`${uploaded} segments were uploaded`], facts: { uploaded } };
      }
      const counts = await tier.offloadAll(call);
      const { uploaded, freed, kept, index } = counts;
      const rest = kept === 0 ? "" : `, ${kept} stay: pinned, or above the floor`;
      const lines = [
        `${uploaded} segments were uploaded, ${freed} left this disk${rest}`,
        `a restore leads to entry ${index} or later`,
      ];
      return { ok: true, lines, facts: counts };
    } catch (error) {
      if (!(error instanceof BusyError)) throw error;
      return { ok: false, lines: [error.message], facts: {} };
    }
  }

  async audit(terms: AuditTerms, call: TierCall): Promise<TierOutcome> {
    return auditOutcome(await this.#parts.tier.audit(terms, call));
  }

  async adopt(call: TierCall): Promise<TierOutcome> {
    return adoptOutcome(await this.#parts.tier.adopt(call));
  }
}

/** What the state names may be newer than the listing, and that knows of what nothing names any more. */
function withListed(named: StoredBytes, listed: StoredBytes = {}): StoredBytes {
  const larger = (kind: "segment" | "packed"): number => Math.max(named[kind] ?? 0, listed[kind] ?? 0);
  return { ...listed, segment: larger("segment"), packed: larger("packed") };
}
