/**
 * S3 as AWS documents it, in maps and lists and nothing else: what each request may be answered, and what is
 * there afterwards. It imports nothing of the store. Where several refusals apply at once, AWS does not say
 * which comes first: any of them is right. ETags and version ids that only the server can know are learned
 * from its answers, and have to stay.
 */
import { createHash } from "node:crypto";

export type Tags = readonly (readonly [string, string])[];

/** What the writer of an object says about it. */
export type Details = {
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Tags;
};

export type Version = {
  readonly isMarker: boolean;
  readonly body: Buffer;
  details: Details;
  /** Without quotes; `undefined` until an answer has told. */
  etag: string | undefined;
  /** Likewise; that of the null version is "null". */
  name: string | undefined;
  lastModified: string | undefined;
};

export type Part = { readonly body: Buffer; etag: string | undefined };

export type Upload = {
  readonly bucket: Bucket;
  readonly key: string;
  readonly details: Details;
  readonly parts: Map<number, Part>;
  /** The server's, from its answer. */
  id: string;
  state: "open" | "completed" | "aborted";
};

export type Bucket = {
  versioning: "never" | "Enabled" | "Suspended";
  /** The newest first; no key is there without a version. */
  readonly keys: Map<string, Version[]>;
};

export type Condition =
  | { readonly kind: "none" }
  | { readonly kind: "absent" }
  /** `*` is any. */
  | { readonly kind: "match"; readonly etag: string }
  | { readonly kind: "differ"; readonly etag: string };

export type Answer =
  | {
      readonly kind: "done";
      /** Named by x-amz-version-id, where there is versioning. */
      readonly version?: Version | undefined;
      /** Of a copy's source. */
      readonly source?: Version | undefined;
      readonly upload?: Upload;
      readonly part?: Part;
    }
  | { readonly kind: "refused"; readonly codes: readonly string[]; readonly marker?: Version | undefined }
  /** AWS leaves open whether it is done once more or refused; nothing changes either way. */
  | { readonly kind: "idle"; readonly codes: readonly string[] };

export type Place = { readonly bucket: string; readonly key: string };
/** Without a name: the current one. */
export type VersionPlace = Place & { readonly name: string | undefined };

export type Listed = { readonly key: string; readonly version: Version; readonly isLatest: boolean };

const PART_BYTES_MIN = 5 * 1024 * 1024;
const NOTHING: Details = { contentType: "", metadata: {}, tags: [] };

export function md5(...pieces: readonly Buffer[]): string {
  const hash = createHash("md5");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

function refused(codes: readonly string[], marker?: Version): Answer {
  return { kind: "refused", codes, marker };
}

/** What speaks against a write or a removal of what stands there. */
function against(condition: Condition, object: Version | undefined): readonly string[] {
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

export class ReferenceModel {
  readonly #buckets = new Map<string, Bucket>();
  readonly uploads: Upload[] = [];

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

  #write(place: Place, made: Omit<Version, "name" | "isMarker">, condition: Condition): Answer {
    const bucket = this.#buckets.get(place.bucket);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    const codes = against(condition, this.current(place));
    if (codes.length > 0) return refused(codes);
    return { kind: "done", version: this.#add(bucket, place.key, { ...made, isMarker: false }) };
  }

  put(place: Place, body: Buffer, details: Details, condition: Condition): Answer {
    return this.#write(place, { body, details, etag: md5(body), lastModified: undefined }, condition);
  }

  /** Behind what is there, of which everything else stays; AWS promises nothing about the ETag. */
  append(place: Place, offset: number, body: Buffer, details: Details): Answer {
    if (!this.#buckets.has(place.bucket)) return refused(["NoSuchBucket"]);
    const old = this.current(place);
    if ((old?.body.length ?? 0) !== offset) return refused(["InvalidWriteOffset"]);
    const whole = Buffer.concat([old?.body ?? Buffer.alloc(0), body]);
    const made = { body: whole, details: old?.details ?? details, etag: undefined, lastModified: undefined };
    return this.#write(place, made, { kind: "none" });
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

  setTags(place: VersionPlace, tags: Tags): Answer {
    const found = this.find(place);
    if ("kind" in found) return found;
    found.details = { ...found.details, tags };
    return { kind: "done", version: found };
  }

  /** What a copy is of. */
  #source(place: VersionPlace, condition: Condition): Version | readonly string[] {
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
    const source = this.#source(from, copy.sourceCondition);
    if (!("body" in source)) codes.push(...source);
    codes.push(...against(copy.condition, this.current(to)));
    if (codes.length > 0 || !("body" in source)) return refused(codes);
    const { body } = source;
    // Of what was put together from parts the ETag may become that of the whole or stay.
    const isPlain = body.length <= 65_536 || source.etag === md5(body);
    const etag = isPlain ? md5(body) : undefined;
    const made = { body, etag, details: { ...source.details, ...details }, lastModified: undefined };
    return { ...this.#write(to, made, copy.condition), source } as Answer;
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
    const source = this.#source({ bucket: name, key: fromKey, name: undefined }, rename.sourceCondition);
    if (!("body" in source)) codes.push(...source);
    codes.push(...against(rename.condition, this.current({ bucket: name, key })));
    if (codes.length > 0 || !("body" in source)) return refused(codes);
    const version = this.#add(bucket, key, source);
    this.#deleteCurrent(bucket, fromKey);
    return { kind: "done", version };
  }

  createUpload(place: Place, details: Details): Answer {
    const bucket = this.#buckets.get(place.bucket);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    const { key } = place;
    const upload: Upload = { bucket, key, details, parts: new Map(), id: "", state: "open" };
    this.uploads.push(upload);
    return { kind: "done", upload };
  }

  /** Why an upload does not take anything. */
  refusalOf(place: Place, upload: Upload): readonly string[] {
    const bucket = this.#buckets.get(place.bucket);
    if (bucket === undefined) return ["NoSuchBucket"];
    return bucket === upload.bucket && upload.state === "open" ? [] : ["NoSuchUpload"];
  }

  putPart(place: Place, upload: Upload, number: number, part: Part): Answer {
    const codes = this.refusalOf(place, upload);
    if (codes.length > 0) return refused(codes);
    upload.parts.set(number, part);
    return { kind: "done", part };
  }

  copyPart(
    place: Place,
    upload: Upload,
    number: number,
    copy: {
      readonly from: VersionPlace;
      readonly sourceCondition: Condition;
      /** The last is included. */
      readonly range: { readonly first: number; readonly last: number } | undefined;
    },
  ): Answer {
    const { range } = copy;
    const codes = [...this.refusalOf(place, upload)];
    if (range !== undefined && range.last < range.first) codes.push("InvalidArgument");
    const source = this.#source(copy.from, copy.sourceCondition);
    if (!("body" in source)) return refused([...codes, ...source]);
    if (range !== undefined && range.last >= source.body.length)
      codes.push("InvalidArgument", "InvalidRange");
    if (codes.length > 0) return refused(codes);
    const body = range === undefined ? source.body : source.body.subarray(range.first, range.last + 1);
    const part = { body, etag: body.length <= 65_536 ? md5(body) : undefined };
    upload.parts.set(number, part);
    return { kind: "done", part, source };
  }

  complete(
    place: Place,
    upload: Upload,
    named: readonly { readonly number: number; readonly etag: string }[],
    condition: Condition,
  ): Answer {
    const codes: string[] = [];
    if (named.length === 0) codes.push("MalformedXML");
    if (named.some(({ number }, at) => number <= (named[at - 1]?.number ?? 0)))
      codes.push("InvalidPartOrder");
    const isRepeated = upload.state === "completed" && this.#buckets.get(place.bucket) === upload.bucket;
    const parts = named.map(({ number }) => upload.parts.get(number));
    if (parts.some((part, at) => part?.etag !== named[at]?.etag)) codes.push("InvalidPart");
    const isSmall = (part: Part | undefined): boolean => (part?.body.length ?? 0) < PART_BYTES_MIN;
    if (parts.slice(0, -1).some(isSmall)) codes.push("EntityTooSmall");
    codes.push(...this.refusalOf(place, upload), ...against(condition, this.current(place)));
    if (isRepeated) return { kind: "idle", codes };
    if (codes.length > 0) return refused(codes);
    upload.state = "completed";
    const body = Buffer.concat(parts.map((part) => part?.body ?? Buffer.alloc(0)));
    const digests = named.map(({ etag }) => Buffer.from(etag, "hex"));
    const etag = `${md5(...digests)}-${named.length}`;
    return this.#write(place, { body, details: upload.details, etag, lastModified: undefined }, condition);
  }

  abort(place: Place, upload: Upload): Answer {
    const codes = this.refusalOf(place, upload);
    if (codes.length > 0) {
      return upload.state === "open" ? refused(codes) : { kind: "idle", codes };
    }
    upload.state = "aborted";
    return { kind: "done" };
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
