/**
 * From settings to a cold store, or to none. Whatever the store needs is loaded here and not before: a server
 * without a cold tier never pays for the SDK. Nothing is asked of the place yet; `check` of the store does
 * that, and says in one line what is wrong with it and how to mend it.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdKind, ColdStore, OnColdRequest } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { Random } from "../ports/random.ts";
import type { S3ColdOptions } from "./s3-cold-store.ts";

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
  /** Of each kind of object; the bucket's own for those that are left out. */
  readonly storageClass?: Partial<Readonly<Record<ColdKind, string>>> | undefined;
  readonly sse?: "none" | "AES256" | "aws:kms" | undefined;
  readonly sseKmsKeyId?: string | undefined;
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
    ...(settings.storageClass === undefined ? {} : { storageClasses: settings.storageClass }),
    ...encryptionOf(settings),
    ...ports,
  });
}

function encryptionOf({ sse = "none", sseKmsKeyId: keyId }: ColdSettings): Pick<S3ColdOptions, "encryption"> {
  if (sse === "none") return {};
  if (sse === "AES256") return { encryption: { kind: sse } };
  return { encryption: { kind: sse, keyId } };
}
