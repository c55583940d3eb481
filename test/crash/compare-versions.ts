/**
 * Holds the versions that a service shows against those that were acknowledged: each is there with its bytes
 * or gone, is listed if it is there, and the newest of a key is the one that readers without an id get.
 */
import type { Service } from "../../src/service/api.ts";
import type { ListedVersion } from "../../src/service/version-api.ts";
import { parseVersionId, versionIdOf } from "../../src/state/version-id.ts";
import type { StoreModel, VersionState } from "./object-model.ts";
import { VERSIONED_BUCKET } from "./versioned-client.ts";
import { readBody } from "./workload-client.ts";

export async function seenVersion(service: Service, path: string): Promise<VersionState | undefined> {
  const [key = "", id = ""] = path.split("?");
  const version = parseVersionId(id);
  if (version === undefined) throw new Error(`no version is called ${id}`);
  const found = await service.versions.find({ bucket: VERSIONED_BUCKET, key, version });
  if (found.kind === "noSuchVersion") return undefined;
  if (found.kind === "marker") return { etag: undefined, bytes: undefined };
  return { etag: found.object.etag, bytes: await readBody(service, found.object) };
}

export function isSameVersion(left: VersionState | undefined, right: VersionState | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  if (left.bytes === undefined || right.bytes === undefined) return left.bytes === right.bytes;
  return left.etag === right.etag && left.bytes.equals(right.bytes);
}

async function listed(service: Service): Promise<readonly ListedVersion[]> {
  const query = { bucket: VERSIONED_BUCKET, prefix: "", from: { key: "" } };
  const cursor = await service.versions.list(query);
  if (cursor === undefined) return [];
  try {
    return await cursor.next(10_000);
  } finally {
    await cursor.close();
  }
}

export async function compareVersions(
  service: Service,
  model: StoreModel,
  position: number,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const all = await listed(service);
  const places = new Set(all.map(({ key, versionId }) => `${key}?${versionId}`));
  for (const [path, history] of model.versions.all) {
    const seen = await seenVersion(service, path);
    const fits = history.allowedAt(position).some((state) => isSameVersion(state, seen));
    if (!fits) wrong.push(`version ${path} is ${seen === undefined ? "gone" : (seen.etag ?? "a marker")}`);
    if ((seen !== undefined) !== places.has(path)) wrong.push(`version ${path} is listed as it is not`);
  }
  for (const version of all.filter(({ isLatest }) => isLatest)) {
    const found = await service.objects.find(`${VERSIONED_BUCKET}/${version.key}`);
    const current = found === undefined ? undefined : versionIdOf(found);
    const wanted = version.object === undefined ? undefined : version.versionId;
    if (current !== wanted) wrong.push(`${version.key} shows version ${current}, its newest is ${wanted}`);
  }
  return wrong;
}
