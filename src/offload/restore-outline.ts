/** A plan in figures, and a refusal in words: what people are shown before anything is done. */
import { unreachable } from "../base/assert.ts";
import type { Problem } from "./restore-chain.ts";
import type { RestorePlan, RestoreRefusal } from "./restore-plan.ts";

export type RestoreOutline = {
  readonly from: string;
  readonly cluster: string;
  readonly fetchBytes: number;
  readonly fetchObjects: number;
  readonly coldBytes: number;
  readonly coldObjects: number;
};

export function outlineOf(
  { snapshot, fill, replay, cold }: RestorePlan,
  source: Pick<RestoreOutline, "from" | "cluster">,
): RestoreOutline {
  const fetched = [...snapshot, ...fill, ...replay];
  const bytesOf = (objects: readonly { readonly bytes: number }[]): number =>
    objects.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    ...source,
    fetchBytes: bytesOf(fetched),
    fetchObjects: fetched.length,
    coldBytes: bytesOf(cold),
    coldObjects: cold.length,
  };
}

/** What the bucket holds is not enough, or not clear; nothing was written. */
export class RestoreRefusedError extends Error {
  readonly code = "RESTORE_REFUSED";
  override readonly name = "RestoreRefusedError";
  readonly refusal: RestoreRefusal;

  constructor(refusal: RestoreRefusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

export function problemText(problem: Problem): string {
  switch (problem.kind) {
    case "missing":
      return `${problem.key} is missing`;
    case "wrongSize":
      return `${problem.key} has ${problem.bytes} bytes, not ${problem.expected}`;
    case "damaged":
      return `${problem.key} is damaged: ${problem.reason}`;
    case "unknownVersion":
      return `${problem.key} is of version ${problem.version}: a newer release wrote it`;
    case "nowhere":
      return `segment ${problem.segment} (${rangeText(problem)}) is in no object`;
    case "gap":
      return `${rangeText(problem)}: in no object, though ${problem.behind} says that the log went on`;
    case "disagreement":
      return `from entry ${problem.index} on ${problem.keys.join(" and ")} are different histories`;
    default:
      return unreachable(problem);
  }
}

function rangeText({ first, last }: { readonly first: number; readonly last: number }): string {
  return first === last ? `entry ${first}` : `entries ${first} to ${last}`;
}
