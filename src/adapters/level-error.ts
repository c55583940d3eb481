/**
 * Errors of LevelDB as errors of the system: it tells their cause in words only, and the layers above decide
 * by `code`. Whoever meets a full disk must wait or refuse, not believe the files damaged and make them anew.
 */

const CODES = [
  ["No space left on device", "ENOSPC"],
  ["Disk quota exceeded", "EDQUOT"],
  ["File too large", "EFBIG"],
  ["Too many open files", "EMFILE"],
  ["Permission denied", "EACCES"],
  ["Cannot allocate memory", "ENOMEM"],
] as const;

/** The same error, or one with the system's code if it was one of the system's errors. */
export function systemErrorOf(error: unknown): unknown {
  const cause = (error as { readonly cause?: unknown }).cause ?? error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const found = CODES.find(([words]) => message.includes(words));
  return found === undefined
    ? error
    : Object.assign(new Error(message, { cause: error }), { code: found[1] });
}
