/** Tags of objects, and which parts an object has. */
import { BusyError, DamageError } from "../base/errors.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import { keys } from "../state/keys.ts";
import type { PartRun } from "../state/object-row.ts";
import { rows } from "../state/rows.ts";
import type { StoredObject } from "../state/stored-object.ts";
import { NO_TAGS, decodeTags } from "../state/tags.ts";
import type { TagSet } from "../state/tags.ts";
import type { Birth } from "../state/version-id.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { FoundObject } from "./api.ts";
import type { DetailService, ObjectPart, ObjectPath } from "./copy-api.ts";
import { unexpected } from "./put-outcome.ts";

const TRIES = 8;

export class Details implements DetailService {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #index: StateIndex;

  constructor(parts: {
    readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
    readonly index: StateIndex;
  }) {
    this.#log = parts.log;
    this.#index = parts.index;
  }

  async tags(
    look: () => Promise<FoundObject>,
  ): Promise<{ readonly object: FoundObject; readonly tags: TagSet }> {
    for (let tries = 0; tries < TRIES; tries++) {
      const object = await look();
      if (object.tagCount === 0) return { object, tags: NO_TAGS };
      const row = await this.#index.getLater(keys.tags(object.birthIndex, object.birthSub));
      if (row !== undefined) return { object, tags: decodeTags(row) };
      // The object, or its last tag, went between the two reads.
    }
    throw new BusyError("the tags of the object keep changing while they are read");
  }

  async putTags(
    path: ObjectPath,
    version: Birth,
    tags: TagSet,
  ): Promise<{ readonly kind: "put" | "noSuchBucket" | "noSuchVersion" }> {
    const { birthIndex, birthSub } = version;
    const named = { birthIndex, birthSub };
    const result = await this.#log.propose({ kind: "putObjectTags", ...path, version: named, tags });
    switch (result.kind) {
      case "done":
        return { kind: "put" };
      case "noSuchBucket":
        return { kind: "noSuchBucket" };
      case "sourceChanged":
        return { kind: "noSuchVersion" };
      default:
        return unexpected(result);
    }
  }

  async parts(
    object: FoundObject,
    page: { readonly after: number; readonly limit: number },
  ): Promise<readonly ObjectPart[]> {
    const { body, runs } = object as FoundObject & StoredObject;
    if (body.kind !== "parts") return [];
    const numbers = numbersOf(runs).slice(page.after, page.after + page.limit);
    const wanted = numbers.map((number) => keys.part(body.uploadId, number));
    const found = await this.#index.getManyLater(wanted);
    return found.map((bytes, at) => {
      if (bytes === undefined) throw new DamageError(`the index row ${wanted[at]} is missing`);
      const { size, checksum } = rows.part.decode(bytes);
      return { partNumber: page.after + at + 1, size, checksum };
    });
  }
}

/** The numbers that the parts were uploaded under, in order. */
function numbersOf(runs: readonly PartRun[]): readonly number[] {
  return runs.flatMap(({ firstPart, count }) => Array.from({ length: count }, (_, at) => firstPart + at));
}
