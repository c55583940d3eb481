/**
 * <data>/restoring: a restore is under way here, or was interrupted. It says where from and under which name
 * it will go on, and nothing of how far it got: every step looks at what is there and makes it right, so it
 * is repeated without harm. No start accepts a directory that has it and no node.json.
 */
import { RefusedError } from "../base/errors.ts";
import type { Disk } from "../ports/disk.ts";
import type { Random } from "../ports/random.ts";
import { replaceFile } from "../store/replace-file.ts";
import { RESTORING_NAME } from "../store/restored-file.ts";

const VERSION = 1;
/** Bytes of a lineage's name, as a first start makes one. */
const LINEAGE_BYTES = 8;
/**
 * Names in the state carry incarnations, which count from 1; those of the new node begin with one out of 2^47
 * beyond whatever counting reaches, so that no name of the old one comes again.
 */
const INCARNATION_MIN = 2 ** 47;

export type RestoreIdentity = {
  readonly from: string;
  readonly cluster: string;
  readonly lineage: string;
  readonly incarnation: number;
};

export function newIdentity(
  random: Random,
  source: { readonly from: string; readonly cluster: string },
): RestoreIdentity {
  const lineage = Buffer.from(random.bytes(LINEAGE_BYTES)).toString("hex");
  const drawn = Buffer.from(random.bytes(6)).readUIntLE(0, 6) % INCARNATION_MIN;
  return { ...source, lineage, incarnation: INCARNATION_MIN + drawn };
}

export async function readProgress(disk: Disk, directory: string): Promise<RestoreIdentity | undefined> {
  const path = `${directory}/${RESTORING_NAME}`;
  const bytes = await disk.readFile(path);
  if (bytes === undefined) return undefined;
  const damaged = new RefusedError(`${path} cannot be read. Restore into another, empty directory`);
  let value: Partial<RestoreIdentity> & { readonly version?: unknown };
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8")) as typeof value;
  } catch {
    throw damaged;
  }
  const { from, cluster, lineage, incarnation, version } = value;
  const isText = [from, cluster, lineage].every((text) => typeof text === "string");
  if (version !== VERSION || !isText || !Number.isSafeInteger(incarnation)) throw damaged;
  return { from, cluster, lineage, incarnation } as RestoreIdentity;
}

export async function writeProgress(disk: Disk, directory: string, identity: RestoreIdentity): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify({ version: VERSION, ...identity })}\n`);
  await replaceFile(disk, { directory, name: RESTORING_NAME, bytes });
}

export async function removeProgress(disk: Disk, directory: string): Promise<void> {
  await disk.remove(`${directory}/${RESTORING_NAME}`);
  await disk.syncDirectory(directory);
}
