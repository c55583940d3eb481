/**
 * Everything a client can see of a store, as plain data: what the manifest of a kept data directory holds.
 */
import { createHash } from "node:crypto";
import type { ListedObject } from "../../src/service/api.ts";
import type { StoreService } from "../../src/service/store-service.ts";

async function describeObject(service: StoreService, bucket: string, key: string): Promise<object> {
  const found = await service.objects.find(`${bucket}/${key}`);
  if (found === undefined) return { key, missing: true };
  const digest = createHash("sha256");
  const { signal } = new AbortController();
  const range = { start: 0, end: found.size };
  for await (const piece of service.objects.read(found, range, { signal })) digest.update(piece);
  const { size, etag, modifiedMs, attributes, partCount } = found;
  return { key, size, etag, modifiedMs, attributes, partCount, sha256: digest.digest("hex") };
}

async function describeUploads(service: StoreService, bucket: string): Promise<readonly object[]> {
  const page = await service.uploads.list({ bucket, prefix: "", after: undefined, limit: 1000 });
  const described: object[] = [];
  for (const { uploadId, key, initiatedMs, checksum } of page?.uploads ?? []) {
    const { parts } = await service.uploads.listParts({ uploadId, after: 0, limit: 1000 });
    described.push({ uploadId, key, initiatedMs, checksum, parts });
  }
  return described;
}

/** What version 1 did not tell is told only where it is not the default: its manifest stays as it is. */
function withoutDefaults({ storageClass, ...listed }: ListedObject): object {
  return storageClass === "STANDARD" ? listed : { ...listed, storageClass };
}

/** `undefined` fields are left out, as JSON leaves them out. */
export async function describeStore(service: StoreService): Promise<unknown> {
  const { buckets } = await service.buckets.list({ prefix: "", after: "", limit: 1000 });
  const described: object[] = [];
  for (const bucket of buckets) {
    const cursor = await service.objects.list({ bucket: bucket.name, prefix: "", from: "" });
    const listed = (await cursor?.next(10_000)) ?? [];
    await cursor?.close();
    const objects: object[] = [];
    for (const { key } of listed) objects.push(await describeObject(service, bucket.name, key));
    const uploads = await describeUploads(service, bucket.name);
    described.push({ ...bucket, objects, listed: listed.map(withoutDefaults), uploads });
  }
  const { liveBytes } = service.status();
  return JSON.parse(JSON.stringify({ buckets: described, liveBytes }));
}
