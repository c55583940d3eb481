/**
 * Appends. While all there is fits into a command it is written anew as a plain object; beyond that the bytes
 * so far stay where they are and the new ones become a piece behind them (state/apply-append.ts). Which
 * object grows is named by its birth, so of appenders that race for one offset apply lets one through.
 */
import { hash } from "node:crypto";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import { checksumOf, fullObjectChecksum } from "../s3/checksums.ts";
import { OBJECT_BYTES_MAX } from "../s3/names.ts";
import type { StoredChecksum } from "../state/attributes.ts";
import type { AppendObject, Chunk, Command, CommandBody, CommandResult } from "../state/command.ts";
import type { StoredObject } from "../state/stored-object.ts";
import { SMALL_BODY_BYTES_MAX } from "./api.ts";
import type { FoundObject, ObjectService } from "./api.ts";
import type { Bodies } from "./bodies.ts";
import type { ChunkedBody } from "./body-writer.ts";
import type { AppendOutcome, CopyService } from "./copy-api.ts";
import { unexpected } from "./put-outcome.ts";
import { bytesOf, sourceOf, writeCopy } from "./source-bytes.ts";

export type AppendInput = Parameters<CopyService["append"]>[0];

/** One append, whose body is named in one command after the other until one is taken. */
export class Append {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #objects: ObjectService;
  readonly #bodies: Bodies;
  readonly #hasBucket: (name: string) => boolean;
  readonly #input: AppendInput;
  #body: CommandBody | undefined;
  #isDeep = false;
  #isTaken = false;

  constructor(
    parts: {
      readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
      readonly objects: ObjectService;
      readonly bodies: Bodies;
      readonly hasBucket: (name: string) => boolean;
    },
    input: AppendInput,
  ) {
    this.#log = parts.log;
    this.#objects = parts.objects;
    this.#bodies = parts.bodies;
    this.#hasBucket = parts.hasBucket;
    this.#input = input;
  }

  /** The body is given up unless it was taken. */
  end(): void {
    if (!this.#isTaken) this.#bodies.giveUp(this.#input.body);
  }

  /** `undefined`: the object changed meanwhile. */
  async attempt(): Promise<AppendOutcome | undefined> {
    const { target, offset, condition, bodyBytes } = this.#input;
    if (!this.#hasBucket(target.bucket)) return { kind: "noSuchBucket" };
    const found = await this.#objects.find(`${target.bucket}/${target.key}`);
    const source = found as (FoundObject & StoredObject) | undefined;
    if (condition.kind === "etag") {
      if (source === undefined) return { kind: "noSuchKey" };
      if (condition.etag !== "*" && condition.etag !== source.etag) return { kind: "preconditionFailed" };
    }
    if (condition.kind === "absent" && source !== undefined) return { kind: "preconditionFailed" };
    if ((source?.size ?? 0) !== offset) return { kind: "wrongOffset", size: source?.size };
    if (offset + bodyBytes > OBJECT_BYTES_MAX) return { kind: "entityTooLarge" };
    if (source === undefined) return await this.#create();
    const isSmall = this.#input.body.kind === "bytes" && offset + bodyBytes <= SMALL_BODY_BYTES_MAX;
    return isSmall || offset === 0 ? await this.#rewrite(source) : await this.#grow(source);
  }

  async #propose(command: Command): Promise<CommandResult> {
    const result = await this.#log.propose(command);
    if (result.kind === "objectPut") this.#isTaken = true;
    return result;
  }

  #commandBody(): CommandBody {
    this.#body ??= this.#bodies.commandBody(this.#input.body);
    return this.#body;
  }

  async #create(): Promise<AppendOutcome | undefined> {
    const { target, bodyEtag: etag, bodyBytes: size, bodyChecksum: checksum, tags } = this.#input;
    const attributes = { ...this.#input.attributes, checksum };
    const result = await this.#propose({
      kind: "putObject",
      ...target,
      etag,
      attributes,
      body: this.#commandBody(),
      condition: { kind: "absent" },
      tags: tags.length === 0 ? undefined : tags,
    });
    if (result.kind === "preconditionFailed") return undefined;
    return outcomeOf(result, { etag, size, checksum });
  }

  /** Old and new bytes as a body of their own, in the place of the old object. */
  async #rewrite(source: StoredObject): Promise<AppendOutcome | undefined> {
    const { target, body, bodyBytes, bodyEtag } = this.#input;
    const size = source.size + bodyBytes;
    let whole = {
      body: undefined as CommandBody | undefined,
      etag: bodyEtag,
      checksum: this.#joined(source),
    };
    if (body.kind === "bytes") {
      const before = await bytesOf(this.#objects, source, { start: 0, end: source.size });
      const bytes = Buffer.concat([before, body.bytes]);
      const checksum = checksumLike(source.attributes.checksum ?? this.#input.bodyChecksum, bytes);
      const joined = this.#bodies.commandBody({ kind: "bytes", bytes });
      whole = { body: joined, etag: hash("md5", bytes, "hex"), checksum };
    }
    const { etag, checksum } = whole;
    const result = await this.#propose({
      kind: "copyObject",
      source: sourceOf(target, source),
      ...target,
      etag,
      attributes: { ...source.attributes, checksum },
      tags: undefined,
      body: whole.body ?? this.#commandBody(),
      condition: { kind: "none" },
    });
    return outcomeOf(result, { etag, size, checksum });
  }

  async #grow(source: StoredObject): Promise<AppendOutcome | undefined> {
    const { target, offset, bodyBytes, bodyEtag } = this.#input;
    const etag = grownEtag(source.etag, bodyEtag);
    const checksum = this.#joined(source);
    const writer = await this.#base(source);
    let isBaseTaken = false;
    try {
      const base: AppendObject["base"] = writer === undefined ? { kind: "empty" } : writer.name();
      const result = await this.#propose({
        kind: "appendObject",
        source: sourceOf(target, source),
        offset,
        listId: this.#bodies.newId(),
        base,
        body: this.#commandBody(),
        etag,
        pieceEtag: bodyEtag,
        attributes: { ...source.attributes, checksum },
      });
      isBaseTaken = result.kind === "objectPut";
      if (result.kind === "tooDeep") this.#isDeep = true;
      return outcomeOf(result, { etag, size: offset + bodyBytes, checksum });
    } finally {
      if (!isBaseTaken) writer?.unname();
    }
  }

  /** The bytes so far once more, where they cannot be shared: in their own record, or nested too deep. */
  async #base(source: StoredObject): Promise<ChunkedBody | undefined> {
    const isShared = source.size > SMALL_BODY_BYTES_MAX && !this.#isDeep;
    if (isShared) return undefined;
    const writer = this.#bodies.start();
    try {
      await writeCopy(this.#objects, source, { start: 0, end: source.size }, writer);
      return writer;
    } catch (error) {
      writer.abort();
      throw error;
    }
  }

  /** Only CRCs of whole objects can be continued; others are not there any more. */
  #joined(source: StoredObject): StoredChecksum | undefined {
    const { offset, bodyBytes, bodyChecksum: added } = this.#input;
    const own = offset === 0 ? added : source.attributes.checksum;
    if (offset === 0 || own === undefined || added === undefined) return offset === 0 ? added : undefined;
    const { algorithm, type } = own;
    if (type !== "FULL_OBJECT" || added.algorithm !== algorithm) return undefined;
    if (algorithm === "SHA1" || algorithm === "SHA256") return undefined;
    const parts = [
      { value: own.value, size: offset },
      { value: added.value, size: bodyBytes },
    ];
    return { algorithm, type, value: fullObjectChecksum(algorithm, parts) };
  }
}

type Grown = {
  readonly etag: string;
  readonly size: number;
  readonly checksum: StoredChecksum | undefined;
};

function outcomeOf(result: CommandResult, grown: Grown): AppendOutcome | undefined {
  switch (result.kind) {
    case "objectPut":
      return { kind: "appended", versionId: result.versionId, ...grown };
    case "sourceChanged":
    case "tooDeep":
      return undefined;
    case "noSuchBucket":
      return { kind: "noSuchBucket" };
    case "tooManyPieces":
      return { kind: "tooManyPieces" };
    default:
      return unexpected(result);
  }
}

function checksumLike(own: StoredChecksum | undefined, bytes: Uint8Array): StoredChecksum | undefined {
  if (own === undefined) return undefined;
  const value = checksumOf(own.algorithm, bytes).toString("base64");
  return { algorithm: own.algorithm, type: "FULL_OBJECT", value };
}

/**
 * MD5 over the ETag so far and the piece's MD5, and the number of pieces: no MD5 of the bytes, and it says
 * so.
 */
function grownEtag(before: string, piece: string): string {
  const dash = before.indexOf("-");
  const count = dash < 0 ? 1 : Number(before.slice(dash + 1));
  return `${hash("md5", `${before} ${piece}`, "hex")}-${count + 1}`;
}
