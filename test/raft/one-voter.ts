/** One voter to be driven by hand: what the scripts of this directory share. */
import { logIndex, term } from "../../src/base/units.ts";
import { RawNode } from "../../src/raft/raw-node.ts";
import type { HardState, Ready } from "../../src/raft/raw-node.ts";

export type Start = {
  readonly term?: number;
  readonly votedFor?: string;
  readonly lastIndex?: number;
  readonly lastTerm?: number;
  readonly applied?: number;
  readonly voters?: readonly string[];
};

/** A node as it comes from its disk. */
export function restarted(start: Start = {}): RawNode<string> {
  return new RawNode<string>({
    id: "a",
    voters: start.voters ?? ["a"],
    hardState: { term: term(start.term ?? 0), votedFor: start.votedFor },
    lastIndex: logIndex(start.lastIndex ?? 0),
    lastTerm: term(start.lastTerm ?? 0),
    appliedIndex: logIndex(start.applied ?? 0),
  });
}

/** One line per piece of work, as a driver would be told it. */
export function show(ready: Ready<string>): string {
  const { hardState, entries, commitIndex } = ready;
  const vote = hardState === undefined ? "" : `vote ${hardState.term}:${hardState.votedFor} `;
  const appended = entries.map(
    ({ index, term: t, data }) => `${index}/${t}${data === undefined ? "" : `=${data}`}`,
  );
  return `${vote}append [${appended.join(" ")}] commit ${commitIndex}`;
}

/** Votes and makes the vote stable; the first entry of the term is still to be written. */
export function elected(start: Start = {}): RawNode<string> {
  const node = restarted(start);
  node.campaign();
  node.persistedHardState(node.ready().hardState as HardState);
  return node;
}

export function persisted(node: RawNode<string>, index: number, ofTerm: number): void {
  node.persistedEntries(logIndex(index), term(ofTerm));
}
