/**
 * The state behind the fake service: buckets, objects, uploads in plain maps, and the switches with which
 * tests make it slow or failing.
 */
import { CHUNK_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "../../src/service/api.ts";
import type {
  BodyWriter,
  BucketInfo,
  CompleteOutcome,
  FoundObject,
  PartInfo,
  PutBody,
  UploadInfo,
} from "../../src/service/api.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import type { WriteCondition } from "../../src/state/command.ts";

export type FailingKind = "find" | "put" | "read" | "list";
export type Pieces = readonly Uint8Array[];

export function sizeOf(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

export function compareKeys(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

export class FakeWriter implements BodyWriter {
  readonly pieces: Uint8Array[] = [];
  size = 0;
  state: "open" | "aborted" | "named" = "open";
  readonly gate: Promise<void> | undefined;
  readonly #ahead: number;
  #underWay = 0;
  /** Handed over and not yet stored. */
  bytesUnderWay = 0;
  #wake: (() => void) | undefined;

  /** Nothing is stored before `gate`; whoever writes waits when more than `ahead` chunks are under way. */
  constructor(gate?: Promise<void>, ahead = 0) {
    this.gate = gate;
    this.#ahead = ahead;
  }

  async write(
    pieces: Uint8Array | readonly Uint8Array[],
    { onStored }: { readonly onStored?: () => void } = {},
  ): Promise<void> {
    // A copy: what was lent is taken back once it is stored.
    const bytes = Buffer.concat(pieces instanceof Uint8Array ? [pieces] : pieces);
    if (bytes.length > CHUNK_BYTES_MAX) throw new Error("a piece larger than CHUNK_BYTES_MAX");
    this.pieces.push(bytes);
    this.size += bytes.length;
    this.#underWay++;
    this.bytesUnderWay += bytes.length;
    const stored = this.#store(bytes.length, onStored);
    if (this.#underWay > this.#ahead) await stored;
  }

  async #store(length: number, onStored: (() => void) | undefined): Promise<void> {
    await this.gate;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    this.#underWay--;
    this.bytesUnderWay -= length;
    onStored?.();
    if (this.#underWay === 0) this.#wake?.();
  }

  abort(): void {
    if (this.state === "open") this.state = "aborted";
  }

  async settled(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

export class FakeObject implements FoundObject {
  readonly size: number;
  readonly modifiedMs: number;
  readonly etag: string;
  readonly attributes: Attributes;
  readonly bytes: Uint8Array | undefined;
  readonly pieces: Pieces;
  readonly partSizes: readonly number[];
  readonly tagCount = 0;
  readonly birthIndex = 1;
  readonly birthSub = 0;
  readonly hasVersionId = false;
  edge: unknown = undefined;

  constructor(facts: Pick<FakeObject, "modifiedMs" | "etag" | "attributes" | "pieces" | "partSizes">) {
    this.modifiedMs = facts.modifiedMs;
    this.etag = facts.etag;
    this.attributes = facts.attributes;
    this.pieces = facts.pieces;
    this.partSizes = facts.partSizes;
    this.size = sizeOf(facts.pieces);
    this.bytes = this.size <= SMALL_BODY_BYTES_MAX ? Buffer.concat(facts.pieces) : undefined;
  }

  get partCount(): number {
    return this.partSizes.length;
  }
}

export type FakePart = PartInfo & { readonly pieces: Pieces };

export type FakeUpload = UploadInfo & {
  readonly bucket: string;
  readonly attributes: Attributes;
  readonly parts: Map<number, FakePart>;
  completed: CompleteOutcome | undefined;
};

export class FakeWorld {
  readonly buckets = new Map<string, BucketInfo>();
  /** By bucket + "/" + name. */
  readonly settings = new Map<string, string>();
  /** By bucket + "/" + key. */
  readonly objects = new Map<string, FakeObject>();
  readonly uploads = new Map<string, FakeUpload>();
  readonly writers = new Set<FakeWriter>();
  appliedIndex = 0;
  /** Makes every later call of the named kind throw, until set to undefined. */
  failure: { readonly on: FailingKind; readonly error: Error } | undefined;
  /** Lets `find` answer with a promise, as on a miss. */
  slowFind = false;
  /** What every chunk waits for before it is stored. */
  writeGate: Promise<void> | undefined;
  /** Chunks of a body that may be on their way to being stored while the next ones come. */
  chunksAhead = 0;
  /** Pieces of bodies as readers got them. */
  readonly handedOut: Uint8Array[] = [];
  /** Called before each piece of a read. */
  onRead: (() => Promise<void>) | undefined;
  ready = true;

  nowMs(): number {
    return Date.now();
  }

  failOn(kind: FailingKind): void {
    if (this.failure?.on === kind) throw this.failure.error;
  }

  takeBody(body: PutBody): Pieces {
    if (body.kind === "bytes") {
      if (body.bytes.length > SMALL_BODY_BYTES_MAX) throw new Error("a small body that is not small");
      return [body.bytes];
    }
    const { writer } = body;
    if (!(writer instanceof FakeWriter) || writer.state !== "open") throw new Error("the writer is not open");
    writer.state = "named";
    return writer.pieces;
  }

  verdict(path: string, condition: WriteCondition): "holds" | "noSuchKey" | "preconditionFailed" {
    const current = this.objects.get(path);
    if (condition.kind === "none") return "holds";
    if (condition.kind === "absent") return current === undefined ? "holds" : "preconditionFailed";
    if (current === undefined) return "noSuchKey";
    return condition.etag === "*" || current.etag === condition.etag ? "holds" : "preconditionFailed";
  }

  keysOf(bucket: string): readonly string[] {
    const prefix = `${bucket}/`;
    const paths = [...this.objects.keys()].filter((path) => path.startsWith(prefix));
    return paths.map((path) => path.slice(prefix.length)).toSorted(compareKeys);
  }

  /** What would be on disk: for asserting that nothing was stored. */
  counts(): { readonly objects: number; readonly uploads: number; readonly openWriters: number } {
    const openWriters = [...this.writers].filter(({ state }) => state === "open").length;
    return { objects: this.objects.size, uploads: this.uploads.size, openWriters };
  }
}
