/**
 * Promises of the two-slot files: newest wins, a torn slot costs one value at most, two bad ones are told.
 */
import { copyFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { RefusedError } from "../../src/base/errors.ts";
import { logIndex, term } from "../../src/base/units.ts";
import { AckedFile } from "../../src/store/acked-file.ts";
import { SlotFile } from "../../src/store/slot-file.ts";
import { VoteFile } from "../../src/store/vote-file.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { cutTo, flipBit, overwrite } from "./bytes-of-files.ts";
import { FailingDisk } from "./failing-disk.ts";

const disk = new NodeDisk();
const SLOT_B = 4096;

async function written(path: string, values: readonly string[]): Promise<void> {
  const file = await SlotFile.open(disk, path);
  for (const value of values) await file.writeNext(Buffer.from(value));
  await file.close();
}

async function read(path: string): Promise<readonly [state: string, value: string | undefined]> {
  const file = await SlotFile.open(disk, path);
  await file.close();
  return [file.state, file.payload?.toString()];
}

describe("a slot file", () => {
  test("is fresh when it was just made, and when its first write left only zeros", async () => {
    await using directory = await temporaryDirectory();
    expect(await read(`${directory.path}/a`)).toEqual(["fresh", undefined]);
    await cutTo(`${directory.path}/a`, 4608);
    expect(await read(`${directory.path}/a`)).toEqual(["fresh", undefined]);
  });

  test("holds the newest value, however many were written", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/a`;
    for (const value of ["one", "two", "three", "four", "five"]) {
      await written(path, [value]);
      expect(await read(path)).toEqual(["valid", value]);
    }
    await written(path, ["", "x".repeat(496)]);
    expect(await read(path)).toEqual(["valid", "x".repeat(496)]);
  });

  test("takes no value that does not fit into a sector", async () => {
    await using directory = await temporaryDirectory();
    const file = await SlotFile.open(disk, `${directory.path}/a`);
    await expect(file.writeNext(Buffer.alloc(497))).rejects.toThrow("do not fit");
    await file.close();
  });

  test.each([1, 2, 3, 4])(
    "of %d values loses the newest one at most when its slot is torn",
    async (count) => {
      await using directory = await temporaryDirectory();
      const path = `${directory.path}/a`;
      const values = ["one", "two", "three", "four"].slice(0, count);
      await written(path, values);
      const newestSlot = count % 2 === 1 ? SLOT_B : 0;
      await overwrite(path, newestSlot + 12, Buffer.alloc(3));
      expect(await read(path)).toEqual(count === 1 ? ["bothSlotsBad", undefined] : ["valid", values.at(-2)]);
    },
  );

  test("keeps the newest value when the older slot is torn", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/a`;
    await written(path, ["one", "two"]);
    await overwrite(path, SLOT_B, Buffer.alloc(512, 0xff));
    expect(await read(path)).toEqual(["valid", "two"]);
  });

  test("notices every flipped bit of a slot", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/a`;
    await written(path, ["old", "new"]);
    for (let bit = 0; bit < (12 + 3 + 4) * 8; bit++) {
      await flipBit(path, bit >>> 3, bit & 7);
      expect(await read(path), `bit ${bit}`).toEqual(["valid", "old"]);
      await flipBit(path, bit >>> 3, bit & 7);
    }
  });

  test("says so when both slots are bad", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/a`;
    await written(path, ["one", "two"]);
    await flipBit(path, 12);
    await flipBit(path, SLOT_B + 12);
    expect(await read(path)).toEqual(["bothSlotsBad", undefined]);
  });

  test("goes on after a slot was lost, into that slot", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/a`;
    await written(path, ["one", "two"]);
    await flipBit(path, 12);
    await written(path, ["three"]);
    expect(await read(path)).toEqual(["valid", "three"]);
    await flipBit(path, 12);
    expect(await read(path)).toEqual(["valid", "one"]);
  });
});

describe("a vote file", () => {
  test("fresh, holds term 0 and no vote", async () => {
    await using directory = await temporaryDirectory();
    const file = await VoteFile.open(disk, `${directory.path}/vote`);
    expect(file.vote).toEqual({ term: 0, votedFor: undefined });
    await file.close();
  });

  test("never goes back: a vote is in both slots when `write` returns", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/vote`;
    const file = await VoteFile.open(disk, path);
    await file.write({ term: term(3), votedFor: "n1" });
    await file.write({ term: term(4), votedFor: undefined });
    await file.close();
    for (const slot of [0, SLOT_B]) {
      await using copy = await temporaryDirectory();
      const file2 = `${copy.path}/vote`;
      await copyFile(path, file2);
      await flipBit(file2, slot + 13);
      const opened = await VoteFile.open(disk, file2);
      expect(opened.vote).toEqual({ term: 4, votedFor: undefined });
      await opened.close();
    }
  });

  test("heals: after an open with one bad slot either slot alone tells the vote", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/vote`;
    const file = await VoteFile.open(disk, path);
    await file.write({ term: term(7), votedFor: "n1" });
    await file.close();
    await flipBit(path, 13);
    await (await VoteFile.open(disk, path)).close();
    await flipBit(path, SLOT_B + 13);
    const healed = await VoteFile.open(disk, path);
    expect(healed.vote).toEqual({ term: 7, votedFor: "n1" });
    await healed.close();
  });

  test("a write that was cut between its slots leaves the vote before or the new one", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/vote`;
    const failing = new FailingDisk();
    const file = await VoteFile.open(failing, path);
    await file.write({ term: term(1), votedFor: "n1" });
    let writes = 0;
    failing.before = ({ kind }) => {
      if (kind === "write" && ++writes === 2) throw new Error("power cut");
    };
    await expect(file.write({ term: term(2), votedFor: "n1" })).rejects.toThrow("power cut");
    await file.close();
    const opened = await VoteFile.open(disk, path);
    expect(opened.vote.term).toBe(2);
    await opened.close();
  });

  test("with two bad slots refuses, and says what to do", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/vote`;
    const file = await VoteFile.open(disk, path);
    await file.write({ term: term(1), votedFor: "n1" });
    await file.close();
    await flipBit(path, 1);
    await flipBit(path, SLOT_B + 1);
    const opening = VoteFile.open(disk, path);
    await expect(opening).rejects.toThrow(RefusedError);
    await expect(opening).rejects.toThrow(path);
  });
});

describe("the acknowledged mark", () => {
  test("starts at 0 and is what was written last", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/acked`;
    for (const index of [0, 5, 6, 2 ** 40]) {
      const file = await AckedFile.open(disk, path);
      if (index > 0) await file.write(logIndex(index));
      expect(file.index).toBe(index);
      await file.close();
      const again = await AckedFile.open(disk, path);
      expect(again.index).toBe(index);
      await again.close();
    }
  });

  test("stands in both slots from the first time on", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/acked`;
    const file = await AckedFile.open(disk, path);
    expect(file.isEmpty).toBe(true);
    expect(await AckedFile.peek(disk, path)).toBeUndefined();
    await file.begin(logIndex(3));
    expect([file.isEmpty, file.index]).toEqual([false, 3]);
    await file.close();
    for (const slot of [0, SLOT_B]) {
      await flipBit(path, slot);
      expect(await AckedFile.peek(disk, path)).toBe(3);
      await flipBit(path, slot);
    }
  });

  test("a torn newest slot falls back to the mark before, never to none", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/acked`;
    const file = await AckedFile.open(disk, path);
    await file.write(logIndex(10));
    await file.write(logIndex(20));
    await file.close();
    await flipBit(path, 12);
    const opened = await AckedFile.open(disk, path);
    expect(opened.index).toBe(10);
    await opened.close();
  });

  test("with two bad slots refuses", async () => {
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/acked`;
    const file = await AckedFile.open(disk, path);
    await file.write(logIndex(10));
    await file.write(logIndex(20));
    await file.close();
    await flipBit(path, 0);
    await flipBit(path, SLOT_B);
    await expect(AckedFile.open(disk, path)).rejects.toThrow("torn tail");
  });
});
