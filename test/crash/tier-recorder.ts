/**
 * Notes, at each call of a port and on both of its sides, what a crash there would leave: how far the disk's
 * history had come, what lay in the bucket, and what had been promised until then, since a process that
 * dies takes nothing else with it. So one run of a scenario holds all of its crashes.
 *
 * Before the call nothing of it happened; behind it everything did, and nobody heard of it.
 */
import type { PortCalls } from "../offload/port-crashes.ts";
import type { OperationLog } from "../sim/disk-operation.ts";
import type { Bucket, TierMachine } from "./tier-process.ts";

/** What somebody was told before the crash. */
export type Claims = {
  /** The last entry that a restore was said to lead to. */
  readonly covered: number;
  /** Of the client's writes: so many were begun, so many of them answered. */
  readonly begun: number;
  readonly answered: number;
};

export type TierCrash = {
  readonly call: number;
  readonly side: "before" | "after";
  readonly name: string;
  /** In the history of the disk. */
  readonly position: number;
  readonly bucket: Bucket;
  readonly elapsedMs: number;
  readonly claims: Claims;
};

export class TierRecorder implements PortCalls {
  readonly crashes: TierCrash[] = [];
  /** Names of the calls, in order. */
  readonly calls: string[] = [];
  readonly #log: OperationLog;
  readonly #machine: TierMachine;
  readonly #claims: () => Claims;
  #isOn = false;
  #covered = 0;
  #bucket: Bucket | undefined;

  constructor(parts: {
    readonly log: OperationLog;
    readonly machine: TierMachine;
    readonly claims: () => Claims;
  }) {
    this.#log = parts.log;
    this.#machine = parts.machine;
    this.#claims = parts.claims;
  }

  start(): void {
    this.#isOn = true;
  }

  stop(): void {
    this.#isOn = false;
  }

  async call<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    if (!this.#isOn) return await work();
    const call = this.calls.push(name);
    this.#note({ call, name, side: "before" });
    try {
      return await work();
    } finally {
      if (this.#isOn) this.#note({ call, name, side: "after" });
    }
  }

  #note(at: Pick<TierCrash, "call" | "name" | "side">): void {
    const claims = this.#claims();
    // What was once said to be safe has to stay so.
    this.#covered = Math.max(this.#covered, claims.covered);
    this.crashes.push({
      ...at,
      position: this.#log.length,
      bucket: this.#frozen(),
      elapsedMs: this.#machine.clock.monotonicMs(),
      claims: { ...claims, covered: this.#covered },
    });
  }

  /** Shared by all that see the same. */
  #frozen(): Bucket {
    const { objects } = this.#machine;
    const last = this.#bucket;
    const isSame =
      last?.size === objects.size && [...objects].every(([key, object]) => last.get(key) === object);
    if (last !== undefined && isSame) return last;
    this.#bucket = new Map(objects);
    return this.#bucket;
  }
}
