/**
 * What an error of the file system means for a cold tier in a folder. Errors of whatever is read to be put
 * there are marked on their way, because they have the same codes and another meaning: they pass unchanged.
 */
import { ColdRefusedError, ColdUnavailableError, isColdError } from "../ports/cold-store.ts";
import { isOutOfSpace, systemErrorCode } from "../ports/disk.ts";

const mending: ReadonlyMap<string, string> = new Map([
  ["EACCES", "let this user write there"],
  ["EPERM", "let this user write there"],
  ["EROFS", "mount it for writing"],
  ["ENOTDIR", "a file stands where a folder has to be; move it away, or mend cold.url"],
  ["EEXIST", "a file stands where a folder has to be; move it away, or mend cold.url"],
  ["EISDIR", "a folder stands where a file has to be; move it away"],
  ["ENOENT", "mount its disk, or mend cold.url"],
  ["ENAMETOOLONG", "use a folder with a shorter path"],
]);

const RETRY_AFTER_MS = 10_000;

class ReadingError extends Error {
  constructor(cause: unknown) {
    super("what was to be stored could not be read", { cause });
  }
}

export async function* readingErrors(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        throw new ReadingError(error);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Nothing has this name, nor can have while a part of its path is a file. */
export function isAbsence(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

export function folderError(error: unknown, what: string): unknown {
  if (isColdError(error)) return error;
  if (error instanceof ReadingError) return error.cause;
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  const options = { cause: error };
  const mend = mending.get(code);
  if (mend !== undefined) return new ColdRefusedError(`${what}: ${code}; ${mend}`, options);
  const how = isOutOfSpace(error) ? `${code}; make room there` : code;
  return new ColdUnavailableError(`${what}: ${how}`, { ...options, retryAfterMs: RETRY_AFTER_MS });
}
