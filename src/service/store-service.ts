/** The service over one storage node: joins its parts and tells how it is. */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Random } from "../ports/random.ts";
import { READ_ONLY, reportLines } from "../replica/salvage-report.ts";
import type { SalvageReport } from "../replica/salvage-report.ts";
import type { TierStatus } from "../offload/tier-status.ts";
import type { ServingNode } from "../replica/serving-node.ts";
import { settleAccounts } from "./accounts.ts";
import type { AccountSettings } from "./accounts.ts";
import type { NodeStatus, SalvageStatus, Service } from "./api.ts";
import { Batches } from "./batches.ts";
import { Bodies } from "./bodies.ts";
import { Buckets } from "./buckets.ts";
import { Copies } from "./copies.ts";
import { Details } from "./details.ts";
import { Identities } from "./identities.ts";
import { Objects } from "./objects.ts";
import { Uploads } from "./uploads.ts";
import { Versions } from "./versions.ts";

export class StoreService implements Service {
  readonly buckets: Buckets;
  readonly objects: Objects;
  readonly uploads: Uploads;
  readonly versions: Versions;
  readonly copies: Copies;
  readonly details: Details;
  readonly batches: Batches;
  readonly identities: Identities;
  readonly #node: ServingNode;
  readonly #random: Random;
  readonly #tier: { readonly status: TierStatus } | undefined;

  constructor(
    node: ServingNode,
    options: {
      readonly root: { readonly accessKey: string; readonly secretKey: string };
      readonly clock: Clock;
      readonly random: Random;
      readonly tier?: { readonly status: TierStatus } | undefined;
    },
  ) {
    this.#node = node;
    this.#tier = options.tier;
    this.#random = options.random;
    const { replica: log, index, reader, state } = node;
    const { buckets } = state;
    const { clock, random } = options;
    const logTimeMs = (): number => state.logTimeMs;
    const bodies = new Bodies(log, node.incarnation);
    this.buckets = new Buckets({ log, index, buckets });
    this.objects = new Objects({ log, index, buckets, reader, bodies });
    this.versions = new Versions({ log, index, buckets, reader });
    this.uploads = new Uploads({ log, index, buckets, bodies, clock, logTimeMs, random });
    const { objects, versions } = this;
    const hasBucket = (name: string): boolean => buckets.find(name) !== undefined;
    this.copies = new Copies({ log, objects, versions, bodies, hasBucket });
    this.details = new Details({ log, index });
    this.batches = new Batches({ log, objects, copies: this.copies, bodies });
    this.identities = new Identities(options.root);
  }

  /** At the start of a server, before anybody is served. */
  async settleAccounts(
    settings: AccountSettings,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ): Promise<void> {
    const { replica: log, index, salvage } = this.#node;
    const { identities } = this;
    // A node that reads what is left takes nothing for granted there, and the settings say it all.
    if (salvage !== undefined) for (const account of settings.accounts) identities.add(account);
    else await settleAccounts({ log, index, identities, random: this.#random, ...ports }, settings);
  }

  status(): NodeStatus {
    const { replica, index, state, cache, reader, guard, logClock, node, salvage, space } = this.#node;
    const { all } = state.segments;
    const failed = replica.failure !== undefined;
    const { failure } = replica;
    const trouble = failure instanceof Error ? failure.message : (index.failing ?? this.identities.problem);
    return {
      nodeId: node.nodeId,
      // Whoever asks sends writes next: those belong to another node.
      ready: !failed && salvage === undefined,
      reason: trouble ?? (salvage === undefined ? undefined : READ_ONLY),
      term: replica.term,
      commitIndex: replica.commitIndex,
      appliedIndex: replica.appliedIndex,
      segments: all.length,
      logBytes: all.reduce((sum, segment) => sum + segment.bytes, 0),
      liveBytes: all.reduce((sum, segment) => sum + segment.liveBytes, 0),
      ...space.status,
      overlayRows: index.overlayRows,
      cacheBytes: cache.bytes,
      cacheEntries: cache.count,
      coldReads: reader.coldFigures,
      diskFreeBytes: guard.freeBytes,
      writesRefused: guard.refusal,
      clockSkewMs: logClock.skewMs,
      ...(salvage === undefined ? {} : { salvage: salvageStatus(salvage) }),
      ...(this.#tier === undefined ? {} : { tier: this.#tier.status }),
    };
  }
}

function salvageStatus(report: SalvageReport): SalvageStatus {
  const { appliedIndex, source, damages, lost } = report;
  return { appliedIndex, source, damages: damages.length, lost, report: reportLines(report) };
}
