/**
 * How the cold tier is, for whoever asks: `ok`, or `degraded` with the reason. A tier that is down stops
 * neither reads nor writes of what is hot, so this is never a reason not to be ready.
 *
 * Troubles have names, because reads may work where writes are refused: each goes by itself, when what it is
 * about works again. Of several the one that needs somebody is told first.
 */
import type { ColdKind } from "../ports/cold-store.ts";
import type { Logger } from "../ports/logger.ts";

/** What can be wrong, the one that needs somebody most first. */
const TROUBLES = [
  /** A newer lineage was restored from this one (RULES.md R20). */
  "superseded",
  /** A segment on this disk cannot be uploaded, because it is damaged. */
  "localDamage",
  /** The place said yes, and has not kept what it was given. */
  "unverified",
  "put",
  "get",
  "list",
  "delete",
  /** Nothing was heard of the place yet. */
  "unreached",
  /** The work itself failed, in a way that nobody thought of. */
  "work",
] as const;
export type TroubleName = (typeof TROUBLES)[number];

/** Cleared once the place was heard of at all. */
const HEARD: readonly TroubleName[] = ["unreached", "get", "list"];

export type TierState = "ok" | "degraded";

export class TierHealth {
  readonly #logger: Logger;
  readonly #reasons = new Map<TroubleName, string>();
  readonly #lost = new Map<ColdKind, string>();
  /** Said of a place that nobody has asked yet. */
  readonly #unasked: string;
  #told: TroubleName | "unasked" | undefined = "unasked";

  /** Nobody has asked the place yet: that is said, and is no news. */
  constructor(logger: Logger, unreached: string) {
    this.#logger = logger;
    this.#reasons.set("unreached", unreached);
    this.#unasked = unreached;
  }

  get state(): TierState {
    return this.#reasons.size === 0 ? "ok" : "degraded";
  }

  get reason(): string | undefined {
    const { trouble } = this;
    return trouble && this.#reasons.get(trouble);
  }

  /** The one that needs somebody most. */
  get trouble(): TroubleName | undefined {
    return TROUBLES.find((name) => this.#reasons.has(name));
  }

  has(name: TroubleName): boolean {
    return this.#reasons.has(name);
  }

  failed(name: TroubleName, reason: string): void {
    this.#reasons.set(name, reason);
    this.#tell();
  }

  worked(name: TroubleName): void {
    if (this.#reasons.size === 0) return;
    this.#reasons.delete(name);
    this.#tell();
  }

  /** Whether objects of this kind stay where they were put; `reason` if the last one did not. */
  kept(kind: ColdKind, reason: string | undefined): void {
    if (reason === undefined) this.#lost.delete(kind);
    else this.#lost.set(kind, reason);
    const [first] = this.#lost.values();
    if (first === undefined) this.worked("unverified");
    else this.failed("unverified", first);
  }

  /** Somebody looked whether the place is there and lets us in, and it does. */
  heard(): void {
    for (const name of HEARD) this.#reasons.delete(name);
    this.#tell();
  }

  /** A line for each change of what is wrong, not for each attempt. */
  #tell(): void {
    const { trouble, reason } = this;
    const before = this.#told;
    const now = trouble === "unreached" && reason === this.#unasked ? "unasked" : trouble;
    if (now === before) return;
    this.#told = now;
    // That it works from the start is what everybody expects.
    if (trouble !== undefined) this.#logger.warn("the cold tier is degraded", { trouble, reason });
    else if (before !== "unasked") this.#logger.info("the cold tier works again");
  }
}
