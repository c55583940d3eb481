/** What apply answered, in the words of the service. An answer that a command cannot get is a bug. */
import { InvariantError } from "../base/assert.ts";
import { UnavailableError } from "../base/errors.ts";
import type { CommandResult } from "../state/command.ts";
import type { DeleteOutcome, PutOutcome } from "./api.ts";

const NO_SUCH_BUCKET = { kind: "noSuchBucket" } as const;
const NO_SUCH_KEY = { kind: "noSuchKey" } as const;
const PRECONDITION_FAILED = { kind: "preconditionFailed" } as const;
const DELETED = { kind: "deleted", version: undefined } as const;

export function putOutcome(result: CommandResult): PutOutcome {
  switch (result.kind) {
    case "objectPut":
      return {
        kind: "put",
        etag: result.etag,
        modifiedMs: result.modifiedMs,
        versionId: result.versionId,
      };
    case "noSuchBucket":
      return NO_SUCH_BUCKET;
    case "noSuchKey":
      return NO_SUCH_KEY;
    case "preconditionFailed":
      return PRECONDITION_FAILED;
    default:
      return unexpected(result);
  }
}

export function deleteOutcome(result: CommandResult): DeleteOutcome {
  switch (result.kind) {
    case "done":
      return DELETED;
    case "versionDeleted":
      return { kind: "deleted", version: result };
    case "noSuchBucket":
      return NO_SUCH_BUCKET;
    case "noSuchKey":
      return NO_SUCH_KEY;
    case "preconditionFailed":
      return PRECONDITION_FAILED;
    default:
      return unexpected(result);
  }
}

export function unexpected(result: CommandResult): never {
  if (result.kind === "bodyGone") {
    throw new UnavailableError("the staged body was given up before it was complete: send it again");
  }
  throw new InvariantError(`apply answered ${result.kind} to a command that has no such answer`);
}
