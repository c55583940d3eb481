/**
 * <data>/node.json: whose directory this is. Written by rename, so it is the old one or the new one after a
 * crash; `check` is the CRC32C of everything else in it, because many a flipped bit leaves valid JSON behind
 * (another incarnation, another segment size). The incarnation goes up at every start and is stable before
 * anything is named after it, so ids that carry it never come twice.
 */
import { crc32c } from "../base/crc.ts";
import { OR_SALVAGE, RefusedError } from "../base/errors.ts";
import type { Disk } from "../ports/disk.ts";
import type { Random } from "../ports/random.ts";
import { replaceFile } from "../store/replace-file.ts";
import { RESTORING_NAME } from "../store/restored-file.ts";

export const DATA_FORMAT = 1;

export type NodeFile = {
  readonly format: number;
  readonly clusterId: string;
  readonly lineage: string;
  readonly nodeId: string;
  readonly incarnation: number;
  /** Segments of this cluster are cut at this size, for ever: cutting is part of the history. */
  readonly segmentBytes: number;
};

export type NodeFileOptions = {
  readonly disk: Disk;
  readonly random: Random;
  readonly directory: string;
  readonly nodeId: string;
  readonly segmentBytes: number;
};

/** Reads the file, or writes the first one into an empty directory; raises the incarnation. */
export async function openNodeFile(options: NodeFileOptions): Promise<NodeFile> {
  const { disk, directory } = options;
  const path = `${directory}/node.json`;
  const bytes = await disk.readFile(path);
  const before = bytes === undefined ? await freshNode(options) : parseNode(bytes, path);
  refuseOther(before, options);
  const node = { ...before, format: DATA_FORMAT, incarnation: before.incarnation + 1 };
  await writeNode(disk, directory, node);
  return node;
}

/** Its fields may mean something else, its check too. */
export function refuseNewer(node: NodeFile, directory: string): void {
  if (node.format <= DATA_FORMAT) return;
  throw new RefusedError(
    `${directory} has data format ${node.format}, a newer release wrote it: this one knows ${DATA_FORMAT}`,
  );
}

/** What a restore brought becomes a data directory. */
export async function writeRestoredNode(
  disk: Disk,
  directory: string,
  node: Omit<NodeFile, "format">,
): Promise<void> {
  await writeNode(disk, directory, { format: DATA_FORMAT, ...node });
}

/** A directory of a newer release, or of another node, is not for this one. */
export function refuseOther(
  node: NodeFile,
  expected: { readonly directory: string; readonly nodeId: string },
): void {
  const { directory, nodeId } = expected;
  refuseNewer(node, directory);
  if (node.nodeId !== nodeId) {
    throw new RefusedError(
      `${directory} belongs to node ${node.nodeId}, the configuration says ${nodeId}: ` +
        "is it the right directory?",
    );
  }
}

/** Reads the file of an existing directory and changes nothing. */
export async function readNodeFile(disk: Disk, directory: string): Promise<NodeFile> {
  const path = `${directory}/node.json`;
  const bytes = await disk.readFile(path);
  if (bytes === undefined) throw new RefusedError(`${directory} is no data directory: it has no node.json`);
  return parseNode(bytes, path);
}

/** Nothing is written into a directory that is somebody else's, not even a lock. */
export async function refuseForeign(disk: Disk, directory: string): Promise<void> {
  const names = await disk.list(directory);
  if (names.includes("node.json")) return;
  if (names.includes(RESTORING_NAME)) {
    throw new RefusedError(
      `${directory} holds an unfinished restore: run "thermocline restore" again as it was run before, ` +
        "it goes on where it was interrupted",
    );
  }
  const foreign = names.find((name) => !OWN_NAMES.has(name));
  if (foreign === undefined) return;
  throw new RefusedError(
    `${directory} is not empty and not a data directory (it holds ${foreign}): give an empty or new one`,
  );
}

async function freshNode(options: NodeFileOptions): Promise<NodeFile> {
  await refuseForeign(options.disk, options.directory);
  const id = (): string => Buffer.from(options.random.bytes(8)).toString("hex");
  const { nodeId, segmentBytes } = options;
  return { format: DATA_FORMAT, clusterId: id(), lineage: id(), nodeId, incarnation: 0, segmentBytes };
}

/** What an interrupted first start or a mount point leaves behind. */
const OWN_NAMES = new Set(["lock", "node.json.new", "lost+found"]);

function parseNode(bytes: Uint8Array, path: string): NodeFile {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    throw new RefusedError(`${path} is damaged. Restore it from a backup, ${OR_SALVAGE}`, { cause: error });
  }
  if (!isNode(value))
    throw new RefusedError(`${path} is damaged: fields are missing. Restore it from a backup, ${OR_SALVAGE}`);
  const { check, ...node } = value;
  // Who knows how a newer release checks its file; that it is newer is told by the caller.
  if (check !== checkOf(node) && node.format <= DATA_FORMAT) {
    throw new RefusedError(
      `${path} is damaged: it does not match its check. Restore it from a backup, ${OR_SALVAGE}`,
    );
  }
  return node;
}

/** Of the fields in the order in which they are written. */
function checkOf(node: NodeFile): string {
  return crc32c(JSON.stringify(node)).toString(16).padStart(8, "0");
}

function isNode(value: unknown): value is NodeFile & { readonly check?: unknown } {
  const node = value as Partial<NodeFile> | null;
  return (
    typeof node === "object" &&
    node !== null &&
    Number.isSafeInteger(node.format) &&
    Number.isSafeInteger(node.incarnation) &&
    Number.isSafeInteger(node.segmentBytes) &&
    [node.clusterId, node.lineage, node.nodeId].every((id) => typeof id === "string" && id.length > 0)
  );
}

async function writeNode(disk: Disk, directory: string, node: NodeFile): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify({ ...node, check: checkOf(node) }, undefined, 2)}\n`);
  await replaceFile(disk, { directory, name: "node.json", bytes });
}
