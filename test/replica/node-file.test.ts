/**
 * Promises of node.json: whose directory it is, an incarnation that never comes twice, refusals that say
 * why.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { RefusedError } from "../../src/base/errors.ts";
import { openNodeFile } from "../../src/replica/node-file.ts";
import type { NodeFile } from "../../src/replica/node-file.ts";
import type { Disk } from "../../src/ports/disk.ts";
import { FailingDisk } from "../store/failing-disk.ts";
import { temporaryDirectory } from "../support/open-store.ts";

type Changes = { readonly nodeId?: string; readonly disk?: Disk; readonly segmentBytes?: number };

async function open(directory: string, changes: Changes = {}): Promise<NodeFile> {
  const { nodeId = "n1", disk = new NodeDisk(), segmentBytes = 1000 } = changes;
  return await openNodeFile({ disk, random: systemRandom, directory, nodeId, segmentBytes });
}

async function change(directory: string, fields: object): Promise<void> {
  const path = `${directory}/node.json`;
  const node = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(path, JSON.stringify({ ...node, ...fields }));
}

describe("a node file", () => {
  test("is made in an empty directory, with ids of its own", async () => {
    await using one = await temporaryDirectory();
    await using other = await temporaryDirectory();
    const [a, b] = [await open(one.path), await open(other.path)];
    expect(a).toMatchObject({ format: 1, nodeId: "n1", incarnation: 1, segmentBytes: 1000 });
    expect(a.clusterId).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set([a.clusterId, b.clusterId, a.lineage, b.lineage]).size).toBe(4);
  });

  test("keeps everything but the incarnation, which goes up at every start", async () => {
    await using directory = await temporaryDirectory();
    const first = await open(directory.path);
    const second = await open(directory.path);
    const third = await open(directory.path);
    expect(second).toEqual({ ...first, incarnation: 2 });
    expect(third).toEqual({ ...first, incarnation: 3 });
  });

  test("keeps the segment size it was made with, whatever the configuration says later", async () => {
    await using directory = await temporaryDirectory();
    await open(directory.path, { segmentBytes: 777 });
    expect((await open(directory.path, { segmentBytes: 1000 })).segmentBytes).toBe(777);
  });

  test("an incarnation is stable before anybody sees it: a start that dies before uses none", async () => {
    await using directory = await temporaryDirectory();
    await open(directory.path);
    for (const kind of ["write", "sync"] as const) {
      const disk = new FailingDisk();
      disk.before = (operation) => {
        if (operation.kind === kind) throw new Error("power cut");
      };
      await expect(open(directory.path, { disk })).rejects.toThrow("power cut");
    }
    expect((await open(directory.path)).incarnation).toBe(2);
  });

  test("what an interrupted first start left behind is no obstacle", async () => {
    await using directory = await temporaryDirectory();
    await mkdir(`${directory.path}/lock`);
    await mkdir(`${directory.path}/lost+found`);
    await writeFile(`${directory.path}/node.json.new`, '{"format":');
    expect((await open(directory.path)).incarnation).toBe(1);
  });
});

describe("refusals", () => {
  test("a directory of something else is left alone", async () => {
    await using directory = await temporaryDirectory();
    await writeFile(`${directory.path}/photo.jpg`, "");
    await expect(open(directory.path)).rejects.toThrow("photo.jpg");
    await expect(open(directory.path)).rejects.toThrow(RefusedError);
  });

  test("a data directory that lost its node.json is not taken for a new one", async () => {
    await using directory = await temporaryDirectory();
    await mkdir(`${directory.path}/log`);
    await expect(open(directory.path)).rejects.toThrow("log");
  });

  test("the directory of another node is refused with both names", async () => {
    await using directory = await temporaryDirectory();
    await open(directory.path);
    await expect(open(directory.path, { nodeId: "n2" })).rejects.toThrow("belongs to node n1");
  });

  test("a newer format is refused with its number", async () => {
    await using directory = await temporaryDirectory();
    await open(directory.path);
    await change(directory.path, { format: 2 });
    await expect(open(directory.path)).rejects.toThrow("data format 2");
  });

  test("every flipped bit is noticed, and nothing is written over the damage", async () => {
    await using directory = await temporaryDirectory();
    await open(directory.path);
    const path = `${directory.path}/node.json`;
    const sound = await readFile(path);
    for (let bit = 0; bit < sound.length * 8; bit += 3) {
      const damaged = Buffer.from(sound);
      damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
      await writeFile(path, damaged);
      await expect(open(directory.path), `bit ${bit}`).rejects.toThrow(RefusedError);
      expect((await readFile(path)).equals(damaged)).toBe(true);
    }
  });

  test.each(["", "{", "null", "[]", '{"format":1}', '{"format":"1","incarnation":1}'])(
    "%j is damage",
    async (text) => {
      await using directory = await temporaryDirectory();
      await writeFile(`${directory.path}/node.json`, text);
      await expect(open(directory.path)).rejects.toThrow("damaged");
    },
  );
});
