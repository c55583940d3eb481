/**
 * The consensus core: pure and synchronous. Facts go in (`campaign`, `propose`, `persisted*`, `applied`),
 * work comes out as a `Ready`; the driver does the work in this order: hard state stable → entries stable →
 * messages sent → committed entries applied. The core never sees a promise, a clock or a disk.
 *
 * This build holds what one voter needs behind the interface of the full core (Raft paper, section 5; the
 * Ready cycle is etcd's). A configuration with more voters is refused, not approximated.
 *
 * Invariants: applied <= committed <= stable <= last, and none of them ever goes back.
 */
import { assert } from "../base/assert.ts";
import { logIndex, term as makeTerm } from "../base/units.ts";
import type { LogIndex, Term } from "../base/units.ts";

export type NodeId = string;

/** What must be stable before any message or vote that depends on it is released (Raft paper, figure 2). */
export type HardState = { readonly term: Term; readonly votedFor: NodeId | undefined };

export type Entry<Data> = {
  readonly index: LogIndex;
  readonly term: Term;
  /** `undefined` in the entry with which a new leader opens its term (section 8). */
  readonly data: Data | undefined;
};

export type Ready<Data> = {
  /** To be made stable first; acknowledge with `persistedHardState`. */
  readonly hardState: HardState | undefined;
  /** To be appended and made stable, in order; acknowledge with `persistedEntries`. */
  readonly entries: readonly Entry<Data>[];
  /** Everything up to here may be applied. */
  readonly commitIndex: LogIndex;
};

export type Proposal =
  | { readonly kind: "accepted"; readonly first: LogIndex; readonly term: Term }
  | { readonly kind: "notLeader"; readonly leaderHint: NodeId | undefined };

export type RawNodeOptions = {
  readonly id: NodeId;
  readonly voters: readonly NodeId[];
  readonly hardState: HardState;
  /** End of the stable log. */
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly appliedIndex: LogIndex;
};

export class RawNode<Data> {
  readonly id: NodeId;
  #role: "follower" | "candidate" | "leader" = "follower";
  #hardState: HardState;
  #hardStateReleased = true;
  #lastIndex: LogIndex;
  #stableIndex: LogIndex;
  #commitIndex: LogIndex;
  #appliedIndex: LogIndex;
  #unstable: Entry<Data>[] = [];
  /** First index of the leader's own term: only entries from here on are committed by counting (5.4.2). */
  #termStartIndex: LogIndex | undefined;

  constructor(options: RawNodeOptions) {
    assert(
      options.voters.length === 1 && options.voters[0] === options.id,
      `this build runs one voter; the configuration names ${options.voters.join(", ")}`,
    );
    assert(
      options.lastTerm <= options.hardState.term,
      `the log ends in term ${options.lastTerm}, above the voted term ${options.hardState.term}`,
    );
    assert(options.appliedIndex <= options.lastIndex, "applied beyond the end of the log");
    this.id = options.id;
    this.#hardState = options.hardState;
    this.#lastIndex = options.lastIndex;
    this.#stableIndex = options.lastIndex;
    this.#appliedIndex = options.appliedIndex;
    this.#commitIndex = options.appliedIndex;
  }

  get role(): "follower" | "candidate" | "leader" {
    return this.#role;
  }

  get term(): Term {
    return this.#hardState.term;
  }

  get commitIndex(): LogIndex {
    return this.#commitIndex;
  }

  get appliedIndex(): LogIndex {
    return this.#appliedIndex;
  }

  /** Starts an election. With one voter its own vote decides, once that vote is stable. */
  campaign(): void {
    assert(this.#role !== "leader", "a leader does not campaign");
    this.#role = "candidate";
    this.#hardState = { term: makeTerm(this.#hardState.term + 1), votedFor: this.id };
    this.#hardStateReleased = false;
  }

  /** Appends to the leader's log. A proposal that was accepted cannot be taken back. */
  propose(items: readonly Data[]): Proposal {
    if (this.#role !== "leader") return { kind: "notLeader", leaderHint: undefined };
    const first = logIndex(this.#lastIndex + 1);
    for (const data of items) this.#append(data);
    return { kind: "accepted", first, term: this.term };
  }

  #append(data: Data | undefined): void {
    this.#lastIndex = logIndex(this.#lastIndex + 1);
    this.#unstable.push({ index: this.#lastIndex, term: this.term, data });
  }

  /** Takes the work that is due; each entry is handed out once. */
  ready(): Ready<Data> {
    const hardState = this.#hardStateReleased ? undefined : this.#hardState;
    // Entries of a term are not handed out before the vote that made the term is stable.
    const entries = hardState === undefined ? this.#unstable : [];
    if (hardState === undefined) this.#unstable = [];
    return { hardState, entries, commitIndex: this.#commitIndex };
  }

  persistedHardState(state: HardState): void {
    if (state.term !== this.#hardState.term || state.votedFor !== this.#hardState.votedFor) return;
    this.#hardStateReleased = true;
    if (this.#role === "candidate") this.#becomeLeader();
  }

  #becomeLeader(): void {
    this.#role = "leader";
    this.#append(undefined);
    this.#termStartIndex = this.#lastIndex;
  }

  /**
   * Entries up to `index` are stable. `term` is the term of that entry: an acknowledgement of an overwritten
   * entry must not mark its successor at the same index stable.
   */
  persistedEntries(index: LogIndex, term: Term): void {
    if (term !== this.term) return;
    assert(index <= this.#lastIndex, `${index} acknowledged, the log ends at ${this.#lastIndex}`);
    if (index > this.#stableIndex) this.#stableIndex = index;
    const counts = this.#termStartIndex !== undefined && this.#stableIndex >= this.#termStartIndex;
    if (this.#role === "leader" && counts) this.#commitIndex = this.#stableIndex;
  }

  applied(index: LogIndex): void {
    assert(index >= this.#appliedIndex, `applied goes back from ${this.#appliedIndex} to ${index}`);
    assert(index <= this.#commitIndex, `applied ${index} beyond the commit index ${this.#commitIndex}`);
    this.#appliedIndex = index;
  }
}
