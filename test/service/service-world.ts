/**
 * A service over a store of its own in a temporary directory, and the short words its tests are written in.
 */
import { createHash } from "node:crypto";
import type { CompletePart, FoundObject, ListedObject, PutBody, PutOutcome } from "../../src/service/api.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes, StoredChecksum } from "../../src/state/attributes.ts";
import type { WriteCondition } from "../../src/state/command.ts";
import type { UploadChecksum } from "../../src/state/rows.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";

export const KIB = 1024;
export const MIB = 1024 * KIB;

export type ServiceWorld = AsyncDisposable & {
  readonly service: StoreService;
  readonly store: () => OpenStore;
  /** Closes the store and opens it again; `service` of the old one is dead. */
  readonly reopen: () => Promise<StoreService>;
  readonly directory: string;
};

/** With bucket "b". */
export async function openService(changes: Parameters<typeof openStore>[1] = {}): Promise<ServiceWorld> {
  const directory = await temporaryDirectory();
  let store = await openStore(directory.path, changes);
  await store.service.buckets.create({ name: "b", owner: "root", location: "" });
  return {
    service: store.service,
    store: () => store,
    directory: directory.path,
    reopen: async () => {
      await store.node.close();
      store = await openStore(directory.path, changes);
      return store.service;
    },
    [Symbol.asyncDispose]: async () => {
      await store.node.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

export const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

/** Bytes that go into a command if they fit, else through a body writer. */
export async function bodyOf(service: StoreService, bytes: Uint8Array): Promise<PutBody> {
  if (bytes.length <= 64 * KIB) return { kind: "bytes", bytes };
  const writer = service.objects.startBody();
  for (let at = 0; at < bytes.length; at += MIB) await writer.write(bytes.subarray(at, at + MIB));
  return { kind: "written", writer };
}

export type PutOptions = {
  readonly bucket?: string;
  readonly attributes?: Attributes;
  readonly condition?: WriteCondition;
};

export async function put(
  service: StoreService,
  key: string,
  content: string | Uint8Array,
  options: PutOptions = {},
): Promise<PutOutcome> {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return await service.objects.put({
    bucket: options.bucket ?? "b",
    key,
    etag: md5(bytes),
    attributes: options.attributes ?? NO_ATTRIBUTES,
    body: await bodyOf(service, bytes),
    condition: options.condition ?? { kind: "none" },
  });
}

export async function remove(
  service: StoreService,
  key: string,
  options: { readonly bucket?: string; readonly condition?: WriteCondition } = {},
): Promise<string> {
  const { bucket = "b", condition = { kind: "none" } } = options;
  return (await service.objects.delete({ bucket, key, condition })).kind;
}

export async function find(
  service: StoreService,
  key: string,
  bucket = "b",
): Promise<FoundObject | undefined> {
  return await service.objects.find(`${bucket}/${key}`);
}

export async function bytesOf(service: StoreService, object: FoundObject): Promise<Buffer> {
  const { signal } = new AbortController();
  const pieces: Uint8Array[] = [];
  const range = { start: 0, end: object.size };
  for await (const piece of service.objects.read(object, range, { signal })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The object's text, or `undefined` if there is none. */
export async function textOf(service: StoreService, key: string): Promise<string | undefined> {
  const object = await find(service, key);
  return object === undefined ? undefined : (await bytesOf(service, object)).toString();
}

export async function listAll(
  service: StoreService,
  query: { readonly prefix?: string; readonly from?: string; readonly page?: number } = {},
): Promise<readonly ListedObject[]> {
  const { prefix = "", from = "", page = 100 } = query;
  const cursor = await service.objects.list({ bucket: "b", prefix, from });
  if (cursor === undefined) throw new Error("no such bucket");
  const all: ListedObject[] = [];
  for (;;) {
    const next = await cursor.next(page);
    if (next.length === 0) break;
    all.push(...next);
  }
  await cursor.close();
  return all;
}

export async function createUpload(
  service: StoreService,
  key: string,
  options: { readonly checksum?: UploadChecksum; readonly attributes?: Attributes } = {},
): Promise<string> {
  const created = await service.uploads.create({
    bucket: "b",
    key,
    owner: "root",
    attributes: options.attributes ?? NO_ATTRIBUTES,
    checksum: options.checksum,
  });
  if (created.kind !== "created") throw new Error(created.kind);
  return created.uploadId;
}

/** Uploads a part; what Complete has to say of it. */
export async function putPart(
  service: StoreService,
  uploadId: string,
  partNumber: number,
  bytes: Uint8Array,
  checksum?: StoredChecksum,
): Promise<CompletePart> {
  const etag = md5(bytes);
  const body = await bodyOf(service, bytes);
  const outcome = await service.uploads.putPart({ uploadId, partNumber, etag, checksum, body });
  if (outcome.kind !== "put") throw new Error(outcome.kind);
  const named = checksum && { algorithm: checksum.algorithm, value: checksum.value };
  return { partNumber, etag, checksum: named };
}

export type CompleteInput = Parameters<StoreService["uploads"]["complete"]>[0];

export function completeInput(
  key: string,
  uploadId: string,
  parts: readonly CompletePart[],
  changes: Partial<CompleteInput> = {},
): CompleteInput {
  return {
    bucket: "b",
    key,
    uploadId,
    parts,
    condition: { kind: "none" },
    expectedChecksum: undefined,
    expectedSize: undefined,
    ...changes,
  };
}
