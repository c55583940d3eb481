/**
 * Turns arbitrary steps into entries that a real gateway could have proposed, gives them to the state
 * machine and to the model, and compares the two after each.
 */
import fc from "fast-check";
import { expect } from "vitest";
import { crc32c } from "../../src/base/crc.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import type {
  AppendObject,
  Command,
  CommandBody,
  CommandResult,
  CopyBody,
  CopySource,
  WriteCondition,
} from "../../src/state/command.ts";
import { keys } from "../../src/state/keys.ts";
import { decodeFootprint } from "../../src/state/object-row.ts";
import type { PartRun } from "../../src/state/object-row.ts";
import { EXTENTS_PER_ROW, rows } from "../../src/state/rows.ts";
import { NESTING_MAX } from "../../src/state/shared-body.ts";
import type { TagSet } from "../../src/state/tags.ts";
import { BUCKET_SETTING_NAMES } from "../../src/state/setting-command.ts";
import { NULL_VERSION, birthText, parseVersionId } from "../../src/state/version-id.ts";
import type { VersionName } from "../../src/state/version-id.ts";
import { decodeVersion } from "../../src/state/version-row.ts";
import type { ModelObject } from "./model-objects.ts";
import { stepOf } from "./batch-steps.ts";
import { recount } from "./recount.ts";
import { settingsInModel, settingsInRows } from "./settings-in-rows.ts";
import { StateModel } from "./state-model.ts";
import { StateWorld } from "./state-world.ts";
import { versionsInRows } from "./versions-in-rows.ts";
import { chunkOf } from "./chunk-of.ts";

/** Small numbers that the driver reads as it needs: which bucket, which key, how large, ... */
export type Step = {
  readonly kind: (typeof STEP_KINDS)[number];
  readonly a: number;
  readonly b: number;
  readonly c: number;
};
const STEP_KINDS = [
  "createBucket",
  "deleteBucket",
  "put",
  "put",
  "put",
  "put",
  "put",
  "delete",
  "delete",
  "deleteVersion",
  "setVersioning",
  "createUpload",
  "createUpload",
  "putPart",
  "putPart",
  "putPart",
  "complete",
  "complete",
  "abortUpload",
  "chunk",
  "chunk",
  "chunk",
  "abortBody",
  "copy",
  "copy",
  "check",
  "batch",
  "batch",
  "copyPart",
  "copyPart",
  "rename",
  "append",
  "append",
  "tag",
  "setDate",
  "tick",
  "dropSegments",
  "putSetting",
  "deleteSetting",
  "account",
  "look",
  "sweep",
  "blank",
] as const;

const small = fc.nat(11);
export const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...STEP_KINDS),
  a: small,
  b: small,
  c: small,
});

const BUCKETS = ["alpha", "beta"];
const KEYS = ["k", "k/1", "k/ü", "😀"];
const ETAGS = ["0".repeat(32), "1".repeat(32), "2".repeat(32)];
/** A little, up to what is held and beyond it, in both directions. */
const CLOCK_MOVES = [3, -3, 600_000, -600_000, 600_001, -600_001, 1e9, -1e9];
const AT_A_KEY = { delete: "deleteObject", check: "checkObject" } as const;
const SIZES = [0, 1, 256, 257, 700, 3000];

function switchOf(bucket: string, at: number): Command {
  return { kind: "setVersioning", bucket, versioning: at % 3 === 0 ? "Suspended" : "Enabled" };
}

function pick<Item>(items: readonly Item[], at: number): Item {
  return items[at % items.length] as Item;
}

/** Made of the numbers alone. */
function plainCommand({ kind, a, b, c }: Step): Command {
  if (kind === "tick") return { kind };
  // Most of these segments are live, some cut and dead, some gone before or not there yet.
  if (kind === "dropSegments") return { kind, segmentIds: [...new Set([a, b, c, a + b + c])] };
  const setting = { bucket: pick(BUCKETS, a), name: pick(BUCKET_SETTING_NAMES, b) };
  if (kind === "putSetting") return { kind: "putBucketSetting", ...setting, document: pick(ETAGS, c) };
  if (kind === "deleteSetting") return { kind: "deleteBucketSetting", ...setting };
  const accountId = pick(["alice", "bob"], a);
  const sealed = Buffer.alloc(b + 1, c);
  if (c % 3 === 0) return { kind: "deleteAccount", accountId };
  if (c % 3 === 1) return { kind: "putDataKey", salt: sealed, sealedKey: sealed };
  return { kind: "putAccount", accountId, displayName: "A", accessKey: "key", sealedSecret: sealed };
}

export class StateDriver {
  readonly world = new StateWorld();
  /** Told every answer of the state machine. */
  onAnswer: (command: string, result: CommandResult) => void = () => undefined;
  readonly model = new StateModel();
  /** Chunks sent per body: a gateway sends each sequence number once. */
  readonly #sent = new Map<string, { count: number; size: number }>();
  #uploadsMade = 0;
  #bodiesMade = 0;
  #listsMade = 0;
  #timeMs = 1000;
  /** What housekeeping saw and has not proposed yet. */
  #doomed: readonly Command[] = [];

  /** One entry; several steps that make commands go into it together. */
  run(steps: readonly Step[]): void {
    const commands: Command[] = [];
    this.#timeMs += (steps[0]?.a ?? 0) - 2;
    for (const each of steps) {
      if (each.kind === "chunk") this.#chunk(each);
      else if (each.kind === "look") this.#doomed = this.#whatToReap();
      else if (each.kind === "sweep") this.#sweep();
      else if (each.kind === "blank") this.world.applyBlank(each.a % 3 === 0 ? 4 : 1);
      else {
        const command = this.#command(each);
        if (command !== undefined) commands.push(command);
      }
    }
    if (commands.length > 0) {
      const wanted = this.model.commands(commands, this.#timeMs, this.world.log.length + 1);
      expect(this.#apply(commands)).toEqual(wanted);
    }
    this.compare();
  }

  #apply(commands: readonly Command[]): readonly CommandResult[] {
    const results = this.world.apply(commands, this.#timeMs);
    for (const [at, result] of results.entries()) this.onAnswer((commands[at] as Command).kind, result);
    return results;
  }

  compare(): void {
    const wanted = [...this.model.buckets].map(([name, { objects }]) => [
      name,
      { versioning: objects.versioning, keys: objects.all() },
    ]);
    expect(versionsInRows(this.world.view.rows)).toEqual(Object.fromEntries(wanted));
    expect(recount(this.world.view.rows)).toEqual([]);
    expect(settingsInRows(this.world.view.rows)).toEqual(settingsInModel(this.model));
    const etags = [...this.model.buckets].flatMap(([name, bucket]) =>
      [...bucket.objects].map(([key, { etag }]) => [`${name}/${key}`, etag] as const),
    );
    expect(Object.fromEntries(this.world.cached)).toEqual(Object.fromEntries(etags));
  }

  /** Housekeeping until nothing is left to do; then every reap row must be gone. */
  settle(): void {
    for (let round = 0; round < 3; round++) {
      this.#doomed = this.#whatToReap();
      this.#sweep();
    }
    this.compare();
    const left = [...this.world.view.rows.keys()].filter((key) => key.startsWith("reap/"));
    expect(left).toEqual([]);
  }

  #chunk({ a, b, c }: Step): void {
    const isNew = this.#bodiesMade === 0 || a % 3 === 0;
    const bodyId = `n1.1-${isNew ? this.#bodiesMade++ : a % this.#bodiesMade}`;
    const sent = this.#sent.get(bodyId) ?? { count: 0, size: 0 };
    const bytes = Buffer.alloc(pick(SIZES, b) + 1, c);
    const sequence = c === 0 && sent.count > 0 ? sent.count + 1 : sent.count;
    const chunk = chunkOf(bodyId, sequence, bytes.subarray(0, c), bytes.subarray(c));
    const result = this.model.chunk(chunk, this.#timeMs);
    if (result.kind === "done")
      this.#sent.set(bodyId, { count: sequence + 1, size: sent.size + bytes.length });
    const answer = this.world.applyChunk(chunk, this.#timeMs);
    this.onAnswer("chunk", answer);
    expect(answer).toEqual(result);
  }

  #body({ b, c }: Step): CommandBody {
    if (c % 3 === 0 && this.#bodiesMade > 0) {
      const bodyId = `n1.1-${b % this.#bodiesMade}`;
      const size = this.#sent.get(bodyId)?.size ?? 1;
      return { kind: "stored", bodyId, size: c === 9 ? size + 1 : size };
    }
    const bytes = Buffer.alloc(pick(SIZES, b), c);
    return bytes.length === 0 ? { kind: "empty" } : { kind: "bytes", bytes, crc32c: crc32c(bytes) };
  }

  #condition(at: number): WriteCondition {
    if (at < 8) return { kind: "none" };
    return at === 8 ? { kind: "absent" } : { kind: "etag", etag: at === 9 ? "*" : pick(ETAGS, at) };
  }

  #attributes(at: number): Attributes {
    if (at % 4 !== 0) return NO_ATTRIBUTES;
    const checksum = { algorithm: "CRC32" as const, type: "FULL_OBJECT" as const, value: "AAAAAA==" };
    return { headers: [], metadata: [["m", "x".repeat(100 * at)]], checksum };
  }

  #command(each: Step): Command | undefined {
    const { kind, a, b, c } = each;
    const [bucket, key, etag] = [pick(BUCKETS, a), pick(KEYS, b), pick(ETAGS, c)];
    if (kind === "setVersioning") return switchOf(bucket, c);
    if (kind === "batch") return this.#batch(each);
    switch (kind) {
      case "createBucket":
        return { kind, name: bucket, owner: `owner${b}`, location: "" };
      case "deleteBucket":
        return { kind, name: bucket };
      case "put": {
        const body = this.#body(each);
        const [attributes, condition] = [this.#attributes(c), this.#condition(a)];
        const tags = b % 3 === 0 ? this.#tags(c) : undefined;
        return { kind: "putObject", bucket, key, etag, attributes, body, condition, tags };
      }
      case "delete":
      case "check":
        return { kind: AT_A_KEY[kind], bucket, key, condition: this.#condition(c) };
      case "deleteVersion":
        return { kind, bucket, key, version: this.#version(each), condition: this.#condition(c) };
      case "createUpload": {
        const uploadId = `u${this.#uploadsMade++}`;
        const attributes = this.#attributes(c);
        const tags = b % 3 === 0 ? this.#tags(c) : undefined;
        return { kind, bucket, key, uploadId, owner: "o", attributes, checksum: undefined, tags };
      }
      case "putPart": {
        const partNumber = (b % 3) + 1;
        const body = this.#body(each);
        return { kind, uploadId: this.#uploadId(a), partNumber, etag, checksum: undefined, body };
      }
      case "complete":
        return this.#complete(each);
      case "abortUpload": {
        const upload = this.model.uploads.get(this.#uploadId(a));
        const idleSinceMs = c % 2 === 0 ? undefined : this.#timeMs - c;
        const { bucketId, key: ofKey } = upload ?? { bucketId: 1, key };
        return { kind, uploadId: this.#uploadId(a), bucketId, key: ofKey, idleSinceMs };
      }
      case "abortBody":
        return { kind, bodyId: `n1.1-${b % (this.#bodiesMade + 1)}` };
      case "copy":
        return this.#copy(each);
      case "copyPart":
        return this.#copyPart(each);
      case "rename": {
        const source = this.#source(a, b);
        const body = this.#copyBody(each, source, { start: 0, size: this.#sizeOf(source) });
        return { kind: "renameObject", source, key: pick(KEYS, c), body, condition: this.#condition(c) };
      }
      case "append":
        return this.#append(each);
      case "tag": {
        const { birthIndex, birthSub } = this.#anyVersion(each);
        const version = c % 3 === 0 ? undefined : { birthIndex, birthSub };
        return { kind: "putObjectTags", bucket, key, version, tags: this.#tags(c) };
      }
      case "setDate":
        return { kind, dateMs: Math.max(0, this.model.dateMs + pick(CLOCK_MOVES, a)) };
      case "tick":
      case "dropSegments":
      case "putSetting":
      case "deleteSetting":
      case "account":
        return plainCommand(each);
      default:
        return undefined;
    }
  }

  #tags(at: number): TagSet {
    return Array.from({ length: at % 4 }, (_, number) => [`t${number}`, `${at}`] as const);
  }

  /** What stands there as the gateway saw it; now and then it has looked too early. */
  #source(a: number, b: number): CopySource {
    const path = { bucket: pick(BUCKETS, a), key: pick(KEYS, b) };
    const row = this.#rowOf(path);
    const birth = row === undefined ? { birthIndex: 1, birthSub: 0 } : decodeFootprint(row);
    return { ...path, birthIndex: birth.birthIndex - ((a + b) % 8 === 7 ? 1 : 0), birthSub: birth.birthSub };
  }

  /** For what may name an older version: now and then the oldest. */
  #anyVersion({ a, b, c }: Step): CopySource {
    const source = this.#source(a, b);
    const versions = this.model.buckets.get(source.bucket)?.objects.versionsOf(source.key) ?? [];
    const oldest = versions.findLast(({ object }) => object !== undefined)?.object;
    const birth = c % 2 === 0 || oldest === undefined ? undefined : parseVersionId(oldest.birth);
    if (birth?.kind !== "birth") return source;
    return { ...source, birthIndex: birth.birthIndex, birthSub: birth.birthSub };
  }

  #modelOf(source: CopySource): ModelObject | undefined {
    const objects = this.model.buckets.get(source.bucket)?.objects;
    return objects?.ofBirth(source.key, birthText(source)) ?? objects?.get(source.key);
  }

  /** The row of this version, else that of the current object. */
  #rowOfVersion(source: CopySource): Uint8Array | undefined {
    const bytes = this.world.view.get(keys.bucket(source.bucket));
    const row = bytes && this.world.view.get(keys.version(rows.bucket.decode(bytes).id, source.key, source));
    const version = row && decodeVersion(row).version;
    return version?.kind === "object" ? version.row : this.#rowOf(source);
  }

  #rowOf({ bucket, key }: { readonly bucket: string; readonly key: string }): Uint8Array | undefined {
    const bytes = this.world.view.get(keys.bucket(bucket));
    return bytes && this.world.view.object(keys.objectPrefix(rows.bucket.decode(bytes).id), key);
  }

  #sizeOf(source: CopySource): number {
    return this.#modelOf(source)?.size ?? 0;
  }

  /** Shared if it can be, else as many bytes. */
  #copyBody(
    { c }: Step,
    source: CopySource,
    range: { readonly start: number; readonly size: number },
  ): CopyBody {
    const row = this.#rowOfVersion(source);
    const kind = row === undefined ? "empty" : decodeFootprint(row).body.kind;
    const nesting = this.#modelOf(source)?.nesting ?? 0;
    const isLarge = kind === "stored" || kind === "parts" || kind === "appended";
    if (isLarge && nesting < NESTING_MAX) return { kind: "shared" };
    const bytes = Buffer.alloc(range.size, c);
    return bytes.length === 0 ? { kind: "empty" } : { kind: "bytes", bytes, crc32c: crc32c(bytes) };
  }

  #copy(each: Step): Command {
    const { b, c } = each;
    const source = this.#anyVersion(each);
    const target = { bucket: pick(BUCKETS, c), key: pick(KEYS, b + c) };
    const isOwnBody = c % 3 === 0;
    const body = isOwnBody
      ? this.#body(each)
      : this.#copyBody(each, source, { start: 0, size: this.#sizeOf(source) });
    const tags = c % 4 === 0 ? this.#tags(b) : undefined;
    const [attributes, condition] = [this.#attributes(c), this.#condition(b)];
    return { kind: "copyObject", source, ...target, etag: pick(ETAGS, c), attributes, tags, body, condition };
  }

  /** One to four steps, most of them on few keys, so that they meet each other. */
  #batch({ a, b, c }: Step): Command {
    const steps = Array.from({ length: 1 + (a % 4) }, (_, number) => {
      const kind = pick(
        ["put", "delete", "copy", "put", "check", "copy", "deleteVersion"] as const,
        b + number * (1 + c),
      );
      const each = { kind, a: (a + number * c) % 12, b: (b + number) % 12, c: (c + 5 * number) % 12 };
      return stepOf(this.#command(each));
    });
    return { kind: "batch", steps: steps.flat() };
  }

  #copyPart(each: Step): Command {
    const { c } = each;
    const source = this.#anyVersion(each);
    const whole = this.#sizeOf(source);
    const start = c % 2 === 0 ? 0 : Math.min(whole, c);
    const size = Math.max(0, whole - start - (c % 4 === 0 ? 0 : 1));
    const body = this.#copyBody(each, source, { start, size });
    const part = { uploadId: this.#uploadId(c), partNumber: (c % 3) + 1, etag: pick(ETAGS, c) };
    return { kind: "copyPart", source, ...part, checksum: undefined, start, size, body };
  }

  #append(each: Step): Command {
    const { a, b, c } = each;
    const source = this.#source(a, b);
    const offset = this.#sizeOf(source) + (c === 10 ? 1 : 0);
    const listId = `l${this.#listsMade++}`;
    const row = this.#rowOf(source);
    const kind = row === undefined ? "empty" : decodeFootprint(row).body.kind;
    const isSmall = kind === "inline" || kind === "record";
    const base = isSmall ? this.#staged(offset, c) : ({ kind: "empty" } as const);
    const [etag, attributes, body] = [pick(ETAGS, c), this.#attributes(c), this.#body(each)];
    return { kind: "appendObject", source, offset, listId, base, body, etag, pieceEtag: etag, attributes };
  }

  /** The bytes so far as a body of its own, which a chunk just before brings. */
  #staged(size: number, fill: number): AppendObject["base"] {
    const bodyId = `n1.1-${this.#bodiesMade++}`;
    const chunk = chunkOf(bodyId, 0, Buffer.alloc(Math.max(1, size), fill));
    this.#sent.set(bodyId, { count: 1, size: chunk.length });
    const wanted = this.model.chunk(chunk, this.#timeMs);
    expect(this.world.applyChunk(chunk, this.#timeMs)).toEqual(wanted);
    return { kind: "stored", bodyId, size };
  }

  /** Mostly one that is there. */
  #version({ a, b, c }: Step): VersionName {
    const versions = this.model.buckets.get(pick(BUCKETS, a))?.objects.versionsOf(pick(KEYS, b)) ?? [];
    const known = versions.length > 0 && c % 5 < 4 ? parseVersionId(pick(versions, c).id) : undefined;
    if (known !== undefined) return known;
    return c % 2 === 0 ? NULL_VERSION : { kind: "birth", birthIndex: c + 1, birthSub: a % 2 };
  }

  #uploadId(at: number): string {
    return `u${Math.max(0, this.#uploadsMade - 1 - (at % 4))}`;
  }

  /**
   * As a gateway would that validated the parts: all of them, or those with odd numbers; perhaps too early.
   */
  #complete({ a, b, c }: Step): Command {
    const uploadId = this.#uploadId(a);
    const upload = this.model.uploads.get(uploadId);
    const chosen = [...(upload?.parts ?? [])]
      .filter(([partNumber]) => b % 2 === 0 || partNumber % 2 === 1)
      .toSorted(([x], [y]) => x - y);
    const runs: readonly PartRun[] = chosen.map(([firstPart, { size }]) => ({ firstPart, count: 1, size }));
    const size = runs.reduce((sum, run) => sum + run.size, 0);
    const names = [...this.model.buckets].find(([, { id }]) => id === upload?.bucketId);
    const revision = Math.max(0, (upload?.revision ?? 0) - (c === 11 ? 1 : 0));
    const target = { bucket: names?.[0] ?? pick(BUCKETS, a), key: upload?.key ?? pick(KEYS, b) };
    const etag = pick(ETAGS, c);
    const condition = this.#condition(c);
    return {
      kind: "completeUpload",
      ...target,
      uploadId,
      revision,
      runs,
      size,
      etag,
      checksum: undefined,
      condition,
    };
  }

  /** What housekeeping proposes for the rows as they are now. */
  #whatToReap(): readonly Command[] {
    const all = this.world.view.rows;
    return [...all.keys()].toSorted().flatMap((key): Command[] => {
      const [prefix, kind, id] = key.split("/") as [string, string, string];
      if (prefix !== "reap") return [];
      return kind === "body" ? this.#reapBody(id) : [this.#reapParts(id)];
    });
  }

  #reapBody(bodyId: string): Command[] {
    const bytes = this.world.view.get(keys.body(bodyId));
    const count = bytes === undefined ? 0 : rows.body.decode(bytes).extentCount;
    const pages = Math.max(1, Math.ceil(count / EXTENTS_PER_ROW));
    return Array.from({ length: pages }, (_, at) => ({ kind: "reapBody", bodyId, page: pages - 1 - at }));
  }

  #reapParts(uploadId: string): Command {
    const bytes = this.world.view.get(keys.upload(uploadId));
    const completed = bytes === undefined ? undefined : rows.upload.decode(bytes).completed;
    const dropped = completed === undefined || completed.refs === 0;
    const partNumbers = [...this.world.view.rows.keys()]
      .filter((key) => key.startsWith(keys.partPrefix(uploadId)))
      .map((key) => Number(key.slice(-5)))
      .filter((number) => dropped || completed?.runs.every(({ firstPart }) => firstPart !== number));
    return { kind: "reapParts", uploadId, partNumbers, last: true, dropped };
  }

  #sweep(): void {
    for (const command of this.#doomed) {
      this.model.see(this.#timeMs);
      this.#apply([command]);
    }
    this.#doomed = [];
  }
}
