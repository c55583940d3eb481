/**
 * Holds a service against the model of what was done: every object with its bytes, every listing, every open
 * upload with its parts. Returns what is wrong, one sentence each.
 */
import { DamageError } from "../../src/base/errors.ts";
import type { FoundObject, Service } from "../../src/service/api.ts";
import { compareVersions } from "./compare-versions.ts";
import { isOf } from "./object-model.ts";
import type { NameHistory, ObjectState, StoreModel } from "./object-model.ts";
import { readBody } from "./workload-client.ts";

type Listed = { readonly size: number; readonly etag: string };

/** `damaged`, if given, takes the messages of damage that reads name; otherwise such an error is thrown. */
export async function compare(
  service: Service,
  model: StoreModel,
  position: number,
  damaged?: string[],
): Promise<readonly string[]> {
  const wrong: string[] = [];
  /** By bucket: what stands there, as point reads see it. */
  const seen = new Map<string, Map<string, Listed>>();
  for (const [name, history] of model.buckets.all) {
    const state = service.buckets.find(name) === undefined ? undefined : "exists";
    if (!history.allowedAt(position).includes(state)) wrong.push(`bucket ${name} is ${state ?? "gone"}`);
    if (state === "exists") seen.set(name, new Map());
  }
  for (const [path, history] of model.objects.all) {
    const slash = path.indexOf("/");
    const names = seen.get(path.slice(0, slash));
    try {
      const found = await service.objects.find(path);
      if (found !== undefined) names?.set(path.slice(slash + 1), found);
      const problem = await compareObject(service, found, history, position);
      if (problem !== undefined) wrong.push(`${path}: ${problem}`);
    } catch (error) {
      if (damaged === undefined || !(error instanceof DamageError)) throw error;
      damaged.push(error.message);
      const [state] = history.allowedAt(position);
      if (state === undefined) wrong.push(`${path} is damaged and should be absent`);
      else names?.set(path.slice(slash + 1), { size: state.bytes.length, etag: state.etag });
    }
  }
  for (const [bucket, objects] of seen) wrong.push(...(await compareListing(service, bucket, objects)));
  wrong.push(...(await compareUploads(service, model, position)));
  wrong.push(...(await compareVersions(service, model, position)));
  return wrong;
}

async function compareObject(
  service: Service,
  found: FoundObject | undefined,
  history: NameHistory<ObjectState>,
  position: number,
): Promise<string | undefined> {
  const allowed = history.allowedAt(position);
  if (found === undefined && allowed.includes(undefined)) return undefined;
  const state = allowed.find((candidate) => candidate !== undefined && isOf(found, candidate));
  if (found === undefined || state === undefined) {
    const names = allowed.map(nameOf).join(" or ");
    return `is ${nameOf(found)}, should be ${names}`;
  }
  const bytes = await readBody(service, found);
  return bytes.equals(state.bytes) ? undefined : "has wrong bytes";
}

function nameOf(object: FoundObject | ObjectState | undefined): string {
  return object === undefined ? "absent" : `${object.etag} with ${JSON.stringify(object.attributes)}`;
}

async function compareListing(
  service: Service,
  bucket: string,
  objects: ReadonlyMap<string, Listed>,
): Promise<readonly string[]> {
  const cursor = await service.objects.list({ bucket, prefix: "", from: "" });
  if (cursor === undefined) return [`bucket ${bucket} cannot be listed`];
  const listed = await cursor.next(1000);
  await cursor.close();
  const wanted = [...objects]
    .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([key, { size, etag }]) => `${key} ${size} ${etag}`)
    .join("\n");
  const got = listed.map(({ key, size, etag }) => `${key} ${size} ${etag}`).join("\n");
  return wanted === got ? [] : [`bucket ${bucket} lists\n${got}\ninstead of\n${wanted}`];
}

async function compareUploads(
  service: Service,
  model: StoreModel,
  position: number,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const upload of model.uploads.values()) {
    const allowed = upload.open.allowedAt(position);
    const found = await service.uploads.find(upload);
    const state = found === undefined ? undefined : "open";
    if (!allowed.includes(state)) wrong.push(`upload ${upload.uploadId} is ${state ?? "gone"}`);
    if (found === undefined || state === undefined) continue;
    const { parts } = await service.uploads.listParts({ ...upload, after: 0, limit: 10_000 });
    for (const [partNumber, history] of upload.parts.all) {
      const part = parts.find((candidate) => candidate.partNumber === partNumber);
      const fits = history
        .allowedAt(position)
        .some((wanted) => wanted?.etag === part?.etag && wanted?.size === part?.size);
      if (!fits) wrong.push(`part ${partNumber} of ${upload.uploadId} is ${part?.etag ?? "gone"}`);
    }
  }
  return wrong;
}
