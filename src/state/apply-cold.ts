/**
 * Applies what is said about the cold tier. A copy that another one replaces, or whose segment goes, becomes
 * a row of its own: until that is gone somebody knows that the object is to be deleted (RULES.md R21).
 */
import { unreachable } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import type { AdoptLineages, ColdCommand, SegmentOffloaded } from "./cold-command.ts";
import type { CommandResult } from "./command.ts";
import { keys } from "./keys.ts";
import { rows } from "./rows.ts";

const DONE: CommandResult = { kind: "done" };

export function applyCold(context: ApplyContext, command: ColdCommand): CommandResult {
  switch (command.kind) {
    case "segmentOffloaded":
      return applyOffloaded(context, command);
    case "condemnCold":
      for (const key of command.keys) condemn(context, key, { wasNamed: false });
      return DONE;
    case "pardonCold":
      for (const key of command.keys) context.view.delete(keys.condemned(key));
      return DONE;
    case "beginLineage": {
      const { lineage, parent, cutIndex } = command;
      context.view.put(keys.meta("lineage"), rows.lineage.encode({ lineage, parent, cutIndex }));
      return DONE;
    }
    case "adoptLineages":
      return applyAdopt(context, command);
    default:
      return unreachable(command);
  }
}

function applyAdopt(context: ApplyContext, { lineage, adopted }: AdoptLineages): CommandResult {
  const rowKey = keys.meta("lineage");
  const row = context.view.get(rowKey);
  const known = row && rows.lineage.decode(row);
  if (known?.lineage !== lineage) return DONE;
  const { parent, cutIndex } = known;
  context.view.put(rowKey, rows.lineage.encode({ lineage, parent, cutIndex, adopted }));
  return DONE;
}

function applyOffloaded(context: ApplyContext, command: SegmentOffloaded): CommandResult {
  const { segmentId, firstIndex, entries, copy } = command;
  const segment = context.segments.byId(segmentId);
  const isSame = segment?.cut === true && segment.firstIndex === firstIndex && segment.entries === entries;
  if (!isSame) return { kind: "noSuchSegment" };
  const before = segment.cold?.key;
  if (before !== undefined && before !== copy.key) condemn(context, before, { wasNamed: true });
  // One that was given up for lost, and was found whole again.
  context.view.delete(keys.condemned(copy.key));
  context.segments.setCold(segment, copy);
  return DONE;
}

export function applyDropSegments(context: ApplyContext, segmentIds: readonly number[]): CommandResult {
  for (const { cold } of context.segments.drop(segmentIds)) {
    if (cold !== undefined) condemn(context, cold.key, { wasNamed: true });
  }
  return DONE;
}

/** The grace runs from the first time on. */
function condemn(context: ApplyContext, key: string, { wasNamed }: { readonly wasNamed: boolean }): void {
  const rowKey = keys.condemned(key);
  const known = context.view.get(rowKey);
  const before = known === undefined ? undefined : rows.condemned.decode(known);
  if (before !== undefined && (before.wasNamed || !wasNamed)) return;
  const sinceMs = before?.sinceMs ?? context.timeMs;
  context.view.put(rowKey, rows.condemned.encode({ sinceMs, wasNamed }));
}
