/**
 * Bodies that several rows name: copies, copied parts, lists of appends. Each name counts, in the row of the
 * body, of the completed upload or of the list, and is given up with releaseBody. A part may be a stretch of
 * a body that has parts itself; how deep that goes is bounded, because a reader goes through all of it.
 */
import { assert, unreachable } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import { keys } from "./keys.ts";
import type { BodyReference } from "./object-row.ts";
import { rows } from "./rows.ts";

/** Beyond it a body is copied byte by byte. */
export const NESTING_MAX = 8;

/** Takes one more reference to a body that something names already. */
export function retainBody(context: ApplyContext, body: BodyReference): void {
  const { view } = context;
  switch (body.kind) {
    case "empty":
    case "inline":
      return;
    case "record":
      // Records name their owner, and there is one: small bodies are copied by value.
      return assert(false, "a body in a record is named twice");
    case "stored": {
      const row = rows.body.decode(rowOf(context, keys.body(body.bodyId)));
      assert(row.refs > 0, `body ${body.bodyId} is shared and nothing names it`);
      return view.put(keys.body(body.bodyId), rows.body.encode({ ...row, refs: row.refs + 1 }));
    }
    case "parts": {
      const row = rows.upload.decode(rowOf(context, keys.upload(body.uploadId)));
      const { completed } = row;
      assert(
        completed !== undefined && completed.refs > 0,
        `upload ${body.uploadId} is shared and not named`,
      );
      const shared = { ...row, completed: { ...completed, refs: completed.refs + 1 } };
      return view.put(keys.upload(body.uploadId), rows.upload.encode(shared));
    }
    case "appended": {
      const row = rows.append.decode(rowOf(context, keys.append(body.listId)));
      return view.put(keys.append(body.listId), rows.append.encode({ ...row, refs: row.refs + 1 }));
    }
    case "slice":
      return retainBody(context, body.base);
    default:
      return unreachable(body);
  }
}

function rowOf(context: ApplyContext, key: string): Uint8Array {
  const bytes = context.view.get(key);
  assert(bytes !== undefined, `${key} is named but has no row`);
  return bytes;
}

/** How many lists of parts or pieces a reader of the body opens, one inside the other. */
export function nestingOf(context: ApplyContext, body: BodyReference): number {
  switch (body.kind) {
    case "empty":
    case "inline":
    case "record":
    case "stored":
      return 0;
    case "parts":
      return 1 + (rows.upload.decode(rowOf(context, keys.upload(body.uploadId))).nesting ?? 0);
    case "appended":
      return 1 + rows.append.decode(rowOf(context, keys.append(body.listId))).nesting;
    case "slice":
      return nestingOf(context, body.base);
    default:
      return unreachable(body);
  }
}
