/**
 * A used up quota as an error with a code. Node does not know the system's number for it: the error says
 * "Unknown system error -122", and that is its code too.
 */
import { constants } from "node:os";

/** Absent on systems that do not know it. */
const EDQUOT = constants.errno.EDQUOT as number | undefined;

/** The same error, or one with the code EDQUOT if that is what it means. */
export function quotaErrorOf(error: unknown): unknown {
  const { errno, message } = error as { readonly errno?: unknown; readonly message?: unknown };
  if (EDQUOT === undefined || errno !== -EDQUOT) return error;
  const said = new Error(`EDQUOT: disk quota exceeded (${String(message)})`, { cause: error });
  return Object.assign(said, { code: "EDQUOT" });
}

/** What takes space may meet a quota. */
export async function withQuotaError<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw quotaErrorOf(error);
  }
}
