/**
 * What the service needs of a node, whether it takes writes (storage-node.ts) or only reads what is left
 * (salvage-node.ts).
 */
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import type { StateMachine } from "../state/state-machine.ts";
import type { ObjectCache } from "../store/object-cache.ts";
import type { ObjectReader } from "../store/object-reader.ts";
import type { Restored } from "../store/restored-file.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { Refusal } from "./disk-guard.ts";
import type { SalvageReport } from "./salvage-report.ts";
import type { SpaceStatus } from "./space-policy.ts";

export type ServingNode = {
  readonly node: { readonly nodeId: string };
  /** Of this gateway, as it stands in what it names. */
  readonly incarnation: string;
  readonly replica: ReplicatedLog<Command, Chunk, CommandResult> & {
    readonly failure: unknown;
    readonly term: number;
    readonly commitIndex: number;
  };
  readonly index: StateIndex;
  readonly state: StateMachine;
  readonly cache: ObjectCache;
  readonly reader: ObjectReader;
  readonly logClock: { readonly skewMs: number };
  readonly guard: { readonly refusal: Refusal | "all"; readonly freeBytes: number };
  readonly space: { readonly status: SpaceStatus };
  /** What a restore left to be done before anybody is served. */
  readonly restored?: Restored | undefined;
  /** Only of a node that was started to read what is left. */
  readonly salvage?: SalvageReport;
  /** Every write that was admitted is answered when it returns, if only that it cannot be done. */
  stopWriting(): Promise<void>;
  close(): Promise<void>;
};
