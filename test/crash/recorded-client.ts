/**
 * Calls the service and notes in a model what was begun and acknowledged at which position of the disk's log.
 * Callers take care that no two calls for one name are under way together.
 */
import { createHash } from "node:crypto";
import type { Service, PutBody, PutObjectInput } from "../../src/service/api.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import type { OperationLog } from "../sim/disk-operation.ts";
import { Histories, NameHistory } from "./object-model.ts";
import type { Change, ObjectState, StoreModel } from "./object-model.ts";

export function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

export type NewObject = {
  readonly bucket: string;
  readonly key: string;
  readonly bytes: Buffer;
  readonly attributes?: Attributes;
  /** Above 0 the body is streamed in chunks of this size. */
  readonly chunkBytes?: number;
};

export class RecordedClient {
  readonly #service: Service;
  readonly #model: StoreModel;
  readonly #log: OperationLog;

  constructor(service: Service, model: StoreModel, log: OperationLog) {
    this.#service = service;
    this.#model = model;
    this.#log = log;
  }

  /** Runs `work`; its changes count as acknowledged in the very turn in which it returns. */
  async #record<Result>(
    changes: readonly Change<unknown>[],
    work: () => Promise<Result>,
    wanted: (result: Result) => boolean,
  ): Promise<Result> {
    const result = await work();
    if (!wanted(result)) throw new Error(`unexpected outcome ${JSON.stringify(result)}`);
    for (const change of changes) change.acknowledged = this.#log.length;
    return result;
  }

  async createBucket(name: string): Promise<void> {
    const change = this.#model.buckets.of(name).begin(this.#log.length, "exists");
    const work = () => this.#service.buckets.create({ name, owner: "root", location: "" });
    await this.#record([change], work, ({ kind }) => kind === "created");
  }

  async deleteBucket(name: string): Promise<void> {
    const { length } = this.#log;
    const changes: Change<unknown>[] = [this.#model.buckets.of(name).begin(length, undefined)];
    // Its open uploads cannot be reached any more.
    for (const { bucket, open } of this.#model.uploads.values()) {
      if (bucket === name && open.current === "open") changes.push(open.begin(length, undefined));
    }
    await this.#record(
      changes,
      () => this.#service.buckets.delete(name),
      ({ kind }) => kind === "deleted",
    );
  }

  async put(object: NewObject): Promise<void> {
    const body = await this.body(object);
    const change = this.#begin(object);
    const input = inputOf(object, body);
    await this.#record(
      [change],
      () => this.#service.objects.put(input),
      ({ kind }) => kind === "put",
    );
  }

  #begin({ bucket, key, bytes, attributes = NO_ATTRIBUTES }: NewObject): Change<ObjectState> {
    const history = this.#model.objects.of(`${bucket}/${key}`);
    return history.begin(this.#log.length, { bytes, etag: md5(bytes), attributes });
  }

  /** The body as the service wants it; streamed bodies are written here. */
  async body({ bytes, chunkBytes = 0 }: NewObject): Promise<PutBody> {
    // The store keeps the bytes it is given, and so does the model.
    if (chunkBytes === 0) return { kind: "bytes", bytes: Buffer.from(bytes) };
    const writer = this.#service.objects.startBody();
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      await writer.write(Buffer.from(bytes.subarray(at, at + chunkBytes)));
    }
    return { kind: "written", writer };
  }

  async putMany(objects: readonly NewObject[]): Promise<void> {
    const inputs: PutObjectInput[] = [];
    for (const object of objects) inputs.push(inputOf(object, await this.body(object)));
    const changes = objects.map((object) => this.#begin(object));
    await this.#record(
      changes,
      () => this.#service.objects.putMany(inputs),
      (outcomes) => outcomes.every(({ kind }) => kind === "put"),
    );
  }

  async delete(bucket: string, key: string): Promise<void> {
    const change = this.#model.objects.of(`${bucket}/${key}`).begin(this.#log.length, undefined);
    const work = () => this.#service.objects.delete({ bucket, key, condition: { kind: "none" } });
    await this.#record([change], work, ({ kind }) => kind === "deleted");
  }

  async deleteMany(bucket: string, keys: readonly string[]): Promise<void> {
    const { length } = this.#log;
    const changes = keys.map((key) => this.#model.objects.of(`${bucket}/${key}`).begin(length, undefined));
    await this.#record(
      changes,
      () => this.#service.objects.deleteMany(bucket, keys),
      (outcomes) => outcomes.every(({ kind }) => kind === "deleted"),
    );
  }

  async createUpload(bucket: string, key: string, attributes: Attributes): Promise<string> {
    const started = this.#log.length;
    const input = { bucket, key, owner: "root", attributes, checksum: undefined };
    const created = await this.#service.uploads.create(input);
    if (created.kind !== "created") throw new Error(created.kind);
    const { uploadId } = created;
    const open = new NameHistory<"open">();
    open.begin(started, "open").acknowledged = this.#log.length;
    this.#model.uploads.set(uploadId, { bucket, key, uploadId, open, parts: new Histories() });
    return uploadId;
  }

  async putPart(uploadId: string, partNumber: number, object: NewObject): Promise<void> {
    const upload = this.#model.uploads.get(uploadId);
    if (upload === undefined) throw new Error(`no upload ${uploadId}`);
    const body = await this.body(object);
    const etag = md5(object.bytes);
    const state = { etag, size: object.bytes.length };
    const change = upload.parts.of(partNumber).begin(this.#log.length, state);
    const work = () =>
      this.#service.uploads.putPart({ uploadId, partNumber, etag, checksum: undefined, body });
    await this.#record([change], work, ({ kind }) => kind === "put");
  }

  /** Completes with these parts, in order; `bytes` is the whole object. */
  async complete(uploadId: string, partNumbers: readonly number[], object: NewObject): Promise<void> {
    const upload = this.#model.uploads.get(uploadId);
    if (upload === undefined) throw new Error(`no upload ${uploadId}`);
    const parts = partNumbers.map((partNumber) => ({
      partNumber,
      etag: upload.parts.of(partNumber).current?.etag ?? "",
      checksum: undefined,
    }));
    const { bucket, key, bytes, attributes = NO_ATTRIBUTES } = object;
    const hash = createHash("md5");
    for (const { etag } of parts) hash.update(Buffer.from(etag, "hex"));
    const etag = `${hash.digest("hex")}-${parts.length}`;
    const started = this.#log.length;
    const changes = [
      this.#model.objects.of(`${bucket}/${key}`).begin(started, { bytes, etag, attributes }),
      upload.open.begin(started, undefined),
    ];
    const condition = { kind: "none" } as const;
    const expected = { expectedChecksum: undefined, expectedSize: bytes.length };
    const input = { bucket, key, uploadId, parts, condition, ...expected };
    await this.#record(
      changes,
      () => this.#service.uploads.complete(input),
      (outcome) => outcome.kind === "completed" && outcome.etag === etag,
    );
  }

  async abort(uploadId: string): Promise<void> {
    const upload = this.#model.uploads.get(uploadId);
    if (upload === undefined) throw new Error(`no upload ${uploadId}`);
    const { bucket, key } = upload;
    const change = upload.open.begin(this.#log.length, undefined);
    await this.#record(
      [change],
      () => this.#service.uploads.abort({ bucket, key, uploadId }),
      ({ kind }) => kind === "aborted",
    );
  }
}

function inputOf(object: NewObject, body: PutBody): PutObjectInput {
  const { bucket, key, bytes, attributes = NO_ATTRIBUTES } = object;
  return { bucket, key, etag: md5(bytes), attributes, body, condition: { kind: "none" } };
}
