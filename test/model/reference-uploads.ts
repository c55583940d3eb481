/**
 * Multipart uploads of the model: parts of each, and what completing one makes of them.
 */
import { against, md5, refused } from "./reference-model.ts";
import type { ReferenceModel } from "./reference-model.ts";
import type { Answer, Condition, Details, Part, Place, Upload, VersionPlace } from "./vocabulary.ts";

const PART_BYTES_MIN = 5 * 1024 * 1024;

export class ReferenceUploads {
  readonly all: Upload[] = [];
  readonly #model: ReferenceModel;

  constructor(model: ReferenceModel) {
    this.#model = model;
  }

  createUpload(place: Place, details: Details): Answer {
    const bucket = this.#model.bucket(place.bucket);
    if (bucket === undefined) return refused(["NoSuchBucket"]);
    const { key } = place;
    const upload: Upload = { bucket, key, details, parts: new Map(), id: "", state: "open" };
    this.all.push(upload);
    return { kind: "done", upload };
  }

  /** Why an upload does not take anything. */
  refusalOf(place: Place, upload: Upload): readonly string[] {
    const bucket = this.#model.bucket(place.bucket);
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
    const source = this.#model.source(copy.from, copy.sourceCondition);
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
    const isRepeated = upload.state === "completed" && this.#model.bucket(place.bucket) === upload.bucket;
    const parts = named.map(({ number }) => upload.parts.get(number));
    if (parts.some((part, at) => part?.etag !== named[at]?.etag)) codes.push("InvalidPart");
    const isSmall = (part: Part | undefined): boolean => (part?.body.length ?? 0) < PART_BYTES_MIN;
    if (parts.slice(0, -1).some(isSmall)) codes.push("EntityTooSmall");
    codes.push(...this.refusalOf(place, upload), ...against(condition, this.#model.current(place)));
    if (isRepeated) return { kind: "idle", codes };
    if (codes.length > 0) return refused(codes);
    upload.state = "completed";
    const body = Buffer.concat(parts.map((part) => part?.body ?? Buffer.alloc(0)));
    const digests = named.map(({ etag }) => Buffer.from(etag, "hex"));
    const etag = `${md5(Buffer.concat(digests))}-${named.length}`;
    return this.#model.write(
      place,
      { body, details: upload.details, etag, lastModified: undefined },
      condition,
    );
  }

  abort(place: Place, upload: Upload): Answer {
    const codes = this.refusalOf(place, upload);
    if (codes.length > 0) {
      return upload.state === "open" ? refused(codes) : { kind: "idle", codes };
    }
    upload.state = "aborted";
    return { kind: "done" };
  }
}
