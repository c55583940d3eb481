/**
 * What the state machine means, as plainly as it can be said: objects that hold objects. No rows, no
 * counters, no reaping in steps: what lost its last reference is gone at once.
 */
import { isColdCommand } from "../../src/state/cold-codec.ts";
import type { ColdCommand } from "../../src/state/cold-command.ts";
import type {
  Batch,
  Chunk,
  Command,
  CommandBody,
  CommandResult,
  CopySource,
  WriteCondition,
} from "../../src/state/command.ts";
import type { TagSet } from "../../src/state/tags.ts";
import type { SettingCommand } from "../../src/state/setting-command.ts";
import { birthText, versionNameText } from "../../src/state/version-id.ts";
import { ModelObjects } from "./model-objects.ts";
import type { ModelObject } from "./model-objects.ts";

type ModelBucket = {
  readonly id: number;
  readonly owner: string;
  readonly objects: ModelObjects;
  readonly settings: Map<string, string>;
};
type ModelUpload = {
  readonly bucketId: number;
  readonly key: string;
  readonly parts: Map<number, { readonly etag: string; readonly size: number }>;
  readonly tags: TagSet;
  nesting: number;
  revision: number;
  lastTimeMs: number;
};
/** `chunks` of a body that is given up or named no longer matter. */
type StagedBody = { chunks: number; size: number; open: boolean };

export class StateModel {
  readonly buckets = new Map<string, ModelBucket>();
  readonly uploads = new Map<string, ModelUpload>();
  /** Sealed secrets by account, and the sealed key, as hex. */
  readonly accounts = new Map<string, string>();
  dataKey: string | undefined;
  readonly #bodies = new Map<string, StagedBody>();
  #bucketsMade = 0;
  #timeMs = 0;
  /** Of what the present command writes. */
  #birth = "";
  /** What a user's clock showed, and at which log time. */
  #date = { shownMs: 0, atMs: 0, heldMs: 0 };

  /** Log time never goes back. */
  see(timeMs: number): void {
    this.#timeMs = Math.max(this.#timeMs, timeMs);
  }

  /** The date goes on with log time from where it was set. */
  get dateMs(): number {
    const { shownMs, atMs, heldMs } = this.#date;
    return Math.max(shownMs + (this.#timeMs - atMs), heldMs);
  }

  /** Ten minutes back and less: the date stands until it is that late again. */
  #setDate(dateMs: number): void {
    const before = this.dateMs;
    const heldMs = before - dateMs > 600_000 ? 0 : before;
    this.#date = { shownMs: dateMs, atMs: this.#timeMs, heldMs };
  }

  chunk(chunk: Chunk, timeMs: number): CommandResult {
    this.see(timeMs);
    const body = this.#bodies.get(chunk.bodyId) ?? { chunks: 0, size: 0, open: true };
    if (!body.open || body.chunks !== chunk.sequence) return { kind: "bodyGone" };
    body.chunks++;
    body.size += chunk.length;
    this.#bodies.set(chunk.bodyId, body);
    return { kind: "done" };
  }

  /** The commands of the entry `index`. */
  commands(commands: readonly Command[], timeMs: number, index: number): readonly CommandResult[] {
    this.see(timeMs);
    let birthSub = 0;
    const bear = (): void => {
      this.#birth = birthText({ birthIndex: index, birthSub: birthSub++ });
    };
    return commands.map((command) => {
      if (command.kind === "batch") {
        const result = this.#batch(command, bear);
        // Numbers of steps that were not done are not given to others.
        birthSub +=
          command.steps.length - (result.kind === "batchRefused" ? result.at + 1 : command.steps.length);
        return result;
      }
      bear();
      return this.#one(command);
    });
  }

  /** Each step is done; if one cannot be, all is brought back as it was. */
  #batch({ steps }: Batch, bear: () => void): CommandResult {
    const restores = [...this.buckets.values()].map(({ objects }) => objects.save());
    const sources = steps.map((step) => step.kind === "copyObject" && this.#version(step.source));
    const results: CommandResult[] = [];
    for (const [at, step] of steps.entries()) {
      bear();
      const result =
        step.kind === "copyObject" ? this.#copy(step, sources[at] || undefined) : this.#one(step);
      switch (result.kind) {
        case "done":
        case "objectPut":
        case "versionDeleted":
          results.push(result);
          break;
        case "noSuchBucket":
        case "noSuchKey":
        case "preconditionFailed":
        case "sourceChanged":
          for (const restore of restores) restore();
          return { kind: "batchRefused", at, reason: result.kind };
        default:
          throw new Error(`a step of a batch answers ${result.kind}`);
      }
    }
    return { kind: "batchDone", results };
  }

  #one(command: Command): CommandResult {
    switch (command.kind) {
      case "createBucket": {
        const existing = this.buckets.get(command.name);
        if (existing !== undefined) return { kind: "bucketExists", owner: existing.owner };
        const id = ++this.#bucketsMade;
        const objects = new ModelObjects(() => this.#birth);
        this.buckets.set(command.name, { id, owner: command.owner, objects, settings: new Map() });
        return { kind: "done" };
      }
      case "deleteBucket": {
        const bucket = this.buckets.get(command.name);
        if (bucket === undefined) return { kind: "noSuchBucket" };
        if (bucket.objects.size > 0) return { kind: "bucketNotEmpty" };
        this.buckets.delete(command.name);
        return { kind: "done" };
      }
      case "deleteVersion":
        return this.#deleteVersion(command);
      case "setVersioning": {
        const bucket = this.buckets.get(command.bucket);
        if (bucket === undefined) return { kind: "noSuchBucket" };
        bucket.objects.versioning = command.versioning;
        return { kind: "done" };
      }
      case "putObject":
        return this.#put(command);
      case "deleteObject":
        return this.#delete(command);
      case "createUpload":
        return this.#createUpload(command);
      case "putPart":
        return this.#putPart(command);
      case "completeUpload":
        return this.#complete(command);
      case "abortUpload":
        return this.#abort(command);
      case "abortBody":
        this.#close(command.bodyId);
        return { kind: "done" };
      case "reapParts":
        throw new Error("the model has nothing to reap");
      case "checkObject": {
        const bucket = this.buckets.get(command.bucket);
        if (bucket === undefined) return { kind: "noSuchBucket" };
        return this.#refusal(command.condition, bucket.objects.get(command.key)) ?? { kind: "done" };
      }
      case "batch":
        throw new Error("a batch inside a batch");
      case "copyObject":
        return this.#copy(command, this.#version(command.source));
      case "copyPart":
        return this.#copyPart(command);
      case "renameObject":
        return this.#rename(command);
      case "appendObject":
        return this.#append(command);
      case "putObjectTags":
        return this.#tag(command);
      case "setDate":
        this.#setDate(command.dateMs);
        return { kind: "done" };
      case "tick":
      case "reapBody":
      case "dropSegments":
        return { kind: "done" };
      default:
        return this.#setting(command);
    }
  }

  #setting(command: SettingCommand | ColdCommand): CommandResult {
    if (isColdCommand(command)) throw new Error("the model knows of no cold tier");
    switch (command.kind) {
      case "putAccount":
        this.accounts.set(command.accountId, Buffer.from(command.sealedSecret).toString("hex"));
        return { kind: "done" };
      case "deleteAccount":
        this.accounts.delete(command.accountId);
        return { kind: "done" };
      case "putDataKey":
        this.dataKey = Buffer.from(command.sealedKey).toString("hex");
        return { kind: "done" };
      default: {
        const settings = this.buckets.get(command.bucket)?.settings;
        if (command.kind === "deleteBucketSetting") settings?.delete(command.name);
        else settings?.set(command.name, command.document);
        return settings === undefined ? { kind: "noSuchBucket" } : { kind: "done" };
      }
    }
  }

  #close(bodyId: string): void {
    const body = this.#bodies.get(bodyId);
    if (body !== undefined) body.open = false;
  }

  /** The size of a body that may be named now, taking it; `undefined` if it may not. */
  #claim(body: CommandBody): number | undefined {
    if (body.kind === "empty") return 0;
    if (body.kind === "bytes") return body.bytes.length;
    if (!this.#canClaim(body)) return undefined;
    this.#close(body.bodyId);
    return body.size;
  }

  #canClaim(body: CommandBody): boolean {
    if (body.kind !== "stored") return true;
    const staged = this.#bodies.get(body.bodyId);
    return staged?.open === true && staged.size === body.size;
  }

  #refusal(condition: WriteCondition, old: ModelObject | undefined): CommandResult | undefined {
    if (condition.kind === "none") return undefined;
    if (condition.kind === "absent") return old && { kind: "preconditionFailed" };
    if (old === undefined) return { kind: "noSuchKey" };
    return condition.etag === "*" || condition.etag === old.etag ? undefined : { kind: "preconditionFailed" };
  }

  #put(command: Extract<Command, { kind: "putObject" }>): CommandResult {
    const bucket = this.buckets.get(command.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const refusal = this.#refusal(command.condition, bucket.objects.get(command.key));
    if (refusal !== undefined) return refusal;
    const size = this.#claim(command.body);
    if (size === undefined) return { kind: "bodyGone" };
    const { key, etag, tags = [] } = command;
    return this.#write(bucket, key, { etag, size, tags, nesting: 0 });
  }

  #delete(command: Extract<Command, { kind: "deleteObject" }>): CommandResult {
    const bucket = this.buckets.get(command.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const refusal = this.#refusal(command.condition, bucket.objects.get(command.key));
    if (refusal !== undefined) return refusal;
    const versionId = bucket.objects.delete(command.key, this.dateMs);
    return versionId === undefined ? { kind: "done" } : { kind: "versionDeleted", versionId, isMarker: true };
  }

  #deleteVersion(command: Extract<Command, { kind: "deleteVersion" }>): CommandResult {
    const bucket = this.buckets.get(command.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const versionId = versionNameText(command.version);
    const version = bucket.objects.find(command.key, versionId);
    const refusal = this.#refusal(command.condition, version?.object);
    if (refusal !== undefined) return refusal;
    bucket.objects.removeVersion(command.key, versionId);
    if (bucket.objects.versioning === undefined) return { kind: "done" };
    return { kind: "versionDeleted", versionId, isMarker: version !== undefined && !version.object };
  }

  #createUpload(command: Extract<Command, { kind: "createUpload" }>): CommandResult {
    const bucket = this.buckets.get(command.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const { key } = command;
    const { tags = [] } = command;
    const lastTimeMs = this.#timeMs;
    const upload = { bucketId: bucket.id, key, parts: new Map(), tags, nesting: 0, revision: 0, lastTimeMs };
    this.uploads.set(command.uploadId, upload);
    return { kind: "done" };
  }

  #putPart(command: Extract<Command, { kind: "putPart" }>): CommandResult {
    const upload = this.uploads.get(command.uploadId);
    if (upload === undefined) return { kind: "noSuchUpload" };
    const size = this.#claim(command.body);
    if (size === undefined) return { kind: "bodyGone" };
    upload.parts.set(command.partNumber, { size, etag: command.etag });
    upload.revision++;
    upload.lastTimeMs = this.#timeMs;
    return { kind: "partPut", modifiedMs: this.dateMs, etag: command.etag };
  }

  #complete(command: Extract<Command, { kind: "completeUpload" }>): CommandResult {
    const bucket = this.buckets.get(command.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const upload = this.uploads.get(command.uploadId);
    if (upload?.bucketId !== bucket.id || upload.key !== command.key) return { kind: "noSuchUpload" };
    if (upload.revision !== command.revision) return { kind: "uploadChanged" };
    const refusal = this.#refusal(command.condition, bucket.objects.get(command.key));
    if (refusal !== undefined) return refusal;
    this.uploads.delete(command.uploadId);
    const { etag, size, key } = command;
    return this.#write(bucket, key, { etag, size, tags: upload.tags, nesting: 1 + upload.nesting });
  }

  #abort(command: Extract<Command, { kind: "abortUpload" }>): CommandResult {
    const upload = this.uploads.get(command.uploadId);
    if (upload?.key !== command.key) return { kind: "noSuchUpload" };
    const idle = command.idleSinceMs;
    if (idle !== undefined && upload.lastTimeMs > idle) return { kind: "uploadChanged" };
    this.uploads.delete(command.uploadId);
    return { kind: "done" };
  }

  #write(
    bucket: ModelBucket,
    key: string,
    object: Omit<ModelObject, "birth" | "timeMs"> & { readonly timeMs?: number },
  ): CommandResult {
    const { timeMs = this.dateMs, etag } = object;
    const versionId = bucket.objects.set(key, { ...object, birth: this.#birth, timeMs });
    return { kind: "objectPut", modifiedMs: timeMs, etag, versionId };
  }

  #source(source: CopySource): ModelObject | undefined {
    const found = this.buckets.get(source.bucket)?.objects.get(source.key);
    return found?.birth === birthText(source) ? found : undefined;
  }

  /** A copy may be of an older version. */
  #version(source: CopySource): ModelObject | undefined {
    return this.buckets.get(source.bucket)?.objects.ofBirth(source.key, birthText(source));
  }

  #copy(command: Extract<Command, { kind: "copyObject" }>, source: ModelObject | undefined): CommandResult {
    const bucket = this.buckets.get(command.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    if (source === undefined) return { kind: "sourceChanged" };
    const refusal = this.#refusal(command.condition, bucket.objects.get(command.key));
    if (refusal !== undefined) return refusal;
    const isShared = command.body.kind === "shared";
    const size = command.body.kind === "shared" ? source.size : this.#claim(command.body);
    if (size === undefined) return { kind: "bodyGone" };
    const { key, etag, tags = source.tags } = command;
    return this.#write(bucket, key, { etag, size, tags, nesting: isShared ? source.nesting : 0 });
  }

  #copyPart(command: Extract<Command, { kind: "copyPart" }>): CommandResult {
    const upload = this.uploads.get(command.uploadId);
    if (upload === undefined) return { kind: "noSuchUpload" };
    const source = this.#version(command.source);
    if (source === undefined) return { kind: "sourceChanged" };
    if (command.body.kind !== "shared" && this.#claim(command.body) === undefined)
      return { kind: "bodyGone" };
    if (command.body.kind === "shared") upload.nesting = Math.max(upload.nesting, source.nesting);
    const { size, etag } = command;
    upload.parts.set(command.partNumber, { size, etag });
    upload.revision++;
    upload.lastTimeMs = this.#timeMs;
    return { kind: "partPut", modifiedMs: this.dateMs, etag };
  }

  #rename(command: Extract<Command, { kind: "renameObject" }>): CommandResult {
    const bucket = this.buckets.get(command.source.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const source = this.#source(command.source);
    if (source === undefined || command.key === command.source.key) return { kind: "sourceChanged" };
    const refusal = this.#refusal(command.condition, bucket.objects.get(command.key));
    if (refusal !== undefined) return refusal;
    if (command.body.kind !== "shared" && this.#claim(command.body) === undefined)
      return { kind: "bodyGone" };
    bucket.objects.delete(command.source.key, this.dateMs);
    return this.#write(bucket, command.key, source);
  }

  #append(command: Extract<Command, { kind: "appendObject" }>): CommandResult {
    const bucket = this.buckets.get(command.source.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const source = this.#source(command.source);
    if (source?.size !== command.offset) return { kind: "sourceChanged" };
    const { base, body } = command;
    const isSame = base.kind === "stored" && body.kind === "stored" && base.bodyId === body.bodyId;
    if (isSame || !this.#canClaim(base) || !this.#canClaim(body)) return { kind: "bodyGone" };
    this.#claim(base);
    const size = this.#claim(body) ?? 0;
    const { etag } = command;
    const grown = { etag, size: source.size + size, tags: source.tags, nesting: source.nesting + 1 };
    return this.#write(bucket, command.source.key, grown);
  }

  #tag(command: Extract<Command, { kind: "putObjectTags" }>): CommandResult {
    const bucket = this.buckets.get(command.bucket);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const { key, version, tags } = command;
    const { objects } = bucket;
    const object = version === undefined ? objects.get(key) : objects.ofBirth(key, birthText(version));
    if (object === undefined) return { kind: version === undefined ? "noSuchKey" : "sourceChanged" };
    objects.change(key, { ...object, tags });
    return { kind: "done" };
  }
}
