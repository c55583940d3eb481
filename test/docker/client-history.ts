/**
 * What clients did to a store until it was lost, and what they were told of it: afterwards each thing has to
 * be as it was left at some moment that the store promised, or later; nothing may be there that nobody made.
 */
import type { BucketFacts } from "./describe-bucket.ts";

export const ABSENT = "absent";

type Deed = {
  /** What it made of the thing: a digest, or that it is gone. */
  readonly value: string;
  /** How many deeds were acknowledged with this one; `undefined` while nobody was told. */
  acknowledgedAs: number | undefined;
};

export class ClientHistory {
  readonly #deeds = new Map<string, Deed[]>();
  /** Of things that get their name with the answer: what they would be, until it came. */
  readonly #unnamed = new Set<string>();
  readonly #acknowledgedMs: number[] = [];

  get acknowledged(): number {
    return this.#acknowledgedMs.length;
  }

  /** How many were acknowledged before this moment of the monotonic clock. */
  acknowledgedBefore(ms: number): number {
    const after = this.#acknowledgedMs.findIndex((atMs) => atMs >= ms);
    return after < 0 ? this.acknowledged : after;
  }

  /** One client at a time for each thing. Where the call fails its outcome is not known. */
  async does<Result>(thing: string, value: string, call: () => Promise<Result>): Promise<Result> {
    const deed = this.#note(thing, value);
    const result = await call();
    deed.acknowledgedAs = this.#acknowledge();
    return result;
  }

  /** The name comes with the answer. */
  async makes(kind: string, value: string, call: () => Promise<string>): Promise<string> {
    const unnamed = `${kind} ${value}`;
    this.#unnamed.add(unnamed);
    const name = await call();
    this.#note(`${kind} ${name}`, value).acknowledgedAs = this.#acknowledge();
    this.#unnamed.delete(unnamed);
    return name;
  }

  #note(thing: string, value: string): Deed {
    const deed: Deed = { value, acknowledgedAs: undefined };
    const deeds = this.#deeds.get(thing);
    if (deeds === undefined) this.#deeds.set(thing, [deed]);
    else deeds.push(deed);
    return deed;
  }

  #acknowledge(): number {
    return this.#acknowledgedMs.push(performance.now());
  }

  /** Lines about what is not as it may be, where the first `kept` acknowledged deeds were promised. */
  wrong(found: ReadonlyMap<string, string>, kept: number): readonly string[] {
    const lines: string[] = [];
    for (const [thing, deeds] of this.#deeds) {
      const last = deeds.findLastIndex(({ acknowledgedAs = Infinity }) => acknowledgedAs <= kept);
      const allowed = deeds.slice(Math.max(0, last)).map(({ value }) => value);
      if (last < 0) allowed.push(ABSENT);
      const value = found.get(thing) ?? ABSENT;
      if (!allowed.includes(value)) lines.push(`${thing}: ${value}, not one of ${allowed.join(", ")}`);
    }
    for (const [thing, value] of found) {
      const kind = thing.split(" ", 1)[0] ?? "";
      if (this.#deeds.has(thing) || this.#unnamed.has(`${kind} ${value}`)) continue;
      lines.push(`${thing}: ${value}, and nobody made it`);
    }
    return lines;
  }
}

/** The things of a bucket, as `ClientHistory` calls them. */
export function thingsIn(facts: BucketFacts, isVersioned: boolean): ReadonlyMap<string, string> {
  const things = new Map<string, string>();
  for (const { key, versionId, sha256, tags } of facts.versions) {
    const value = valueOf(sha256, tags);
    if (isVersioned) things.set(`version ${key} ${versionId}`, value);
    else things.set(`object ${key}`, value);
  }
  for (const marker of facts.markers) {
    const [key, versionId] = marker.split(" ");
    things.set(`marker ${key} ${versionId}`, key ?? "");
  }
  for (const upload of facts.uploads) {
    const [key, uploadId] = upload.split(" ");
    things.set(`upload ${key} ${uploadId}`, key ?? "");
  }
  return things;
}

export function valueOf(sha256: string, tags: Readonly<Record<string, string>> = {}): string {
  return [sha256, ...Object.entries(tags).map(([name, value]) => `${name}=${value}`)].join(" ");
}
