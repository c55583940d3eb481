/**
 * <data>/restored: what a restore leaves for the first start after it to do. Where the lineage comes from,
 * and where segments lie in the cold tier: a replay of the log says where they were later, too, and objects
 * that came later may be gone, while those that the manifest names are kept (RULES.md R20, R21). It is there
 * until the state says all of it and the own manifest is in the bucket.
 *
 *   JSON in lines: what it is with its version, a line per segment, CRC32C of all that
 */
import { FormatError } from "../base/bytes.ts";
import { crc32c } from "../base/crc.ts";
import { RefusedError } from "../base/errors.ts";
import type { Disk } from "../ports/disk.ts";
import { COLD_COPY_KINDS } from "../state/rows.ts";
import type { ColdCopy } from "../state/rows.ts";
import { replaceFile } from "./replace-file.ts";

export const RESTORED_NAME = "restored";
/** There while a restore is under way, or was interrupted: no start may take it for a data directory. */
export const RESTORING_NAME = "restoring";
const VERSION = 1;

/** All entries of a segment, and the object that holds them. */
export type RestoredCopy = { readonly first: number; readonly last: number; readonly copy: ColdCopy };

export type Restored = {
  readonly lineage: string;
  readonly parent: string;
  /** The last entry that is shared with the parent. */
  readonly cutIndex: number;
  /** As users write it: where the restore read from. */
  readonly from: string;
  readonly copies: readonly RestoredCopy[];
  /** Keys that were missing already, which was accepted: a read of what is in them tells. */
  readonly lost: readonly string[];
};

export async function writeRestored(disk: Disk, directory: string, restored: Restored): Promise<void> {
  const { copies, ...head } = restored;
  const lines = [JSON.stringify({ thermocline: "restored", version: VERSION, ...head })];
  for (const { first, last, copy } of copies) {
    const { kind, key, bytes, sha256 } = copy;
    lines.push(JSON.stringify([first, last, COLD_COPY_KINDS.indexOf(kind), key, bytes, sha256]));
  }
  const text = lines.map((line) => `${line}\n`).join("");
  const bytes = Buffer.from(`${text}${checkOf(Buffer.from(text))}\n`);
  await replaceFile(disk, { directory, name: RESTORED_NAME, bytes });
}

/** `undefined`: nothing is left to do. */
export async function readRestored(disk: Disk, directory: string): Promise<Restored | undefined> {
  const path = `${directory}/${RESTORED_NAME}`;
  const bytes = await disk.readFile(path);
  if (bytes === undefined) return undefined;
  try {
    return decode(Buffer.from(bytes));
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof SyntaxError)) throw error;
    throw new RefusedError(
      `${path} is damaged (${error.message}): where segments lie in the cold tier cannot be told. ` +
        "Restore again into an empty directory",
      { cause: error },
    );
  }
}

/** Harmless if there is none. */
export async function removeRestored(disk: Disk, directory: string): Promise<void> {
  await disk.remove(`${directory}/${RESTORED_NAME}`);
  await disk.syncDirectory(directory);
}

function checkOf(bytes: Uint8Array): string {
  return crc32c(bytes).toString(16).padStart(8, "0");
}

function decode(bytes: Buffer): Restored {
  const end = bytes.length - "00000000\n".length;
  if (bytes.toString("latin1", end) !== `${checkOf(bytes.subarray(0, Math.max(0, end)))}\n`) {
    throw new FormatError("it does not match its check");
  }
  const [head = "", ...lines] = bytes.toString("utf8", 0, end - 1).split("\n");
  // What matches its check was written above.
  const { thermocline, version, ...rest } = JSON.parse(head) as Omit<Restored, "copies"> & {
    readonly thermocline: string;
    readonly version: number;
  };
  if (thermocline !== "restored" || version !== VERSION) throw new FormatError("a newer release wrote it");
  const { lineage, parent, cutIndex, from, lost } = rest;
  return { lineage, parent, cutIndex, from, lost, copies: lines.map(decodeCopy) };
}

function decodeCopy(line: string): RestoredCopy {
  const fields = JSON.parse(line) as readonly [number, number, number, string, number, string];
  const [first, last, code, key, bytes, sha256] = fields;
  const kind = COLD_COPY_KINDS[code];
  if (kind === undefined) throw new FormatError(`unknown kind ${code} of a cold copy`);
  return { first, last, copy: { kind, key, bytes, sha256 } };
}
