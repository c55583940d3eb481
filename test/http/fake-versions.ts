/**
 * Versions of the fake service, whose buckets never had versioning: each object is its own null version. What
 * versions mean is tested over the real service.
 */
import type { VersionService } from "../../src/service/version-api.ts";
import type { FakeObjects } from "./fake-objects.ts";
import type { FakeWorld } from "./fake-world.ts";

export function fakeVersions(world: FakeWorld, objects: FakeObjects): VersionService {
  return {
    setVersioning: () => Promise.reject(new Error("the fake service has no versioning")),
    find: async ({ bucket, key, version }) => {
      const object = version.kind === "null" ? world.objects.get(`${bucket}/${key}`) : undefined;
      return object === undefined ? { kind: "noSuchVersion" } : { kind: "object", object };
    },
    currentMarker: () => undefined,
    delete: async (target) => objects.deleteVersion(target),
    placeOf: () => undefined,
    list: () => Promise.reject(new Error("the fake service lists no versions")),
  };
}
