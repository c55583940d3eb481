/**
 * Directories that must not be opened: in use, of another node, of a newer release, somebody else's, or with
 * files that do not belong together. Each refusal says what is wrong; none changes anything.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, cp, readFile, readdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { RefusedError } from "../../src/base/errors.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import { verifyDirectory } from "../support/verify-directory.ts";
import { md5 } from "./recorded-client.ts";
import { SimWorld } from "./sim-world.ts";

const SMALL = { segmentBytes: 4096 };

/** A store with a few segments, closed again. */
async function filled(directory: string): Promise<void> {
  await using store = await openStore(directory, SMALL);
  await store.service.buckets.create({ name: "b", owner: "root", location: "" });
  for (let at = 0; at < 5; at++) {
    const bytes = Buffer.alloc(3000, at);
    await store.service.objects.put({
      bucket: "b",
      key: `k${at}`,
      etag: md5(bytes),
      attributes: NO_ATTRIBUTES,
      body: { kind: "bytes", bytes },
      condition: { kind: "none" },
    });
  }
}

async function refusal(directory: string): Promise<string> {
  try {
    await using store = await openStore(directory, SMALL);
    return `opened with ${store.service.status().appliedIndex} entries`;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return error.message;
  }
}

async function changeNode(directory: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const path = `${directory}/node.json`;
  const node = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...node, ...changes }));
}

describe("a directory in use", () => {
  test("within one process is refused, and free again after the close", async () => {
    await using directory = await temporaryDirectory();
    {
      await using _store = await openStore(directory.path);
      expect(await refusal(directory.path)).toContain("another process uses");
    }
    expect(await refusal(directory.path)).toContain("opened");
  });

  test("by another process is refused until that one is gone, however it went", async () => {
    await using directory = await temporaryDirectory();
    const script = new URL("hold-directory.ts", import.meta.url).pathname;
    const other = spawn(process.execPath, [script, directory.path], { stdio: ["ignore", "pipe", "inherit"] });
    await once(other.stdout, "data");
    expect(await refusal(directory.path)).toContain("another process uses");
    other.kill("SIGKILL");
    await once(other, "exit");
    expect(await refusal(directory.path)).toContain("opened");
  });
});

describe("a directory of somebody else", () => {
  test("that is not empty", async () => {
    await using directory = await temporaryDirectory();
    await writeFile(`${directory.path}/letter.txt`, "dear");
    expect(await refusal(directory.path)).toContain("letter.txt");
    expect(await readFile(`${directory.path}/letter.txt`, "utf8")).toBe("dear");
  });

  test("another node's", async () => {
    await using directory = await temporaryDirectory();
    {
      await using _store = await openStore(directory.path, { nodeId: "n2" });
    }
    expect(await refusal(directory.path)).toContain("belongs to node n2");
  });

  test("written by a newer release", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await changeNode(directory.path, { format: 2 });
    expect(await refusal(directory.path)).toContain("format 2");
  });

  test("with a node.json that was changed or damaged", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await changeNode(directory.path, { segmentBytes: 8192 });
    expect(await refusal(directory.path)).toContain("node.json is damaged");
    await writeFile(`${directory.path}/node.json`, '{"format": 1');
    expect(await refusal(directory.path)).toContain("node.json is damaged");
  });
});

describe("files that do not belong together", () => {
  test("a vote older than the log", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await cp(`${directory.path}/vote`, `${directory.path}/vote.old`);
    expect(await refusal(directory.path)).toContain("opened");
    await rename(`${directory.path}/vote.old`, `${directory.path}/vote`);
    expect(await refusal(directory.path)).toContain("vote file is older");
  });

  test("a missing segment in the middle, and at the end", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    const log = `${directory.path}/log`;
    await rename(`${log}/0000000002.seg`, `${directory.path}/kept`);
    expect(await refusal(directory.path)).toContain("0000000002.seg is missing");
    await rename(`${directory.path}/kept`, `${log}/0000000002.seg`);
    for (const name of (await readdir(log)).toSorted().slice(1)) await rm(`${log}/${name}`);
    expect(await refusal(directory.path)).toMatch(/were acknowledged|segment files are missing/);
  });

  test("a segment of another log", async () => {
    await using directory = await temporaryDirectory();
    await using other = await temporaryDirectory();
    await filled(directory.path);
    await filled(other.path);
    await cp(`${other.path}/log/0000000002.seg`, `${directory.path}/log/0000000002.seg`);
    expect(await refusal(directory.path)).toMatch(/damaged|another log/);
  });

  test("a log that was cut off below the mark", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await truncate(`${directory.path}/log/0000000001.seg`, 200);
    expect(await refusal(directory.path)).toContain("was acknowledged");
  });

  test("an index ahead of the log", async () => {
    await using directory = await temporaryDirectory();
    await using younger = await temporaryDirectory();
    await filled(directory.path);
    {
      await using _store = await openStore(younger.path, SMALL);
    }
    await rm(`${younger.path}/index`, { recursive: true });
    await cp(`${directory.path}/index`, `${younger.path}/index`, { recursive: true });
    expect(await refusal(younger.path)).toContain("the log ends at");
  });

  test("two bad slots of the vote, and of the mark", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    for (const name of ["vote", "acked"]) {
      const path = `${directory.path}/${name}`;
      const bytes = await readFile(path);
      await writeFile(path, Buffer.from(bytes).fill(0x55, 0, 16).fill(0x55, 4096, 4112));
      expect(await refusal(directory.path)).toContain("both slots");
      await writeFile(path, bytes);
    }
    expect(await refusal(directory.path)).toContain("opened");
  });
});

describe("a mark that is lost", () => {
  /** The open segment ends in bytes that are no record: a torn tail, or what was acknowledged, who knows. */
  async function tear(directory: string): Promise<string> {
    const names = (await readdir(`${directory}/log`)).toSorted();
    const paths = names.map((name) => `${directory}/log/${name}`);
    const sizes = await Promise.all(paths.map(async (path) => (await readFile(path)).length));
    // Behind it stands a file that was made ahead.
    const open = paths[sizes.findLastIndex((size) => size > 0)] as string;
    await appendFile(open, Buffer.alloc(50, 7));
    return open;
  }

  test("with its file is refused: with the path, the log and the way out; and nothing is made", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await rm(`${directory.path}/acked`);
    const vote = await readFile(`${directory.path}/vote`);
    const message = await refusal(directory.path);
    expect(message).toContain(`${directory.path}/acked is missing`);
    expect(message).toContain(`${directory.path}/log`);
    expect(message).toContain("thermocline verify");
    expect(await readdir(directory.path)).not.toContain("acked");
    expect((await readFile(`${directory.path}/vote`)).equals(vote)).toBe(true);
    // As before the next time: the refusal itself repaired nothing.
    expect(await refusal(directory.path)).toContain("is missing");
  });

  test("is begun anew if its file is emptied on purpose and every entry can be read", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await writeFile(`${directory.path}/acked`, "");
    const opened = await refusal(directory.path);
    expect(opened).toContain("opened");
    expect(Number(opened.match(/\d+/)?.[0])).toBeGreaterThan(5);
    await tear(directory.path);
    // The mark is there again, so this is a torn tail.
    expect(await refusal(directory.path)).toContain("opened");
  });

  test("makes a tail that cannot be read damage, though it may be a torn one", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    await writeFile(`${directory.path}/acked`, "");
    const open = await tear(directory.path);
    const before = await readFile(open);
    expect(await refusal(directory.path)).toMatch(/entry \d+ in .*\.seg .*is damaged .*the mark is empty/);
    expect((await readFile(open)).equals(before)).toBe(true);
    const report = await verifyDirectory(directory.path);
    expect(report.lines.join("\n")).toMatch(/^DAMAGED .*\.seg: entry \d+ at offset/m);
  });

  test("in a directory whose log has no entry yet is no loss", async () => {
    await using directory = await temporaryDirectory();
    await filled(directory.path);
    for (const name of ["acked", "vote", "index", "log"]) {
      await rm(`${directory.path}/${name}`, { recursive: true });
    }
    expect(await refusal(directory.path)).toContain("opened");
  });
});

describe("an object cannot pass for the end of a segment", () => {
  test("a body that ends like a sealed segment, as the last record before a crash", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket({ segmentBytes: 64 * 1024 });
    // The bytes of a real sealed segment, as somebody would back it up.
    const sealed = new SimWorld();
    const source = await sealed.openWithBucket({ segmentBytes: 8 * 1024 });
    expect(await sealed.outcome(sealed.put(source, "k", sealed.bytes(9000)))).toBe("put");
    await sealed.close(source);
    const body = Buffer.from((await sealed.disk.readFile("data/log/0000000001.seg")) as Uint8Array);
    expect(body.includes("THERMFTR")).toBe(true);
    expect(await world.outcome(world.put(store, "backup", body))).toBe("put");
    world.clock.forgetSleepers();
    await world.disk.kill();
    const next = await world.open();
    expect(await world.get(next, "backup")).toEqual(body);
    await world.close(next);
  });
});

test("a group of writes that no record can hold is refused, not lost at the next start", async () => {
  const world = new SimWorld();
  const store = await world.openWithBucket();
  const bytes = world.bytes(64 * 1024);
  const inputs = Array.from({ length: 300 }, (_, at) => ({
    bucket: "b",
    key: `k${at}`,
    etag: md5(bytes),
    attributes: NO_ATTRIBUTES,
    body: { kind: "bytes" as const, bytes },
    condition: { kind: "none" as const },
  }));
  const refused = world.clock.run(store.service.objects.putMany(inputs));
  await expect(refused).rejects.toThrow("bytes");
  expect(store.fatal).toEqual([]);
  expect(await world.outcome(world.put(store, "k", bytes))).toBe("put");
  await world.close(store);
  const next = await world.open();
  expect(await world.get(next, "k0")).toBeUndefined();
  expect(await world.get(next, "k")).toEqual(bytes);
  await world.close(next);
});
