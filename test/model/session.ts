/**
 * One run's client, its model, and the names that the server gave: what every kind of step is made with.
 */
import { sameEtag, sameNames, sameRefusal, same, unquote } from "./compare.ts";
import type { Asked } from "./compare.ts";
import type { CopyFrom, VersionPick } from "./operations.ts";
import { ReferenceModel } from "./reference-model.ts";
import { ReferenceUploads } from "./reference-uploads.ts";
import type { Answer, Condition, Place, Upload, Version } from "./vocabulary.ts";
import { conditionHeaders, conditionOf, placeOf } from "./requests.ts";
import type { Headers } from "./requests.ts";
import { encodePath, textOf } from "./s3-client.ts";
import type { Call, S3Client } from "./s3-client.ts";

/** Well-formed, and of no version. */
const NO_VERSION = "0000000zzz.0";
const NTH_OF_NONE = 7;

export class Session {
  readonly model = new ReferenceModel();
  readonly uploads = new ReferenceUploads(this.model);
  readonly client: S3Client;
  readonly #places = new Map<Upload, Place>();
  /** Names of all versions that a key ever had. */
  readonly #history = new Map<string, string[]>();

  constructor(client: S3Client) {
    this.client = client;
  }

  async ask(call: Call): Promise<Asked> {
    return { call, reply: await this.client.send(call) };
  }

  isVersioned(bucket: string): boolean {
    return (this.model.bucket(bucket)?.versioning ?? "never") !== "never";
  }

  began(upload: Upload, place: Place): void {
    this.#places.set(upload, place);
  }

  placeOfUpload(upload: Upload | undefined): Place | undefined {
    return upload && this.#places.get(upload);
  }

  versionName({ bucket, key }: Place, pick: VersionPick): string | undefined {
    if (pick === undefined || pick === "null") return pick;
    if (pick.nth === NTH_OF_NONE) return NO_VERSION;
    const there = this.model.namesAt({ bucket, key });
    const names = pick.nth % 2 === 0 ? there : (this.#history.get(`${bucket}/${key}`) ?? []);
    return names[pick.nth % names.length];
  }

  /** What nearly all requests have in common; `undefined` when it was refused, as it should be. */
  async expect(call: Call, answer: Answer, status: number, source?: Place): Promise<Asked | undefined> {
    const asked = await this.ask(call);
    const versioned = this.isVersioned(call.bucket);
    if (sameRefusal(asked, answer, versioned)) return undefined;
    same(asked, "the status", asked.reply.status, status);
    if (answer.kind !== "done") return undefined;
    const sourceVersioned = source !== undefined && this.isVersioned(source.bucket);
    sameNames(asked, answer, { versioned, sourceVersioned });
    this.remember(call, answer.version);
    return asked;
  }

  remember({ bucket, key = "" }: { readonly bucket: string; readonly key?: string }, made?: Version): void {
    const name = made?.name;
    if (name === undefined || name === "null") return;
    const path = `${bucket}/${key}`;
    const names = this.#history.get(path) ?? [];
    if (!names.includes(name)) this.#history.set(path, [...names, name]);
  }

  /** A write whose answer has the ETag in a header. */
  async written(call: Call, answer: Answer): Promise<void> {
    const asked = await this.expect(call, answer, 200);
    if (asked === undefined || answer.kind !== "done") return;
    const made = answer.version ?? answer.part;
    if (made !== undefined) sameEtag(asked, unquote(asked.reply.headers["etag"]), made);
  }

  copySource(copy: CopyFrom): {
    readonly from: Place & { readonly name: string | undefined };
    readonly sourceCondition: Condition;
    readonly headers: Headers;
  } {
    const place = placeOf(copy.from);
    const from = { ...place, name: this.versionName(place, copy.version) };
    const found = this.model.find(from);
    const sourceCondition = conditionOf(copy.sourceCondition, "kind" in found ? undefined : found);
    const version = from.name === undefined ? "" : `?versionId=${from.name}`;
    const headers = {
      "x-amz-copy-source": encodePath(place.bucket, place.key).slice(1) + version,
      ...conditionHeaders(sourceCondition, "x-amz-copy-source-"),
    };
    return { from, sourceCondition, headers };
  }

  sameXmlEtag(asked: Asked, answer: Answer): void {
    const made = answer.kind === "done" ? (answer.part ?? answer.version) : undefined;
    const told = unquote(textOf(asked.reply.body.toString("utf8"), "ETag"));
    if (made !== undefined) sameEtag(asked, told, made);
  }
}
