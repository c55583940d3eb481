/**
 * What an object holds beside its row goes when the object goes: one reference to its body, its detail row,
 * its tags. Whoever takes an object out of the state, current or an older version, ends here.
 */
import type { ApplyContext } from "./apply-context.ts";
import { releaseBody } from "./apply-body.ts";
import { keys } from "./keys.ts";
import { decodeFootprint } from "./object-row.ts";
import type { ObjectFootprint } from "./object-row.ts";
import type { StoredObject } from "./stored-object.ts";

/** An object as it stands in the state: as memory holds it, or its row. */
export type Standing = StoredObject | Uint8Array;

export function footprintOf(standing: Standing): ObjectFootprint {
  return standing instanceof Uint8Array ? decodeFootprint(standing) : standing;
}

export function releaseObject(context: ApplyContext, old: ObjectFootprint): void {
  releaseBody(context, old.body, { index: old.birthIndex, size: old.size });
  if (old.hasDetail) context.view.delete(keys.detail(old.birthIndex, old.birthSub));
  if (old.tagCount > 0) context.view.delete(keys.tags(old.birthIndex, old.birthSub));
}
