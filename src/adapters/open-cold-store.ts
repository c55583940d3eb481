/**
 * From settings to a cold store, or to none. Whatever the store needs is loaded here and not before: a server
 * without a cold tier never pays for the SDK. Nothing is asked of the place yet; `check` of the store does
 * that, and says in one line what is wrong with it and how to mend it.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore, OnColdRequest } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { Random } from "../ports/random.ts";

/** The section `cold` of the configuration. */
export type ColdSettings = {
  readonly url:
    | { readonly kind: "none" }
    | { readonly kind: "folder"; readonly path: string }
    | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly accessKey?: string | undefined;
  readonly secretKey?: string | undefined;
  readonly poolSize: number;
};

export type ColdPorts = {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each request; a folder has none, so of each call. */
  readonly onRequest?: OnColdRequest | undefined;
};

export async function openColdStore(
  settings: ColdSettings,
  ports: ColdPorts,
): Promise<ColdStore | undefined> {
  const { url, endpoint, region, accessKey, secretKey, poolSize } = settings;
  if (url.kind === "none") return undefined;
  if (url.kind === "folder") {
    const { FolderColdStore } = await import("./folder-cold-store.ts");
    const folder = new FolderColdStore({ path: url.path, ...ports });
    if (ports.onRequest === undefined) return folder;
    const { CountedColdStore } = await import("./counted-cold-store.ts");
    return new CountedColdStore(folder, ports.onRequest);
  }
  const { S3ColdStore } = await import("./s3-cold-store.ts");
  const isPairGiven = accessKey !== undefined && secretKey !== undefined;
  return new S3ColdStore({
    bucket: url.bucket,
    prefix: url.prefix,
    endpoint,
    region,
    credentials: isPairGiven ? { accessKeyId: accessKey, secretAccessKey: secretKey } : undefined,
    poolSize,
    ...ports,
  });
}
