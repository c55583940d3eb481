/** What an audit finds in a bucket that somebody has been at, and what it mends. */
import { describe, expect, test } from "vitest";
import { auditOutcome } from "../../src/offload/audit-report.ts";
import type { AuditReport } from "../../src/offload/audit-report.ts";
import { coldKey } from "../../src/offload/cold-names.ts";
import { audited, uploaded } from "./audit-world.ts";
import type { Audited } from "./audit-world.ts";
import { wrongCopies } from "./check-copies.ts";
import { lastOfThird, packerOf, sparse } from "./packer-world.ts";
import { sealedSegments } from "./tier-world.ts";

const { signal } = new AbortController();

function copyOf({ store }: Audited, at: number): { readonly id: number; readonly key: string } {
  const { id = 0, cold } = sealedSegments(store)[at] ?? {};
  return { id, key: cold?.key ?? "" };
}

function flip({ world }: Audited, key: string, at: number): void {
  const { bytes } = world.objects.get(key) ?? { bytes: Buffer.alloc(0) };
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
}

/** Without its file on this disk: below the floor first. */
async function free(tier: Audited, at: number): Promise<void> {
  const { world, store } = tier;
  const { id } = copyOf(tier, at);
  for (let more = 0; !(await world.run(store.node.local.free(id))); more++) {
    await world.fill(store, 2, "more");
    await world.pass(5000);
    if (more > 20) throw new Error("the floor does not move");
  }
}

const brief = ({ findings }: AuditReport): readonly string[] =>
  findings.map(({ kind, repair, isRepaired }) => `${kind} ${repair}${isRepaired ? " mended" : ""}`);

async function expectAllRight({ world, store }: Audited): Promise<void> {
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  await world.close(store);
}

test("a bucket in order has nothing to be told of, read back or not", async () => {
  const tier = await uploaded();
  for (const deep of [false, true]) {
    const report = await audited(tier, { deep });
    expect(report).toMatchObject({ findings: [], isSound: true, objects: 3, blockedBy: [] });
    expect(report.readBytes).toBe(deep ? report.bytes : 0);
  }
  await expectAllRight(tier);
});

describe("what is missing", () => {
  test("is put again, under its name, from the file on this disk", async () => {
    const tier = await uploaded();
    const { key, id } = copyOf(tier, 1);
    tier.world.objects.delete(key);
    expect(await audited(tier)).toMatchObject({
      isSound: false,
      findings: [{ kind: "missing", key, segmentId: id, repair: "upload", isRepaired: false }],
    });
    expect(tier.world.objects.has(key)).toBe(false);
    expect(await audited(tier, { repair: true })).toMatchObject({ isSound: true, lost: { count: 0 } });
    expect(copyOf(tier, 1).key).toBe(key);
    expect(brief(await audited(tier, { deep: true }))).toEqual([]);
    await expectAllRight(tier);
  });

  test("has another length, too", async () => {
    const tier = await uploaded();
    const { key } = copyOf(tier, 0);
    const object = tier.world.objects.get(key);
    if (object === undefined) throw new Error("no copy");
    tier.world.objects.set(key, { ...object, bytes: object.bytes.subarray(0, -1) });
    const report = await audited(tier, { repair: true });
    expect(report.findings[0]?.why).toMatch(/^it has \d+ bytes, not \d+$/);
    expect(brief(report)).toEqual(["missing upload mended"]);
    await expectAllRight(tier);
  });

  test("is not missing because a list lags", async () => {
    const tier = await uploaded();
    const { key } = copyOf(tier, 0);
    const hidden = tier.world.cold;
    const list = hidden.list.bind(hidden);
    hidden.list = async function* (...asked) {
      for await (const entry of list(...asked)) if (entry.key !== key) yield entry;
    };
    expect(brief(await audited(tier))).toEqual([]);
    await tier.world.close(tier.store);
  });

  test("without a file here is lost, and the objects in it are told by name", async () => {
    const tier = await uploaded();
    await free(tier, 0);
    const { key, id } = copyOf(tier, 0);
    const bytes = tier.world.objects.get(key)?.bytes ?? Buffer.alloc(0);
    const names = ["key-0", "key-1", "key-2"];
    for (const name of names) expect(bytes.includes(tier.world.contentOf(name))).toBe(true);
    tier.world.objects.delete(key);
    const report = await audited(tier, { repair: true });
    expect(brief(report)).toEqual(["missing lost"]);
    expect(report).toMatchObject({ isSound: false, lost: { segmentIds: [id] } });
    expect(report.lost.first).toEqual(expect.arrayContaining(names.map((name) => `b/${name}`)));
    expect(report.lost.count).toBe(report.lost.first.length);
    for (const name of report.lost.first) {
      expect([name, bytes.includes(tier.world.contentOf(name.slice(2)))]).toEqual([name, true]);
    }
    expect(auditOutcome(report).lines.join("\n")).toContain(`b/key-0`);
    await tier.world.close(tier.store);
  });

  test("without a live byte goes with its row", async () => {
    const tier = await uploaded(1);
    await free(tier, 0);
    const { key } = copyOf(tier, 0);
    tier.world.objects.delete(key);
    await tier.world.remove(tier.store, ...Array.from({ length: 20 }, (_, at) => `key-${at}`));
    expect(brief(await audited(tier))).toEqual(["missing forget mended"]);
    await tier.world.close(tier.store);
  });
});

describe("what is not what it was", () => {
  test("is found when it is read back, and put again from the file on this disk", async () => {
    const tier = await uploaded();
    const { key } = copyOf(tier, 2);
    flip(tier, key, 5000);
    expect(brief(await audited(tier))).toEqual([]);
    expect(brief(await audited(tier, { deep: true }))).toEqual(["corrupt upload"]);
    expect(brief(await audited(tier, { deep: true, repair: true }))).toEqual(["corrupt upload mended"]);
    expect(brief(await audited(tier, { deep: true }))).toEqual([]);
    await expectAllRight(tier);
  });

  test("and is not here: what is live and intact is packed anew", async () => {
    const made = await sparse();
    const tier = { ...made, manifests: [] };
    await free(tier, 0);
    const { key } = copyOf(tier, 0);
    const { bytes } = tier.world.objects.get(key) ?? { bytes: Buffer.alloc(0) };
    // Behind the last record, where the footer is.
    flip(tier, key, bytes.length - 10);
    expect(brief(await audited(tier, { deep: true }))).toEqual(["corrupt pack"]);
    const report = await audited(tier, { deep: true, repair: true });
    expect(brief(report)).toEqual(["corrupt pack mended"]);
    expect(copyOf(tier, 0).key).toContain("/packed/");
    await expectAllRight(tier);
  });

  test("and is not here: of what is live only the objects with damaged bytes are lost", async () => {
    const made = await sparse();
    const tier = { ...made, manifests: [] };
    await free(tier, 0);
    const { key } = copyOf(tier, 0);
    const { bytes } = tier.world.objects.get(key) ?? { bytes: Buffer.alloc(0) };
    flip(tier, key, bytes.indexOf(tier.world.contentOf("also-0")) + 100);
    const report = await audited(tier, { deep: true, repair: true });
    expect(brief(report)).toEqual(["corrupt lost"]);
    expect(report.lost).toMatchObject({ count: 1, first: ["b/also-0"] });
    await tier.world.close(tier.store);
  });

  test("as a packed copy: it is packed again from the file on this disk, under another name", async () => {
    const made = await sparse();
    const tier = { ...made, manifests: [] };
    await tier.world.run(packerOf(made).packAll(signal));
    const { key } = copyOf(tier, 0);
    tier.world.objects.delete(key);
    expect(brief(await audited(tier))).toEqual(["missing pack"]);
    expect(brief(await audited(tier, { repair: true }))).toEqual(["missing pack mended"]);
    expect(copyOf(tier, 0).key).not.toBe(key);
    expect(lastOfThird(tier.store)).toBeGreaterThan(0);
    await expectAllRight(tier);
  });
});

describe("what nobody names", () => {
  test("is condemned if it is ours, and left alone if it is not", async () => {
    const tier = await uploaded();
    const { cluster, lineage } = tier.store.tier.place;
    const orphan = coldKey({ cluster, lineage }, { kind: "packed", id: 1, incarnation: "n1.dead" });
    const stranger = `${cluster}/${lineage}/notes.txt`;
    const [one] = tier.world.objects.values();
    if (one === undefined) throw new Error("no object");
    tier.world.objects.set(orphan, one);
    tier.world.objects.set(stranger, one);
    const report = await audited(tier);
    expect(report.findings.map(({ key }) => key)).toEqual([stranger, orphan]);
    expect(brief(report)).toEqual(["unknown none", "orphaned delete"]);
    expect(report.isSound).toBe(true);
    await audited(tier, { repair: true });
    const again = await audited(tier, { repair: true });
    expect(again.findings.map(({ why }) => why)).toContain("it is condemned");
    expect(tier.world.objects.has(stranger)).toBe(true);
    await tier.world.close(tier.store);
  });

  test("stays, and the audit says why, once another lineage may go on from this one", async () => {
    const tier = await uploaded();
    const { cluster, lineage } = tier.store.tier.place;
    const [one] = tier.world.objects.values();
    if (one === undefined) throw new Error("no object");
    tier.world.objects.set(coldKey({ cluster, lineage }, { kind: "packed", id: 1, incarnation: "x" }), one);
    tier.world.objects.set(
      coldKey({ cluster, lineage: "heir" }, { kind: "segment", first: 1, last: 2 }),
      one,
    );
    const report = await audited(tier, { repair: true });
    expect(report).toMatchObject({ blockedBy: ["heir"], findings: [] });
    await tier.world.close(tier.store);
  });
});
