/**
 * S3 as AWS documents it, in maps and lists and nothing else: what each request may be answered, and what is
 * there afterwards. It imports nothing of the store. Where several refusals apply at once, AWS does not say
 * which comes first: any of them is right. ETags and version ids that only the server can know are learned
 * from its answers, and have to stay. Uploads are in reference-uploads.ts.
 */
import { createHash } from "node:crypto";
import type { Answer, BatchAnswer, BatchStep, Bucket, Condition, Details, Listed } from "./vocabulary.ts";
import type { Place, Tags, Version, VersionPlace } from "./vocabulary.ts";

const NOTHING: Details = { contentType: "", metadata: {}, tags: [] };

const digests = new WeakMap<Buffer, string>();

/** Large bodies come again and again. */
export function md5(body: Buffer): string {
  const known = digests.get(body) ?? createHash("md5").update(body).digest("hex");
  digests.set(body, known);
  return known;
}

export function refused(codes: readonly string[], marker?: Version): Answer {
  return { kind: "refused", codes, marker };
}

/** What speaks against a write or a removal of what stands there. */
export function against(condition: Condition, object: Version | undefined): readonly string[] {
  switch (condition.kind) {
    case "none":
      return [];
    case "absent":
      return object === undefined ? [] : ["PreconditionFailed"];
    case "match":
      if (object === undefined) return ["NoSuchKey"];
      return condition.etag === "*" || condition.etag === object.etag ? [] : ["PreconditionFailed"];
    case "differ":
      return object?.etag === condition.etag ? ["PreconditionFailed"] : [];
    default:
      return condition satisfies never;
  }
}

/** Of what was put together from parts the ETag may become that of the whole or stay. */
function copyOf({ body, etag, details }: Version): Omit<Version, "name" | "isMarker"> {
  const isPlain = body.length <= 65_536 || etag === md5(body);
  return { body, details, etag: isPlain ? md5(body) : undefined, lastModified: undefined };
}

export class ReferenceModel {
  readonly #buckets = new Map<string, Bucket>();

  bucket(name: string): Bucket | undefined {
    return this.#buckets.get(name);
  }

  createBucket(name: string): Answer {
    if (!this.#buckets.has(name)) this.#buckets.set(name, { versioning: "never", keys: new Map() });
    return { kind: "done" };
  }

  /** Open uploads do not keep a bucket; they are gone with it. */
  deleteBucket(name: string): Answer {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    if (bucket.keys.size > 0) return refused(["BucketNotEmpty"]);
    this.#buckets.delete(name);
    return { kind: "done" };
  }

  setVersioning(name: string, status: "Enabled" | "Suspended"): Answer {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    bucket.versioning = status;
    return { kind: "done" };
  }

  /** What a GET without a version id finds. */
  current({ bucket, key }: Place): Version | undefined {
    const newest = this.newest({ bucket, key });
    return newest?.isMarker === true ? undefined : newest;
  }

  newest({ bucket, key }: Place): Version | undefined {
    return this.#buckets.get(bucket)?.keys.get(key)?.[0];
  }

  /** Of the versions of a key, as far as they are known. */
  namesAt({ bucket, key }: Place): readonly string[] {
    return this.#versions(bucket, key).flatMap(({ name }) => name ?? []);
  }

  /** The object that a request is about, or why there is none. */
  find({ bucket, key, name }: VersionPlace): Version | Answer {
    if (!this.#buckets.has(bucket)) return refused(["NoSuchBucket"]);
    if (name === undefined) {
      const newest = this.newest({ bucket, key });
      if (newest === undefined) return refused(["NoSuchKey"]);
      return newest.isMarker ? refused(["NoSuchKey"], newest) : newest;
    }
    const version = this.#versions(bucket, key).find((each) => each.name === name);
    if (version === undefined) return refused(["NoSuchVersion"]);
    return version.isMarker ? refused(["MethodNotAllowed"], version) : version;
  }

  #versions(bucket: string, key: string): readonly Version[] {
    return this.#buckets.get(bucket)?.keys.get(key) ?? [];
  }

  #remove(bucket: Bucket, key: string, which: (version: Version) => boolean): void {
    const left = (bucket.keys.get(key) ?? []).filter((version) => !which(version));
    if (left.length === 0) bucket.keys.delete(key);
    else bucket.keys.set(key, left);
  }

  /** Without versions it replaces what was there; suspended, the null version, wherever that stands. */
  #add(bucket: Bucket, key: string, made: Omit<Version, "name">): Version {
    const version = { ...made, name: bucket.versioning === "Enabled" ? undefined : "null" };
    if (bucket.versioning !== "Enabled") this.#remove(bucket, key, ({ name }) => name === "null");
    bucket.keys.set(key, [version, ...(bucket.keys.get(key) ?? [])]);
    return version;
  }

  write(place: Place, made: Omit<Version, "name" | "isMarker">, condition: Condition): Answer {
    const bucket = this.#buckets.get(place.bucket);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    const codes = against(condition, this.current(place));
    if (codes.length > 0) return refused(codes);
    return { kind: "done", version: this.#add(bucket, place.key, { ...made, isMarker: false }) };
  }

  put(place: Place, body: Buffer, details: Details, condition: Condition): Answer {
    return this.write(place, { body, details, etag: md5(body), lastModified: undefined }, condition);
  }

  /** Behind what is there, of which everything else stays; AWS promises nothing about the ETag. */
  append(place: Place, offset: number, body: Buffer, details: Details): Answer {
    if (!this.#buckets.has(place.bucket)) return refused(["NoSuchBucket"]);
    const old = this.current(place);
    if ((old?.body.length ?? 0) !== offset) return refused(["InvalidWriteOffset"]);
    const whole = Buffer.concat([old?.body ?? Buffer.alloc(0), body]);
    const made = { body: whole, details: old?.details ?? details, etag: undefined, lastModified: undefined };
    return this.write(place, made, { kind: "none" });
  }

  delete(place: Place, condition: Condition): Answer {
    const bucket = this.#buckets.get(place.bucket);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    const codes = against(condition, this.current(place));
    if (codes.length > 0) return refused(codes);
    return { kind: "done", version: this.#deleteCurrent(bucket, place.key) };
  }

  /** The delete marker, where there are versions. */
  #deleteCurrent(bucket: Bucket, key: string): Version | undefined {
    if (bucket.versioning === "never") this.#remove(bucket, key, () => true);
    if (bucket.versioning === "never") return undefined;
    const nothing = { body: Buffer.alloc(0), details: NOTHING, etag: undefined, lastModified: undefined };
    return this.#add(bucket, key, { ...nothing, isMarker: true });
  }

  deleteVersion({ bucket: bucketName, key, name }: Place & { readonly name: string }): Answer {
    const bucket = this.#buckets.get(bucketName);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    const version = this.#versions(bucketName, key).find((each) => each.name === name);
    this.#remove(bucket, key, (each) => each === version);
    return { kind: "done", version };
  }

  /** A condition on a named version is nothing that AWS compares. */
  deleteAny(place: VersionPlace, condition: Condition): Answer {
    const { name } = place;
    if (name === undefined) return this.delete(place, condition);
    if (condition.kind === "none") return this.deleteVersion({ ...place, name });
    return refused(this.#buckets.has(place.bucket) ? ["NotImplemented"] : ["NotImplemented", "NoSuchBucket"]);
  }

  /** Each step meets what those before it leave. */
  batch(bucketName: string, steps: readonly BatchStep[]): BatchAnswer {
    const bucket = this.#buckets.get(bucketName);
    if (bucket === undefined) return { kind: "noSuchBucket" };
    const before = new Map(bucket.keys);
    const versions: (Version | undefined)[] = [];
    const by: { at: number; status: number; codes: readonly string[] }[] = [];
    for (const [at, step] of steps.entries()) {
      const place = { bucket: bucketName, key: step.key };
      const isSourceThere = step.op !== "copy" || this.current({ ...place, key: step.source }) !== undefined;
      const codes = against(step.condition, this.current(place));
      if (codes.length > 0 && by.length === 0) by.push({ at, status: 412, codes });
      if (!isSourceThere) by.push({ at, status: 409, codes: ["NoSuchKey"] });
      // Those behind a refusal are looked at for the sources of copies, which may be missed first.
      if (!isSourceThere) break;
      versions.push(this.#step(bucket, place, step));
    }
    if (by.length === 0) return { kind: "done", versions };
    bucket.keys.clear();
    for (const [key, those] of before) bucket.keys.set(key, those);
    return { kind: "refused", by };
  }

  #step(bucket: Bucket, place: Place, step: BatchStep): Version | undefined {
    switch (step.op) {
      case "put": {
        const { body } = step;
        const made = { isMarker: false, body, etag: md5(body), lastModified: undefined };
        return this.#add(bucket, place.key, { ...made, details: { ...step.details, tags: [] } });
      }
      case "copy": {
        const source = this.current({ ...place, key: step.source });
        return source && this.#add(bucket, place.key, { ...copyOf(source), isMarker: false });
      }
      case "delete":
        return this.#deleteCurrent(bucket, place.key);
      case "check":
        return undefined;
      default:
        return step satisfies never;
    }
  }

  setTags(place: VersionPlace, tags: Tags): Answer {
    const found = this.find(place);
    if ("kind" in found) return found;
    found.details = { ...found.details, tags };
    return { kind: "done", version: found };
  }

  /** What a copy is of. */
  source(place: VersionPlace, condition: Condition): Version | readonly string[] {
    const found = this.find(place);
    if ("kind" in found) {
      const codes = found.kind === "refused" ? found.codes : [];
      return codes.includes("MethodNotAllowed") ? ["InvalidRequest"] : codes;
    }
    if (condition.kind === "absent") return ["PreconditionFailed"];
    const codes = against(condition, found);
    return codes.length > 0 ? codes : found;
  }

  /** `undefined` details are the source's. */
  copy(copy: {
    readonly from: VersionPlace;
    readonly sourceCondition: Condition;
    readonly to: Place;
    readonly condition: Condition;
    readonly details: Partial<Details>;
  }): Answer {
    const { from, to, details } = copy;
    const codes: string[] = [];
    if (!this.#buckets.has(to.bucket)) codes.push("NoSuchBucket");
    const isOntoItself = from.bucket === to.bucket && from.key === to.key && from.name === undefined;
    if (isOntoItself && details.metadata === undefined) codes.push("InvalidRequest");
    const source = this.source(from, copy.sourceCondition);
    if (!("body" in source)) codes.push(...source);
    codes.push(...against(copy.condition, this.current(to)));
    if (codes.length > 0 || !("body" in source)) return refused(codes);
    const copied = copyOf(source);
    const made = { ...copied, details: { ...copied.details, ...details } };
    return { ...this.write(to, made, copy.condition), source } as Answer;
  }

  /** The object under another name, in one step: all that it is stays, its date too. */
  rename(rename: {
    readonly bucket: string;
    readonly fromKey: string;
    readonly key: string;
    readonly condition: Condition;
    readonly sourceCondition: Condition;
  }): Answer {
    const { bucket: name, fromKey, key } = rename;
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    const codes: string[] = fromKey === key ? ["InvalidRequest"] : [];
    const source = this.source({ bucket: name, key: fromKey, name: undefined }, rename.sourceCondition);
    if (!("body" in source)) codes.push(...source);
    codes.push(...against(rename.condition, this.current({ bucket: name, key })));
    if (codes.length > 0 || !("body" in source)) return refused(codes);
    const version = this.#add(bucket, key, source);
    this.#deleteCurrent(bucket, fromKey);
    return { kind: "done", version };
  }

  /** Every version, by key in the order of UTF-8, and of a key the newest first. */
  versionsOf(bucketName: string): readonly Listed[] {
    const keys = [...(this.#buckets.get(bucketName)?.keys ?? [])];
    const inOrder = keys.toSorted(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    return inOrder.flatMap(([key, versions]) =>
      versions.map((version, at) => ({ key, version, isLatest: at === 0 })),
    );
  }

  /** What a listing shows, page after page. */
  list(
    bucketName: string,
    listing: {
      readonly ofVersions: boolean;
      readonly prefix: string;
      readonly delimiter: string;
      readonly after: string;
    },
  ): { readonly contents: readonly Listed[]; readonly commonPrefixes: readonly string[] } {
    const { prefix, delimiter, after } = listing;
    const contents: Listed[] = [];
    const commonPrefixes = new Set<string>();
    for (const entry of this.versionsOf(bucketName)) {
      if (!listing.ofVersions && (!entry.isLatest || entry.version.isMarker)) continue;
      if (!entry.key.startsWith(prefix)) continue;
      const at = delimiter === "" ? -1 : entry.key.indexOf(delimiter, prefix.length);
      const shown = at < 0 ? entry.key : entry.key.slice(0, at + delimiter.length);
      if (Buffer.compare(Buffer.from(shown), Buffer.from(after)) <= 0) continue;
      if (at < 0) contents.push(entry);
      else commonPrefixes.add(shown);
    }
    return { contents, commonPrefixes: [...commonPrefixes] };
  }
}
