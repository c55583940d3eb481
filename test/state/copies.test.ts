/** Copies and appends write a handful of rows, whatever is copied and however much was appended before. */
import { expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Command, CommandResult, CopySource } from "../../src/state/command.ts";
import { chunkOf } from "./chunk-of.ts";
import { recount } from "./recount.ts";
import { StateWorld } from "./state-world.ts";

const ETAG = "0".repeat(32);
const NONE = { kind: "none" } as const;

/** Bucket "b" with object "k" of one chunk of 1,000 bytes. */
class CopyWorld {
  readonly world = new StateWorld({ segmentBytesMax: 1_000_000 });
  birthIndex: number;

  constructor() {
    this.world.apply([{ kind: "createBucket", name: "b", owner: "o", location: "" }]);
    this.world.applyChunk(chunkOf("n1.1-0", 0, Buffer.alloc(1000)));
    const body = { kind: "stored", bodyId: "n1.1-0", size: 1000 } as const;
    const put = { kind: "putObject", bucket: "b", key: "k", etag: ETAG, attributes: NO_ATTRIBUTES } as const;
    this.world.apply([{ ...put, body, condition: NONE }]);
    this.birthIndex = this.world.log.length;
  }

  get source(): CopySource {
    return { bucket: "b", key: "k", birthIndex: this.birthIndex, birthSub: 0 };
  }

  /** The answer, and how many rows changed. */
  apply(command: Command): { readonly kind: CommandResult["kind"] | undefined; readonly rows: number } {
    const before = new Map(this.world.view.rows);
    const [result] = this.world.apply([command]);
    const now = this.world.view.rows;
    const changed = [...now].filter(([key, row]) => before.get(key) !== row).length;
    const gone = [...before.keys()].filter((key) => !now.has(key)).length;
    return { kind: result?.kind, rows: changed + gone };
  }

  append(offset: number): Command {
    const body = { kind: "bytes", bytes: Buffer.from("x"), crc32c: 0 } as const;
    const etags = { etag: ETAG, pieceEtag: ETAG };
    const base = { kind: "empty" } as const;
    const { source } = this;
    return {
      kind: "appendObject",
      source,
      offset,
      listId: "l",
      base,
      body,
      ...etags,
      attributes: NO_ATTRIBUTES,
    };
  }
}

test("a copy and a rename of a body in chunks write its count, their own rows and the counters", () => {
  const world = new CopyWorld();
  const copy: Command = {
    kind: "copyObject",
    source: world.source,
    bucket: "b",
    key: "copy",
    etag: ETAG,
    attributes: NO_ATTRIBUTES,
    tags: undefined,
    body: { kind: "shared" },
    condition: NONE,
  };
  expect(world.apply(copy)).toEqual({ kind: "objectPut", rows: 4 });
  const { source } = world;
  const rename: Command = {
    kind: "renameObject",
    source,
    key: "new",
    body: { kind: "shared" },
    condition: NONE,
  };
  // The count goes up and down again.
  expect(world.apply(rename)).toEqual({ kind: "objectPut", rows: 5 });
  expect(recount(world.world.view.rows)).toEqual([]);
});

test("10,000 appends write as few rows each as the first, and one more is refused", () => {
  const world = new CopyWorld();
  const counts = new Set<number>();
  for (let piece = 2; piece <= 10_000; piece++) {
    const offset = 1000 + piece - 2;
    const isWatched = piece % 1111 === 2 || piece === 10_000;
    if (isWatched) {
      const { kind, rows } = world.apply(world.append(offset));
      expect(kind).toBe("objectPut");
      if (piece > 2) counts.add(rows);
    } else world.world.apply([world.append(offset)]);
    world.birthIndex = world.world.log.length;
  }
  // The piece, the object, the list's count (up and down again), the bucket's counters, the segment.
  expect([...counts]).toEqual([5]);
  expect(world.apply(world.append(1000 + 9999)).kind).toBe("tooManyPieces");
  expect(recount(world.world.view.rows)).toEqual([]);
}, 20_000);
