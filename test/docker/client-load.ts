/** Clients that write, overwrite, tag, mark, delete and upload in parts until somebody pulls the plug. */
import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { SimRandom } from "../sim/sim-random.ts";
import { ABSENT, valueOf } from "./client-history.ts";
import type { ClientHistory } from "./client-history.ts";
import type { TierServer } from "./tier-server.ts";

const CLIENTS = 6;
const KEYS_OF_EACH = 30;
const OPEN_UPLOADS_MAX = 4;

export const LOAD_BUCKETS = { plain: "plain", versioned: "versioned" } as const;

type Upload = {
  readonly key: string;
  readonly uploadId: string;
  readonly etag: string;
  readonly body: Buffer;
};

type Client = {
  readonly server: TierServer;
  readonly history: ClientHistory;
  readonly random: SimRandom;
  readonly name: string;
  readonly versions: { readonly key: string; readonly versionId: string }[];
  readonly uploads: Upload[];
};

/** Until the server is gone: then each client's last call has failed. */
export async function clientLoad(
  server: TierServer,
  how: { readonly history: ClientHistory; readonly seed: string },
): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, (_, at) => {
    const random = new SimRandom(`${how.seed}/${at}`);
    return { server, history: how.history, random, name: `c${at}`, versions: [], uploads: [] };
  });
  await Promise.all(clients.map(goOn));
}

async function goOn(client: Client): Promise<void> {
  for (;;) {
    try {
      await client.random.pick(STEPS)(client);
    } catch (error) {
      const isGone = client.server.process.child.exitCode ?? client.server.process.child.signalCode;
      if (isGone === null && !isCut(error)) throw error;
      return;
    }
  }
}

/** The process is killed before its parent hears of its end. */
function isCut(error: unknown): boolean {
  return /ECONNRESET|ECONNREFUSED|EPIPE|socket hang up/.test(`${(error as Error).message} ${String(error)}`);
}

type Step = (client: Client) => Promise<unknown>;

const putPlain: Step = async ({ server, history, random, name }) => {
  const Key = keyOf(random, name);
  const Body = random.bytes(random.between(1, 20_000));
  const tags = random.chance(0.2) ? { team: name } : {};
  const Tagging = new URLSearchParams(tags).toString();
  const more = Tagging === "" ? {} : { Tagging };
  const command = new PutObjectCommand({ Bucket: LOAD_BUCKETS.plain, Key, Body, ...more });
  await history.does(`object ${Key}`, valueOf(sha256(Body), tags), () => server.s3.send(command));
};

const removePlain: Step = async ({ server, history, random, name }) => {
  const Key = keyOf(random, name);
  const command = new DeleteObjectCommand({ Bucket: LOAD_BUCKETS.plain, Key });
  await history.does(`object ${Key}`, ABSENT, () => server.s3.send(command));
};

const putVersion: Step = async ({ server, history, random, name, versions }) => {
  const Key = keyOf(random, name);
  const Body = random.bytes(600);
  const command = new PutObjectCommand({ Bucket: LOAD_BUCKETS.versioned, Key, Body });
  const made = await history.makes("version", valueOf(sha256(Body)), async () => {
    const { VersionId } = await server.s3.send(command);
    return `${Key} ${VersionId}`;
  });
  versions.push({ key: Key, versionId: made.slice(Key.length + 1) });
};

const markDeleted: Step = async ({ server, history, random, name }) => {
  const Key = keyOf(random, name);
  const command = new DeleteObjectCommand({ Bucket: LOAD_BUCKETS.versioned, Key });
  await history.makes("marker", Key, async () => `${Key} ${(await server.s3.send(command)).VersionId}`);
};

const removeVersion: Step = async ({ server, history, random, versions }) => {
  const [version] = versions.splice(random.below(Math.max(1, versions.length)), 1);
  if (version === undefined) return;
  const { key: Key, versionId: VersionId } = version;
  const command = new DeleteObjectCommand({ Bucket: LOAD_BUCKETS.versioned, Key, VersionId });
  await history.does(`version ${Key} ${VersionId}`, ABSENT, () => server.s3.send(command));
};

const startUpload: Step = async ({ server: { s3 }, history, random, name, uploads }) => {
  if (uploads.length >= OPEN_UPLOADS_MAX) return;
  const at = { Bucket: LOAD_BUCKETS.plain, Key: `${name}/upload/${random.word()}` };
  const made = await history.makes("upload", at.Key, async () => {
    return `${at.Key} ${(await s3.send(new CreateMultipartUploadCommand(at))).UploadId}`;
  });
  const uploadId = made.slice(at.Key.length + 1);
  const body = random.bytes(70_000);
  const part = new UploadPartCommand({ ...at, UploadId: uploadId, PartNumber: 1, Body: body });
  const { ETag: etag = "" } = await s3.send(part);
  uploads.push({ key: at.Key, uploadId, etag, body });
};

const endUpload: Step = async ({ server: { s3 }, history, random, uploads }) => {
  const upload = uploads.shift();
  if (upload === undefined) return;
  const { key: Key, uploadId: UploadId, etag: ETag, body } = upload;
  const at = { Bucket: LOAD_BUCKETS.plain, Key, UploadId };
  const isKept = random.chance(0.6);
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  const command = isKept
    ? new CompleteMultipartUploadCommand({ ...at, MultipartUpload })
    : new AbortMultipartUploadCommand(at);
  // The object is there in the same moment in which the upload is not there any more.
  await history.does(`upload ${Key} ${UploadId}`, ABSENT, () =>
    isKept
      ? history.does(`object ${Key}`, valueOf(sha256(body)), () => s3.send(command as never))
      : s3.send(command as never),
  );
};

const STEPS: readonly Step[] = [
  ...[putPlain, putPlain, putPlain, putPlain, removePlain],
  ...[putVersion, putVersion, markDeleted, removeVersion, startUpload, endUpload],
];

function keyOf(random: SimRandom, name: string): string {
  return `${name}/${random.below(KEYS_OF_EACH)}`;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
