/**
 * Clients that write, each in its own part of the key space and one call after the other, and remember what
 * they did: so whatever entry the log is cut at, it is known what each of them has to find again.
 */
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { parseVersionId } from "../../src/state/version-id.ts";
import { bodyOf, createUpload, find, bytesOf, md5, put, putPart, remove } from "../service/service-world.ts";
import type { SimRandom } from "../sim/sim-random.ts";

export const PLAIN = "b";
export const VERSIONED = "versioned";

/** What a client sees of its part; everything in it is a name, an ETag, or a number. */
type Seen = {
  readonly objects: Map<string, string>;
  /** Newest first; `marker` for a delete marker. */
  readonly versions: Map<string, readonly string[]>;
  readonly uploads: Map<string, readonly string[]>;
};

/** One call and what it changed, by the log: behind entry `before`, and not behind entry `after`. */
type Deed = { readonly before: number; readonly after: number; readonly apply: (seen: Seen) => void };

export type ClientParts = {
  readonly service: StoreService;
  readonly appliedIndex: () => number;
  readonly random: SimRandom;
};

export class DrillClient {
  readonly #prefix: string;
  readonly #parts: ClientParts;
  readonly deeds: Deed[] = [];
  /** What it knows of now. */
  readonly #now: Seen = emptySeen();
  #count = 0;

  constructor(name: string, parts: ClientParts) {
    this.#prefix = `${name}/`;
    this.#parts = parts;
  }

  get prefix(): string {
    return this.#prefix;
  }

  /** As far as it knows. */
  get objects(): number {
    return this.#now.objects.size;
  }

  async step(): Promise<void> {
    const { random } = this.#parts;
    const dice = random.below(100);
    if (dice < 60) await this.#put();
    else if (dice < 70) await this.#overwrite();
    else if (dice < 78) await this.#remove();
    else if (dice < 88) await this.#putVersion();
    else if (dice < 91) await this.#markDeleted();
    else if (dice < 93) await this.#removeVersion();
    else if (dice < 97) await this.#upload();
    else await this.#abort();
  }

  async #did(call: () => Promise<unknown>, apply: (seen: Seen) => void): Promise<void> {
    const before = this.#parts.appliedIndex();
    // Noted before it is answered: it may be in the log when everything ends.
    const at = this.deeds.push({ before, after: Infinity, apply }) - 1;
    await call();
    this.deeds[at] = { before, after: this.#parts.appliedIndex(), apply };
    apply(this.#now);
  }

  #bytes(): Buffer {
    const { random } = this.#parts;
    return random.bytes(random.chance(0.02) ? random.between(66_000, 90_000) : random.between(0, 700));
  }

  #name(): string {
    return `${this.#prefix}${(this.#count++).toString().padStart(6, "0")}`;
  }

  #any(names: Iterable<string>): string | undefined {
    const all = [...names];
    return all.length === 0 ? undefined : this.#parts.random.pick(all);
  }

  async #put(key = this.#name()): Promise<void> {
    const { service, random } = this.#parts;
    const bytes = this.#bytes();
    const tags = random.chance(0.2) ? ([["drill", String(random.below(9))]] as const) : undefined;
    const shown = tags === undefined ? md5(bytes) : `${md5(bytes)} ${JSON.stringify(tags)}`;
    const body = await bodyOf(service, bytes);
    const rest = { attributes: NO_ATTRIBUTES, condition: { kind: "none" }, etag: md5(bytes), tags } as const;
    const call = () => service.objects.put({ bucket: PLAIN, key, body, ...rest });
    await this.#did(call, ({ objects }) => void objects.set(key, shown));
  }

  async #overwrite(): Promise<void> {
    await this.#put(this.#any(this.#now.objects.keys()));
  }

  async #remove(): Promise<void> {
    const key = this.#any(this.#now.objects.keys());
    if (key === undefined) return;
    await this.#did(
      () => remove(this.#parts.service, key),
      ({ objects }) => void objects.delete(key),
    );
  }

  async #putVersion(): Promise<void> {
    const { service, random } = this.#parts;
    const key = `${this.#prefix}v${random.below(20)}`;
    const bytes = random.bytes(random.between(1, 500));
    await this.#did(
      () => put(service, key, bytes, { bucket: VERSIONED }),
      ({ versions }) => void versions.set(key, [md5(bytes), ...(versions.get(key) ?? [])]),
    );
  }

  async #markDeleted(): Promise<void> {
    const key = this.#any(this.#now.versions.keys());
    if (key === undefined) return;
    await this.#did(
      () => remove(this.#parts.service, key, { bucket: VERSIONED }),
      ({ versions }) => void versions.set(key, ["marker", ...(versions.get(key) ?? [])]),
    );
  }

  /** The oldest one. */
  async #removeVersion(): Promise<void> {
    const key = this.#any(this.#now.versions.keys());
    if (key === undefined) return;
    const { service } = this.#parts;
    const listed = (await versionsOf(service, key)).filter((version) => version.key === key).at(-1);
    const version = listed && parseVersionId(listed.versionId);
    if (version === undefined) return;
    await this.#did(
      () => service.versions.delete({ bucket: VERSIONED, key, version }),
      ({ versions }) => {
        const left = (versions.get(key) ?? []).slice(0, -1);
        if (left.length === 0) versions.delete(key);
        else versions.set(key, left);
      },
    );
  }

  async #upload(): Promise<void> {
    const { service, random } = this.#parts;
    const key = `${this.#prefix}upload-${this.#count++}`;
    let uploadId = "";
    const start = async (): Promise<void> => void (uploadId = await createUpload(service, key));
    await this.#did(start, ({ uploads }) => void uploads.set(key, []));
    const bytes = random.bytes(random.between(1, 900));
    await this.#did(
      () => putPart(service, uploadId, 1, bytes),
      ({ uploads }) => void uploads.set(key, [md5(bytes)]),
    );
    this.#open.set(key, uploadId);
  }

  readonly #open = new Map<string, string>();

  async #abort(): Promise<void> {
    const key = this.#any(this.#open.keys());
    const uploadId = key === undefined ? undefined : this.#open.get(key);
    if (key === undefined || uploadId === undefined) return;
    this.#open.delete(key);
    const { service } = this.#parts;
    await this.#did(
      () => service.uploads.abort({ bucket: PLAIN, key, uploadId }),
      ({ uploads }) => void uploads.delete(key),
    );
  }

  /**
   * What it may find in a store whose last entry is `index`: of a call that was under way then, nobody can
   * tell.
   */
  expected(index: number): readonly Seen[] {
    const sure = emptySeen();
    const open: Deed[] = [];
    for (const deed of this.deeds) {
      if (deed.after <= index) deed.apply(sure);
      else if (deed.before < index) open.push(deed);
    }
    const [doubtful] = open;
    if (doubtful === undefined) return [sure];
    const other = copySeen(sure);
    doubtful.apply(other);
    return [sure, other];
  }

  /** Answered calls whose effect is not in the log up to `index`. */
  lostCalls(index: number): number {
    return this.deeds.filter(({ before, after }) => after !== Infinity && before >= index).length;
  }
}

function emptySeen(): Seen {
  return { objects: new Map(), versions: new Map(), uploads: new Map() };
}

function copySeen({ objects, versions, uploads }: Seen): Seen {
  return { objects: new Map(objects), versions: new Map(versions), uploads: new Map(uploads) };
}

async function versionsOf(service: StoreService, prefix: string) {
  const cursor = await service.versions.list({ bucket: VERSIONED, prefix, from: { key: "" } });
  const listed = (await cursor?.next(100_000)) ?? [];
  await cursor?.close();
  return listed;
}

/** What a client with this prefix sees now; every body is read and held against its ETag. */
export async function seenBy(service: StoreService, prefix: string): Promise<Seen> {
  const seen = emptySeen();
  const cursor = await service.objects.list({ bucket: PLAIN, prefix, from: "" });
  const listed = (await cursor?.next(1_000_000)) ?? [];
  await cursor?.close();
  for (const { key } of listed) seen.objects.set(key, await shownOf(service, key));
  for (const { key, object } of await versionsOf(service, prefix)) {
    seen.versions.set(key, [...(seen.versions.get(key) ?? []), object?.etag ?? "marker"]);
  }
  for (const [key] of seen.versions) await readCurrent(service, key);
  const page = await service.uploads.list({ bucket: PLAIN, prefix, after: undefined, limit: 100_000 });
  for (const { uploadId, key } of page?.uploads ?? []) {
    const { parts } = await service.uploads.listParts({ uploadId, after: 0, limit: 100 });
    seen.uploads.set(
      key,
      parts.map(({ etag }) => etag),
    );
  }
  return seen;
}

async function shownOf(service: StoreService, key: string): Promise<string> {
  const found = await find(service, key);
  if (found === undefined) return "listed, not found";
  const digest = md5(await bytesOf(service, found));
  if (digest !== found.etag) return `other bytes: ${digest}`;
  if (found.tagCount === 0) return digest;
  const { tags } = await service.details.tags(() => Promise.resolve(found));
  return `${digest} ${JSON.stringify(tags)}`;
}

/** Throws if its bytes are not what its ETag says. */
async function readCurrent(service: StoreService, key: string): Promise<void> {
  const found = await find(service, key, VERSIONED);
  if (found === undefined) return;
  const digest = md5(await bytesOf(service, found));
  if (digest !== found.etag) throw new Error(`${key} has other bytes: ${digest}`);
}

/** What differs from everything that may be; empty if nothing does. */
export function differences(expected: readonly Seen[], seen: Seen): readonly string[] {
  const all = expected.map((one) => differencesOf(one, seen));
  return all.find((found) => found.length === 0) ?? (all[0] as readonly string[]);
}

function differencesOf(expected: Seen, seen: Seen): readonly string[] {
  return (["objects", "versions", "uploads"] as const).flatMap((kind) => {
    const [due, found] = [expected[kind], seen[kind]] as readonly Map<string, unknown>[];
    const keys = new Set([...(due?.keys() ?? []), ...(found?.keys() ?? [])]);
    return [...keys].flatMap((key) => {
      const [one, other] = [JSON.stringify(due?.get(key)), JSON.stringify(found?.get(key))];
      return one === other ? [] : [`${kind} ${key}: ${other} and not ${one}`];
    });
  });
}
