/**
 * Scripts for the consensus core with one voter, named by the sections of the Raft paper (extended version).
 * Each step is what a driver would do; the trace beside it is all that the core asks for.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { logIndex, term } from "../../src/base/units.ts";
import type { HardState } from "../../src/raft/raw-node.ts";
import { elected, persisted, restarted, show } from "./one-voter.ts";

describe("5.2 leader election", () => {
  test("a candidate votes for itself in the next term and leads once that vote is stable", () => {
    const node = restarted({ term: 3, votedFor: "a" });
    expect([node.role, show(node.ready())]).toEqual(["follower", "append [] commit 0"]);
    node.campaign();
    expect([node.role, show(node.ready())]).toEqual(["candidate", "vote 4:a append [] commit 0"]);
    node.persistedHardState({ term: term(4), votedFor: "a" });
    expect([node.role, show(node.ready())]).toEqual(["leader", "append [1/4] commit 0"]);
  });

  test("the vote is asked for until it is stable, and no entry of its term before", () => {
    const node = restarted();
    node.campaign();
    expect(show(node.ready())).toBe("vote 1:a append [] commit 0");
    expect(show(node.ready())).toBe("vote 1:a append [] commit 0");
    expect(node.propose(["x"])).toEqual({ kind: "notLeader", leaderHint: undefined });
  });

  test("a vote of an earlier term that becomes stable late elects nobody", () => {
    const node = restarted();
    node.campaign();
    const old = node.ready().hardState as HardState;
    node.campaign();
    node.persistedHardState(old);
    expect([node.role, show(node.ready())]).toEqual(["candidate", "vote 2:a append [] commit 0"]);
    node.persistedHardState({ term: term(2), votedFor: "b" });
    expect(node.role).toBe("candidate");
    node.persistedHardState({ term: term(2), votedFor: "a" });
    expect([node.role, node.term]).toEqual(["leader", 2]);
  });

  test("a vote that is reported stable twice opens the term once", () => {
    const node = elected();
    node.persistedHardState({ term: term(1), votedFor: "a" });
    expect(show(node.ready())).toBe("append [1/1] commit 0");
  });

  test("a leader does not campaign", () => {
    expect(() => elected().campaign()).toThrow(InvariantError);
  });
});

describe("5.3 log replication", () => {
  test("proposals are numbered in order behind the log, each handed out once", () => {
    const node = elected({ term: 6, lastIndex: 10, lastTerm: 6, applied: 10 });
    expect(node.propose(["x", "y"])).toEqual({ kind: "accepted", first: 12, term: 7 });
    expect(node.propose(["z"])).toEqual({ kind: "accepted", first: 14, term: 7 });
    expect(show(node.ready())).toBe("append [11/7 12/7=x 13/7=y 14/7=z] commit 10");
    expect(show(node.ready())).toBe("append [] commit 10");
  });

  test("an empty proposal is accepted and appends nothing", () => {
    const node = elected();
    expect(node.propose([])).toEqual({ kind: "accepted", first: 2, term: 1 });
    expect(show(node.ready())).toBe("append [1/1] commit 0");
  });

  test("what is stable is committed, and no more", () => {
    const node = elected();
    node.propose(["x", "y", "z"]);
    node.ready();
    persisted(node, 2, 1);
    expect(show(node.ready())).toBe("append [] commit 2");
    persisted(node, 4, 1);
    expect(show(node.ready())).toBe("append [] commit 4");
  });

  test("a follower takes no proposals", () => {
    expect(restarted().propose(["x"])).toEqual({ kind: "notLeader", leaderHint: undefined });
  });

  test("entries that were never appended cannot be stable", () => {
    const node = elected();
    node.ready();
    expect(() => persisted(node, 2, 1)).toThrow(InvariantError);
  });
});

describe("5.4.2 committing entries from previous terms", () => {
  test("entries of an earlier term are committed by the first one of the own term, never by counting", () => {
    const node = elected({ term: 2, lastIndex: 5, lastTerm: 2, applied: 3 });
    expect(show(node.ready())).toBe("append [6/3] commit 3");
    persisted(node, 5, 3);
    expect(node.commitIndex).toBe(3);
    persisted(node, 6, 3);
    expect(node.commitIndex).toBe(6);
  });
});

describe("5.5 crashes: what may be lost and what may not", () => {
  test("a log above the voted term refuses to start: the vote went back", () => {
    expect(() => restarted({ term: 4, lastIndex: 9, lastTerm: 5 })).toThrow("above the voted term");
  });

  test("state that applied more than the log holds refuses to start", () => {
    expect(() => restarted({ term: 4, lastIndex: 9, lastTerm: 4, applied: 10 })).toThrow("end of the log");
  });

  test("a term is never led twice: every start leads a higher one", () => {
    const first = elected({ term: 1, votedFor: "a" });
    const second = elected({ term: first.term, votedFor: "a", lastIndex: 1, lastTerm: first.term });
    expect([first.term, second.term]).toEqual([2, 3]);
  });
});

describe("6 configurations", () => {
  test.each([[["a", "b"]], [["b"]], [[]]])("voters %j are refused, not approximated", (voters) => {
    expect(() => restarted({ voters })).toThrow("this build runs one voter");
  });
});

describe("applied", () => {
  test("follows the commit index and never goes back", () => {
    const node = elected();
    node.propose(["x", "y"]);
    node.ready();
    persisted(node, 2, 1);
    expect(() => node.applied(logIndex(3))).toThrow("beyond the commit index");
    node.applied(logIndex(2));
    expect(() => node.applied(logIndex(1))).toThrow("goes back");
    node.applied(logIndex(2));
    expect(node.appliedIndex).toBe(2);
  });
});

test("no order of events breaks applied <= committed <= stable <= last, or takes one of them back", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("propose" as const), count: fc.nat(3) }),
    fc.record({ kind: fc.constant("ready" as const), count: fc.nat(1) }),
    fc.record({ kind: fc.constant("persist" as const), count: fc.nat(5) }),
    fc.record({ kind: fc.constant("stale" as const), count: fc.nat(5) }),
    fc.record({ kind: fc.constant("apply" as const), count: fc.nat(5) }),
  );
  const start = fc.record({ last: fc.nat(5), applied: fc.nat(5) });
  fc.assert(
    fc.property(start, fc.array(step, { maxLength: 40 }), ({ last, applied }, steps) => {
      const node = elected({ term: 1, lastTerm: 1, lastIndex: last, applied: Math.min(applied, last) });
      const handed: number[] = [];
      let stable = last;
      let before = { commit: node.commitIndex as number, applied: node.appliedIndex as number };
      for (const { kind, count } of steps) {
        const end = last + handed.length;
        if (kind === "propose") node.propose(Array.from({ length: count }, () => "x"));
        else if (kind === "ready") handed.push(...node.ready().entries.map(({ index }) => index));
        else if (kind === "stale") persisted(node, end + count, 1);
        else if (kind === "persist") {
          stable = Math.max(stable, Math.min(stable + count, end));
          if (stable > last) persisted(node, stable, 2);
        } else node.applied(logIndex(Math.min(node.appliedIndex + count, node.commitIndex)));
        expect(node.commitIndex).toBe(stable > last ? stable : before.commit);
        expect(node.appliedIndex).toBeLessThanOrEqual(node.commitIndex);
        expect(node.commitIndex).toBeGreaterThanOrEqual(before.commit);
        before = { commit: node.commitIndex, applied: node.appliedIndex };
      }
      expect(handed).toEqual(handed.map((_, at) => last + 1 + at));
    }),
  );
});
