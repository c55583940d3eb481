/**
 * What a workload did to each name, with the positions in the disk's operation log at which each change began
 * and was acknowledged. From this follows what a crash at any position may show: everything acknowledged, and
 * of what was under way the old or the new, never anything else. Changes of one name never overlap.
 */
import type { FoundObject } from "../../src/service/api.ts";
import type { Attributes } from "../../src/state/attributes.ts";

export type ObjectState = {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly attributes: Attributes;
};

/** Without bytes it is a delete marker. */
export type VersionState = {
  readonly etag: string | undefined;
  readonly bytes: Buffer | undefined;
};

export type Change<State> = {
  readonly started: number;
  /** `undefined` while nobody knows. */
  acknowledged: number | undefined;
  /** `undefined`: it is gone. */
  readonly state: State | undefined;
};

/** One name: an object, a bucket, a part. */
export class NameHistory<State> {
  readonly changes: Change<State>[] = [];

  begin(position: number, state: State | undefined): Change<State> {
    const change = { started: position, acknowledged: undefined, state };
    this.changes.push(change);
    return change;
  }

  /** Somebody saw this state at `position`, so it must stay: reads are as durable as writes. */
  observed(position: number, state: State | undefined): void {
    this.changes.push({ started: position, acknowledged: position, state });
  }

  /** States that may be found after a crash at `position`. */
  allowedAt(position: number): readonly (State | undefined)[] {
    const allowed: (State | undefined)[] = [];
    for (let at = this.changes.length - 1; at >= 0; at--) {
      const { started, acknowledged, state } = this.changes[at] as Change<State>;
      if (started >= position && (acknowledged === undefined || acknowledged > position)) continue;
      allowed.push(state);
      if (acknowledged !== undefined && acknowledged <= position) return allowed;
    }
    allowed.push(undefined);
    return allowed;
  }

  /** What is true now, if nothing is under way. */
  get current(): State | undefined {
    return this.changes.at(-1)?.state;
  }
}

export type BucketState = "exists";
export type PartState = { readonly etag: string; readonly size: number };
export type UploadModel = {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  /** "open" from the acknowledgement of its creation until it is completed or aborted. */
  readonly open: NameHistory<"open">;
  readonly parts: Histories<number, PartState>;
};

export class Histories<Name, State> {
  readonly all = new Map<Name, NameHistory<State>>();

  of(name: Name): NameHistory<State> {
    let history = this.all.get(name);
    if (history === undefined) this.all.set(name, (history = new NameHistory<State>()));
    return history;
  }
}

export class StoreModel {
  readonly buckets = new Histories<string, BucketState>();
  /** By bucket + "/" + key. */
  readonly objects = new Histories<string, ObjectState>();
  readonly uploads = new Map<string, UploadModel>();
  /** Of the bucket that keeps versions, by key + "?" + version id. */
  readonly versions = new Histories<string, VersionState>();
}

/** Whether this is that state, bytes excepted. */
export function isOf(found: FoundObject | undefined, state: ObjectState): boolean {
  if (found === undefined || found.etag !== state.etag || found.size !== state.bytes.length) return false;
  return JSON.stringify(found.attributes) === JSON.stringify(state.attributes);
}
