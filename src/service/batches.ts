/**
 * Batches: one command, which apply does as a whole or not at all. What a copy of the batch is made of is
 * found out here: another operation of the batch may have made its source, and small sources travel by value.
 */
import { InvariantError, unreachable } from "../base/assert.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { BatchStep, Chunk, Command, CommandResult } from "../state/command.ts";
import type { StoredObject } from "../state/stored-object.ts";
import type { TagSet } from "../state/tags.ts";
import type { ObjectService } from "./api.ts";
import type { BatchInput, BatchOutcome, BatchResult, BatchService } from "./batch-api.ts";
import type { Bodies } from "./bodies.ts";
import { again } from "./copies.ts";
import type { Copies } from "./copies.ts";
import { unexpected } from "./put-outcome.ts";
import { sourceOf } from "./source-bytes.ts";

type Write = Extract<BatchStep, { kind: "putObject" | "copyObject" }>;
type Input = Parameters<BatchService["write"]>[0];
type Parts = {
  readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly objects: ObjectService;
  readonly copies: Copies;
  readonly bodies: Bodies;
};

/** The steps of one attempt, as far as they are made. */
class Steps {
  readonly list: BatchStep[] = [];
  readonly #parts: Parts;
  readonly #bucket: string;
  /** What the steps so far leave at their keys; `undefined`: nothing. */
  readonly #left = new Map<string, Write | undefined>();
  /** Nobody else asks what is left. */
  readonly #hasCopies: boolean;
  bytes = 0;

  constructor(parts: Parts, { bucket, operations }: Input) {
    this.#parts = parts;
    this.#bucket = bucket;
    this.#hasCopies = operations.some(({ kind }) => kind === "copy");
  }

  /** `false`: there is nothing to copy. A promise only where something has to be read. */
  add(input: BatchInput): boolean | Promise<boolean> {
    if (input.kind === "deleteVersion") {
      const { kind, key, version } = input;
      this.list.push({ kind, bucket: this.#bucket, key, version, condition: { kind: "none" } });
      return true;
    }
    const { key, condition } = input;
    const bucket = this.#bucket;
    switch (input.kind) {
      case "put": {
        const { etag, attributes, bytes, tags } = input;
        const body = this.#parts.bodies.commandBody({ kind: "bytes", bytes });
        if (body.kind === "stored") throw new InvariantError("a body in memory was staged");
        this.#write({
          kind: "putObject",
          bucket,
          key,
          etag,
          attributes,
          body,
          condition,
          tags: someOf(tags),
        });
        return true;
      }
      case "copy":
        return this.#copy(input);
      case "delete":
        this.list.push({ kind: "deleteObject", bucket, key, condition });
        if (this.#hasCopies) this.#left.set(key, undefined);
        return true;
      case "check":
        this.list.push({ kind: "checkObject", bucket, key, condition });
        return true;
      default:
        return unreachable(input);
    }
  }

  #write(step: Write): void {
    this.list.push(step);
    if (this.#hasCopies) this.#left.set(step.key, step);
    if (step.body.kind === "bytes") this.bytes += step.body.bytes.length;
  }

  async #copy({ key, condition, source, tags }: Extract<BatchInput, { kind: "copy" }>): Promise<boolean> {
    const made = this.#left.has(source) ? this.#left.get(source) : await this.#copyOf(source);
    if (made !== undefined) this.#write({ ...made, key, condition, tags: tags ?? made.tags });
    return made !== undefined;
  }

  async #copyOf(source: string): Promise<Write | undefined> {
    const { objects, copies } = this.#parts;
    const found = (await objects.find(`${this.#bucket}/${source}`)) as StoredObject | undefined;
    if (found === undefined) return undefined;
    const { attributes } = found;
    const brought = await copies.bodyOfCopy(found, { attributes, tags: undefined, checksum: undefined });
    const { body, etag, checksum } = brought;
    if (body.kind === "stored") throw new InvariantError("a copy was staged");
    const path = { bucket: this.#bucket, key: source };
    return {
      kind: "copyObject",
      source: sourceOf(path, found),
      ...path,
      etag,
      attributes: { ...attributes, checksum },
      tags: undefined,
      body,
      condition: { kind: "none" },
    };
  }
}

export class Batches implements BatchService {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async write(input: Input): Promise<BatchOutcome> {
    return await again(() => this.#attempt(input));
  }

  /** `undefined`: the source of a copy is another one by now. */
  async #attempt(input: Input): Promise<BatchOutcome | undefined> {
    const { operations, bytesMax } = input;
    const steps = new Steps(this.#parts, input);
    for (const [at, operation] of operations.entries()) {
      const added = steps.add(operation);
      if (!(typeof added === "boolean" ? added : await added))
        return { kind: "refused", at, reason: "noSuchSource" };
      if (steps.bytes > bytesMax) return { kind: "tooLarge", at };
    }
    const result = await this.#parts.log.propose({ kind: "batch", steps: steps.list });
    if (result.kind === "batchDone")
      return { kind: "done", results: result.results.map((each, at) => resultOf(each, operations[at])) };
    if (result.kind !== "batchRefused") return unexpected(result);
    const { at, reason } = result;
    switch (reason) {
      case "sourceChanged":
        return undefined;
      case "noSuchBucket":
        return { kind: "noSuchBucket" };
      case "noSuchKey":
      case "preconditionFailed":
        return { kind: "refused", at, reason };
      default:
        return unreachable(reason);
    }
  }
}

/** No tags are said by saying nothing. */
function someOf(tags: TagSet): TagSet | undefined {
  return tags.length === 0 ? undefined : tags;
}

function resultOf(result: CommandResult, operation: BatchInput | undefined): BatchResult {
  switch (result.kind) {
    case "objectPut":
      return { kind: "put", etag: result.etag, versionId: result.versionId };
    case "versionDeleted":
      return { kind: "deleted", version: result };
    case "done":
      return operation?.kind === "check" ? { kind: "checked" } : { kind: "deleted", version: undefined };
    default:
      return unexpected(result);
  }
}
