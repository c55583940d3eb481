/**
 * The service of src/service/api.ts over plain maps, for tests of the edge: honest semantics (conditions,
 * part rules, byte order, checksums of whole objects), no storage. Bodies above SMALL_BODY_BYTES_MAX do not
 * come along with `find`, as in the real one.
 */
import type { Identity, NodeStatus, Service } from "../../src/service/api.ts";
import { fakeBuckets, FakeObjects } from "./fake-objects.ts";
import { fakeUploads } from "./fake-uploads.ts";
import { fakeVersions } from "./fake-versions.ts";
import { FakeWorld } from "./fake-world.ts";

export const ROOT: Identity = { accountId: "root", displayName: "root", accessKey: "rootkey" };
export const ROOT_SECRET = "root-secret-key";
export const OTHER: Identity = { accountId: "other", displayName: "Other", accessKey: "otherkey" };
export const OTHER_SECRET = "other-secret-key";

export const THIRD: Identity = { accountId: "third", displayName: "Third", accessKey: "thirdkey" };
export const THIRD_SECRET = "third-secret-key";

export type FakeService = Service & { readonly world: FakeWorld };

function statusOf(world: FakeWorld): NodeStatus {
  return {
    nodeId: "n1",
    ready: world.ready,
    reason: world.ready ? undefined : "the fake is told not to be",
    term: 1,
    commitIndex: world.appliedIndex,
    appliedIndex: world.appliedIndex,
    segments: 1,
    logBytes: 0,
    fileBytes: 0,
    liveBytes: 0,
    reclaimedBytes: 0,
    floorIndex: 0,
    snapshotIndex: 0,
    snapshotBytes: 0,
    overlayRows: 0,
    cacheBytes: 0,
    cacheEntries: world.objects.size,
    diskFreeBytes: 1,
    writesRefused: "none",
    clockSkewMs: -2500,
  };
}

/** Their tests run over a real store: they are about what one operation leaves for another. */
function notHere(): never {
  throw new Error("not an operation of the fake service");
}

const NOT_HERE: Pick<Service, "copies" | "details" | "batches"> = {
  copies: { copy: notHere, copyPart: notHere, rename: notHere, append: notHere },
  details: { tags: notHere, putTags: notHere, parts: notHere },
  batches: { write: notHere },
};

export function createFakeService(): FakeService {
  const world = new FakeWorld();
  const objects = new FakeObjects(world);
  const identities = new Map([
    [ROOT.accessKey, { identity: ROOT, secretKey: ROOT_SECRET }],
    [OTHER.accessKey, { identity: OTHER, secretKey: OTHER_SECRET }],
    [THIRD.accessKey, { identity: THIRD, secretKey: THIRD_SECRET }],
  ]);
  return {
    world,
    buckets: fakeBuckets(world),
    objects,
    versions: fakeVersions(world, objects),
    uploads: fakeUploads(world),
    ...NOT_HERE,
    details: {
      ...NOT_HERE.details,
      tags: async (look) => ({ object: await look(), tags: [] }),
    },
    identities: {
      find: (accessKey) => identities.get(accessKey),
      displayName: (accountId) =>
        [ROOT, OTHER, THIRD].find((known) => known.accountId === accountId)?.displayName,
    },
    status: () => statusOf(world),
  };
}
