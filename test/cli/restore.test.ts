/** restore: what it asks of main.ts, what it says, and how it ends. */
import { describe, expect, test } from "vitest";
import { formatBytes, progressLine } from "../../src/cli/restore-text.ts";
import type { PlanFacts } from "../../src/offload/restore-report.ts";
import { ColdUnavailableError } from "../../src/ports/cold-store.ts";
import { run } from "./run.ts";
import type { RunWorld } from "./run.ts";

const FACTS: PlanFacts = {
  from: "s3://lake/p at https://s3.example.com",
  cluster: "c0ffee",
  lineage: "aa",
  manifest: { key: "c0ffee/aa/manifest/1-2-n1.json", time: "2026-11-21T10:00:00.000Z", entry: 30 },
  snapshotEntry: 20,
  lastEntry: 34,
  until: undefined,
  fetch: { objects: 4, bytes: 5000 },
  cold: { objects: 2, bytes: 3 * 1024 ** 3 },
  lost: [],
  accepted: [],
  warnings: [],
  passedOver: [],
};

const restored = {
  dataDir: "/d",
  lineage: "bb",
  lastEntry: 34,
  time: "2026-11-21T10:00:09.000Z",
  lostBodies: [],
};

function restoreWith(argv: readonly string[], runRestore?: RunWorld["runRestore"]) {
  return run(["restore", ...argv], runRestore === undefined ? {} : { runRestore });
}

describe("a call", () => {
  test("says where from, where to, and what is wanted", async () => {
    const argv = [
      "--from",
      "s3://lake/p",
      "--data-dir=/d",
      "--cold-endpoint=http://127.0.0.1:1",
      "--node-id=n7",
    ];
    const { exitCode, restores } = await restoreWith(argv);
    expect(exitCode).toBe(0);
    expect(restores[0]?.config).toMatchObject({ dataDir: "/d", nodeId: "n7" });
    expect(restores[0]?.request).toMatchObject({
      from: { kind: "s3", bucket: "lake", prefix: "p" },
      cluster: undefined,
      wish: { target: { kind: "newest" }, acceptGap: false },
      dryRun: false,
    });
  });

  test("takes a folder, a lineage, a cluster, a gap, and does nothing if asked", async () => {
    const argv = ["--from=folder:/b", "--lineage=aa", "--cluster", "c", "--accept-gap", "--dry-run"];
    const { restores } = await restoreWith(argv);
    expect(restores[0]?.request).toMatchObject({
      from: { kind: "folder", path: "/b" },
      cluster: "c",
      wish: { acceptGap: true, lineage: "aa" },
      dryRun: true,
    });
  });

  test.each([
    ["2026-11-21T10:00:00Z", { kind: "time", dateMs: Date.UTC(2026, 10, 21, 10) }],
    ["2026-11-21T10:00:00.5+01:00", { kind: "time", dateMs: Date.UTC(2026, 10, 21, 9, 0, 0, 500) }],
    ["c/l/manifest/1-2-n1.json", { kind: "manifest", key: "c/l/manifest/1-2-n1.json" }],
  ])("--to %s", async (to, target) => {
    const { restores } = await restoreWith(["--from=folder:/b", `--to=${to}`]);
    expect(restores[0]?.request.wish.target).toEqual(target);
  });

  test.each([
    [[], "restore needs --from; write s3://bucket/prefix or folder:/path"],
    [["--from=none"], '--from: "none" is no cold tier; write s3://bucket/prefix or folder:/path'],
    [["--from=ftp://x"], '--from: "ftp://x" is no cold tier; write s3://bucket/prefix or folder:/path'],
    [["--from"], "--from needs a cold tier URL"],
    [["--from="], "--from needs a cold tier URL"],
    [["--from=folder:/b", "--to=yesterday"], '--to: "yesterday" is no time such as'],
    [["--from=folder:/b", "--to=2026-11-21 10:00"], '--to: "2026-11-21 10:00" is no time such as'],
    [["--from=folder:/b", "--force"], "--force"],
  ])("%j is a mistake: exit 2", async (argv, message) => {
    const { exitCode, err, restores } = await restoreWith(argv);
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
    expect(restores).toEqual([]);
  });
});

describe("what it says", () => {
  test("a dry run: the plan, on standard output", async () => {
    const { exitCode, out } = await restoreWith(["--from=folder:/b", "--dry-run"], async () => ({
      kind: "planned",
      ...FACTS,
    }));
    expect(exitCode).toBe(0);
    expect(out).toMatch(
      /manifest +c0ffee\/aa\/manifest\/1-2-n1.json\n +of +2026-11-21T10:00:00.000Z, entry 30\n/,
    );
    expect(out).toMatch(/to fetch +4 objects, 4.9 KiB\n/);
    expect(out).toMatch(/stays there +2 objects, 3.0 GiB\n/);
    expect(out).toMatch(/lost +nothing\n/);
    expect(out).toMatch(/Nothing was done: this was a dry run.\n$/);
  });

  test("a restore: how far it got and what to do next", async () => {
    const { out } = await restoreWith(["--from=folder:/b"], async () => ({
      kind: "restored",
      restored,
      ...FACTS,
    }));
    expect(out).toContain(
      "Restored to /d: everything up to entry 34, written about 2026-11-21T10:00:09.000Z.\n",
    );
    expect(out).toContain("lineage bb");
  });

  test("a restore that lacks something says what cannot be read", async () => {
    const lacking = { ...restored, lostBodies: [{ first: 3, last: 9 }] };
    const { out } = await restoreWith(["--from=folder:/b", "--accept-gap"], async () => ({
      kind: "restored",
      restored: lacking,
      ...FACTS,
      lost: [{ first: 8, last: 9 }],
    }));
    expect(out).toContain("But for bodies that came with entries 3 to 9: reading those answers an error.\n");
    expect(out).toMatch(/lost +entries 8 to 9\n/);
  });

  test("as JSON all of it", async () => {
    const report = { kind: "restored", restored, ...FACTS } as const;
    const { out } = await restoreWith(["--from=folder:/b", "-o", "json"], async () => report);
    expect(JSON.parse(out)).toEqual({ ...report, until: undefined });
  });

  test("a refusal: what is missing, on standard error, exit 1", async () => {
    const { exitCode, out, err } = await restoreWith(["--from=folder:/b"], async () => ({
      kind: "refused",
      reason: "gap",
      message: "the log ends with entry 3",
      problems: ["k is missing"],
    }));
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: "" });
    expect(err).toContain("thermocline: the log ends with entry 3\n  k is missing\n--accept-gap ");
  });

  test("a bucket that does not answer: exit 3", async () => {
    const { exitCode, err } = await restoreWith(["--from=folder:/b"], async () => {
      throw new ColdUnavailableError("cold tier x: no answer", { retryAfterMs: 1 });
    });
    expect(exitCode).toBe(3);
    expect(err).toContain("cold tier x: no answer");
  });

  test("how far it is, on standard error", async () => {
    const progress = { bytes: 1536, totalBytes: 4096, objects: 1, totalObjects: 3, secondsLeft: 90 };
    const { out, err } = await restoreWith(["--from=folder:/b"], async (_, request) => {
      request.progress(progress);
      return { kind: "finished", dataDir: "/d" };
    });
    expect(err).toBe("restore: 1 of 3 objects, 1.5 KiB of 4.0 KiB, 90s left\n");
    expect(out).toBe("/d was restored already: start a server on it.\n");
    expect(progressLine({ ...progress, secondsLeft: undefined })).not.toContain("left");
    expect([1023, 1024, 1024 ** 2 * 1.25, 2 ** 60].map(formatBytes)).toEqual([
      "1023 B",
      "1.0 KiB",
      "1.3 MiB",
      "1048576.0 TiB",
    ]);
  });
});
