/** Promises of versions that show below HTTP: one moment per listing, and reads while the disk is slow. */
import { expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Service } from "../../src/service/api.ts";
import { parseVersionId } from "../../src/state/version-id.ts";
import type { VersionName } from "../../src/state/version-id.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";

async function put(service: Service, key: string, text: string): Promise<VersionName> {
  const outcome = await service.objects.put({
    bucket: "b",
    key,
    etag: "0".repeat(32),
    attributes: NO_ATTRIBUTES,
    body: { kind: "bytes", bytes: Buffer.from(text) },
    condition: { kind: "none" },
  });
  const id = outcome.kind === "put" ? outcome.versionId : undefined;
  return parseVersionId(id ?? "") as VersionName;
}

async function versioned(service: Service): Promise<void> {
  await service.buckets.create({ name: "b", owner: "root", location: "" });
  await service.versions.setVersioning("b", "Enabled");
}

test("a listing shows one moment: a version that is followed meanwhile shows once", async () => {
  await using directory = await temporaryDirectory();
  await using store = await openStore(directory.path);
  const { service, node } = store;
  await versioned(service);
  for (const key of ["a", "b", "c"]) await put(service, key, "old");
  const cursor = await service.versions.list({ bucket: "b", prefix: "", from: { key: "" } });
  for (const key of ["a", "b", "c"]) await put(service, key, "new");
  await node.index.flushedThrough(node.index.appliedIndex);
  const listed = (await cursor?.next(100)) ?? [];
  await cursor?.close();
  expect(listed.map(({ key, isLatest }) => [key, isLatest])).toEqual([
    ["a", true],
    ["b", true],
    ["c", true],
  ]);
});

test("older versions are read from a store that was just opened, of every kind of body", async () => {
  await using directory = await temporaryDirectory();
  const texts = ["", "inline", "in a record ".repeat(100)];
  const ids: VersionName[] = [];
  {
    await using store = await openStore(directory.path);
    await versioned(store.service);
    for (const text of [...texts, "current"]) ids.push(await put(store.service, "k", text));
  }
  await using store = await openStore(directory.path);
  for (const [at, text] of [...texts, "current"].entries()) {
    const version = ids[at] as VersionName;
    const found = await store.service.versions.find({ bucket: "b", key: "k", version });
    const bytes = found.kind === "object" ? found.object.bytes : undefined;
    expect(Buffer.from(bytes ?? []).toString()).toBe(text);
    expect(bytes).toBeDefined();
  }
});
