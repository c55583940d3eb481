/**
 * Copies and renames. Large bodies are shared, so these are writes of a few rows whatever their size; small
 * ones are read here and travel in the command. Apply refuses a source that changed meanwhile, and the whole
 * is done again with the one that stands there then.
 */
import { createHash, hash } from "node:crypto";
import { BusyError } from "../base/errors.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import { checksumOf } from "../s3/checksums.ts";
import type { ChecksumAlgorithm, StoredChecksum } from "../state/attributes.ts";
import type { Chunk, Command, CommandBody, CommandResult, CopyBody } from "../state/command.ts";
import type { StoredObject } from "../state/stored-object.ts";
import { SMALL_BODY_BYTES_MAX } from "./api.ts";
import type { FoundObject, ObjectService, PutBody } from "./api.ts";
import { Append } from "./appends.ts";
import type { AppendInput } from "./appends.ts";
import type { Bodies } from "./bodies.ts";
import type {
  AppendOutcome,
  CopyOutcome,
  CopyPartOutcome,
  CopyPlan,
  CopyService,
  ObjectPath,
  RenameOutcome,
  SourcePath,
} from "./copy-api.ts";
import type { VersionService } from "./version-api.ts";
import { unexpected } from "./put-outcome.ts";
import { bytesOf, digestRange, sourceOf, writeCopy } from "./source-bytes.ts";

/** How often a source is looked at again because it keeps changing. */
const TRIES = 8;

type Range = { readonly start: number; readonly end: number };
type CopyInput = Parameters<CopyService["copy"]>[0];
type CopyPartInput = Parameters<CopyService["copyPart"]>[0];
type RenameInput = Parameters<CopyService["rename"]>[0];

type Refused = { readonly refused: "noSuchSource" | "sourceIsMarker" };

/** What a body of its own brings along: its digests are those of its bytes. */
type Brought = {
  readonly body: CopyBody;
  readonly etag: string;
  readonly checksum: StoredChecksum | undefined;
};

export class Copies implements CopyService {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #objects: ObjectService;
  readonly #versions: VersionService;
  readonly #bodies: Bodies;
  readonly #parts: ConstructorParameters<typeof Append>[0];

  constructor(parts: {
    readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
    readonly objects: ObjectService;
    readonly versions: VersionService;
    readonly bodies: Bodies;
    readonly hasBucket: (name: string) => boolean;
  }) {
    this.#log = parts.log;
    this.#objects = parts.objects;
    this.#versions = parts.versions;
    this.#bodies = parts.bodies;
    this.#parts = parts;
  }

  async copy(input: CopyInput): Promise<CopyOutcome> {
    return await again(async () => {
      const source = await this.#findSource(input.source);
      if ("refused" in source) return { kind: source.refused };
      const plan = input.look(source);
      const { body, etag, checksum } = await this.bodyOfCopy(source, plan);
      const result = await this.#log.propose({
        kind: "copyObject",
        source: sourceOf(input.source, source),
        ...input.target,
        etag,
        attributes: { ...plan.attributes, checksum },
        tags: plan.tags,
        body,
        condition: input.condition,
      });
      switch (result.kind) {
        case "sourceChanged":
          return undefined;
        case "objectPut":
          return {
            kind: "copied",
            etag,
            modifiedMs: result.modifiedMs,
            checksum,
            source,
            versionId: result.versionId,
          };
        case "noSuchBucket":
        case "noSuchKey":
        case "preconditionFailed":
          return { kind: result.kind };
        default:
          return unexpected(result);
      }
    });
  }

  /** Of the whole source: shared if it is large, else its bytes. */
  async bodyOfCopy(source: StoredObject, plan: CopyPlan): Promise<Brought> {
    const own = source.attributes.checksum;
    const algorithm = plan.checksum ?? own?.algorithm;
    const whole = { start: 0, end: source.size };
    if (source.size <= SMALL_BODY_BYTES_MAX) return await this.#bring(source, whole, algorithm);
    const { etag } = source;
    const isKept =
      plan.checksum === undefined || (own?.algorithm === plan.checksum && own.type === "FULL_OBJECT");
    if (isKept) return { body: { kind: "shared" }, etag, checksum: own };
    const { checksum } = await digestRange(this.#objects, source, whole, algorithm);
    return { body: { kind: "shared" }, etag, checksum };
  }

  /** A small range by value. */
  async #bring(
    source: StoredObject,
    range: Range,
    algorithm: ChecksumAlgorithm | undefined,
  ): Promise<Brought> {
    const bytes = await bytesOf(this.#objects, source, range);
    const etag = hash("md5", bytes, "hex");
    const checksum: StoredChecksum | undefined =
      algorithm === undefined
        ? undefined
        : { algorithm, type: "FULL_OBJECT", value: checksumOf(algorithm, bytes).toString("base64") };
    return { body: this.#bodies.commandBody({ kind: "bytes", bytes }), etag, checksum };
  }

  async copyPart(input: CopyPartInput): Promise<CopyPartOutcome> {
    let isDeep = false;
    return await again(async () => {
      const source = await this.#findSource(input.source);
      if ("refused" in source) return { kind: source.refused };
      const range = input.look(source);
      const outcome = isDeep
        ? await this.#copyPartByValue(input, source, range)
        : await this.#proposePart(input, source, {
            range,
            ...(await this.#part(source, range, input.checksum)),
          });
      isDeep ||= outcome === "tooDeep";
      return outcome === "tooDeep" ? undefined : outcome;
    });
  }

  /** Shared, unless it is small; MD5 and checksum are known, computed, or (an MD5 nobody needs) made up. */
  async #part(
    source: StoredObject,
    range: Range,
    algorithm: ChecksumAlgorithm | undefined,
  ): Promise<Brought> {
    if (range.end - range.start <= SMALL_BODY_BYTES_MAX) return await this.#bring(source, range, algorithm);
    const body = { kind: "shared" } as const;
    const isWhole = range.start === 0 && range.end === source.size;
    const own = source.attributes.checksum;
    const isKnown = algorithm === undefined || (own?.algorithm === algorithm && own.type === "FULL_OBJECT");
    if (isWhole && isKnown && PLAIN_MD5.test(source.etag)) {
      return { body, etag: source.etag, checksum: algorithm === undefined ? undefined : own };
    }
    if (algorithm === undefined) return { body, etag: stretchEtag(source, range), checksum: undefined };
    return { body, ...(await digestRange(this.#objects, source, range, algorithm)) };
  }

  async #proposePart(
    input: CopyPartInput,
    source: StoredObject,
    part: Brought & { readonly range: Range },
  ): Promise<CopyPartOutcome | "tooDeep" | undefined> {
    const { uploadId, partNumber } = input;
    const { body, etag, checksum, range } = part;
    const result = await this.#log.propose({
      kind: "copyPart",
      source: sourceOf(input.source, source),
      uploadId,
      partNumber,
      etag,
      checksum,
      start: range.start,
      size: range.end - range.start,
      body,
    });
    switch (result.kind) {
      case "sourceChanged":
        return undefined;
      case "tooDeep":
        return "tooDeep";
      case "partPut":
        return { kind: "copied", etag, modifiedMs: result.modifiedMs, checksum, source };
      case "noSuchUpload":
        return { kind: "noSuchUpload" };
      default:
        return unexpected(result);
    }
  }

  /** Bodies of bodies of bodies are not nested any deeper: the bytes are written once more. */
  async #copyPartByValue(
    input: CopyPartInput,
    source: StoredObject,
    range: Range,
  ): Promise<CopyPartOutcome | "tooDeep" | undefined> {
    const writer = this.#bodies.start();
    try {
      await writeCopy(this.#objects, source, range, writer);
      const { etag, checksum } = await digestRange(this.#objects, source, range, input.checksum);
      const outcome = await this.#proposePart(input, source, { range, body: writer.name(), etag, checksum });
      if (outcome === undefined || outcome === "tooDeep" || outcome.kind !== "copied") writer.unname();
      return outcome;
    } catch (error) {
      writer.unname();
      throw error;
    }
  }

  async rename(input: RenameInput): Promise<RenameOutcome> {
    const { bucket, sourceKey, key, condition } = input;
    return await again(async () => {
      const path = { bucket, key: sourceKey };
      const source = await this.#find(path);
      if (source === undefined) return { kind: "noSuchSource" };
      input.look(source);
      const isSmall = source.size <= SMALL_BODY_BYTES_MAX;
      const body = isSmall ? await this.#small(source) : ({ kind: "shared" } as const);
      const result = await this.#log.propose({
        kind: "renameObject",
        source: sourceOf(path, source),
        key,
        body,
        condition,
      });
      switch (result.kind) {
        case "sourceChanged":
          return undefined;
        case "objectPut":
          return { kind: "renamed", versionId: result.versionId };
        case "noSuchBucket":
        case "noSuchKey":
        case "preconditionFailed":
          return { kind: result.kind };
        default:
          return unexpected(result);
      }
    });
  }

  async #small(source: StoredObject): Promise<CommandBody> {
    const bytes = await bytesOf(this.#objects, source, { start: 0, end: source.size });
    const body: PutBody = { kind: "bytes", bytes };
    return this.#bodies.commandBody(body);
  }

  async append(input: AppendInput): Promise<AppendOutcome> {
    const append = new Append(this.#parts, input);
    try {
      return await again(() => append.attempt());
    } finally {
      append.end();
    }
  }

  async #findSource(path: SourcePath): Promise<StoredObject | Refused> {
    const { bucket, key, version } = path;
    if (version === undefined) return (await this.#find(path)) ?? { refused: "noSuchSource" };
    const found = await this.#versions.find({ bucket, key, version });
    if (found.kind === "object") return found.object as FoundObject & StoredObject;
    return { refused: found.kind === "marker" ? "sourceIsMarker" : "noSuchSource" };
  }

  async #find({ bucket, key }: ObjectPath): Promise<StoredObject | undefined> {
    return (await this.#objects.find(`${bucket}/${key}`)) as (FoundObject & StoredObject) | undefined;
  }
}

const PLAIN_MD5 = /^[0-9a-f]{32}$/;

/**
 * Nobody has seen the bytes of a stretch as one: its ETag says where they are from, and is no MD5 of them.
 */
function stretchEtag(source: StoredObject, range: Range): string {
  const { etag, birthIndex, birthSub } = source;
  const text = `${etag} ${birthIndex}.${birthSub} ${range.start}-${range.end}`;
  return createHash("md5").update(text).digest("hex");
}

export async function again<Outcome>(attempt: () => Promise<Outcome | undefined>): Promise<Outcome> {
  for (let tries = 0; tries < TRIES; tries++) {
    const outcome = await attempt();
    if (outcome !== undefined) return outcome;
  }
  throw new BusyError("the object keeps changing while it is copied or appended to");
}
