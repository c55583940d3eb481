/**
 * Known bugs of well-known implementations, as far as one voter can show them. The number is that of the
 * list of cases; each test would fail if our core had the bug.
 */
import { expect, test } from "vitest";
import { logIndex, term } from "../../src/base/units.ts";
import type { HardState } from "../../src/raft/raw-node.ts";
import { elected, persisted, restarted, show } from "./one-voter.ts";

test("bug-09: an entry of an earlier term is not committed by counting", () => {
  const node = elected({ term: 2, lastIndex: 2, lastTerm: 2 });
  node.ready();
  expect(node.commitIndex).toBe(0);
  persisted(node, 2, 3);
  expect(node.commitIndex).toBe(0);
});

test("bug-17: an acknowledgement from another term does not make the entry at that index stable", () => {
  const node = elected({ term: 1, lastIndex: 1, lastTerm: 1 });
  node.propose(["new"]);
  expect(show(node.ready())).toBe("append [2/2 3/2=new] commit 0");
  persisted(node, 3, 1);
  expect(node.commitIndex).toBe(0);
  persisted(node, 3, 2);
  expect(node.commitIndex).toBe(3);
});

test("bug-18: no entry is stamped with a term before that term is led", () => {
  const node = restarted({ term: 1, lastIndex: 4, lastTerm: 1, applied: 4 });
  node.campaign();
  expect(node.propose(["early"]).kind).toBe("notLeader");
  node.persistedHardState(node.ready().hardState as HardState);
  node.propose(["due"]);
  expect(node.ready().entries.map((entry) => [entry.index, entry.term, entry.data])).toEqual([
    [5, 2, undefined],
    [6, 2, "due"],
  ]);
});

test("bug-20, bug-22: a single node commits nothing before it is on its disk", () => {
  const node = elected();
  node.propose(["x"]);
  expect(node.ready().commitIndex).toBe(0);
  expect(node.ready().commitIndex).toBe(0);
  persisted(node, 2, 1);
  expect(node.ready().commitIndex).toBe(2);
});

test("bug-21: a leader does not count what it has only in memory", () => {
  const node = elected();
  node.propose(["x"]);
  node.ready();
  persisted(node, 1, 1);
  node.propose(["y", "z"]);
  expect(node.commitIndex).toBe(1);
  expect(() => node.applied(logIndex(2))).toThrow("beyond the commit index");
});

test("bug-23: the commit index of a start is never above what its log holds", () => {
  expect(() => restarted({ term: 3, lastIndex: 7, lastTerm: 3, applied: 8 })).toThrow("end of the log");
  expect(restarted({ term: 3, lastIndex: 7, lastTerm: 3, applied: 5 }).commitIndex).toBe(5);
});

test("bug-24: a start applies on from what it has applied, no entry twice and none left out", () => {
  const node = elected({ term: 3, lastIndex: 7, lastTerm: 3, applied: 5 });
  expect([node.appliedIndex, node.commitIndex]).toEqual([5, 5]);
  node.ready();
  persisted(node, 8, 4);
  expect([node.appliedIndex, node.commitIndex]).toEqual([5, 8]);
  expect(() => node.applied(logIndex(4))).toThrow("goes back");
});

test("bug-42: nothing counts as committed in a term before an entry of it is", () => {
  const node = elected({ term: 5, lastIndex: 9, lastTerm: 5, applied: 4 });
  expect(node.role).toBe("leader");
  expect(node.commitIndex).toBe(4);
});

test("bug-55: a single node leads again after every start and commits what its log had", () => {
  let disk = { term: 0, lastIndex: 0, lastTerm: 0 };
  for (let start = 1; start <= 5; start++) {
    const node = elected({ ...disk, votedFor: "a" });
    expect([node.role, node.term]).toEqual(["leader", start]);
    node.propose(["x"]);
    const { entries } = node.ready();
    persisted(node, entries.at(-1)?.index ?? 0, start);
    expect(node.commitIndex).toBe(start * 2);
    disk = { term: term(start), lastIndex: start * 2, lastTerm: start };
  }
});
