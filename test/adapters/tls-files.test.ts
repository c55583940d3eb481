/** Promises of the TLS files: a pair is used when it is whole and fits, and the old one until then. */
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TlsFiles } from "../../src/adapters/tls-files.ts";
import { RefusedError } from "../../src/base/errors.ts";
import { makeCertificate } from "../support/certificates.ts";
import { silentLogger, temporaryDirectory } from "../support/open-store.ts";

const LOOK_MS = 20;

async function world() {
  const directory = await temporaryDirectory();
  const [first, second] = await Promise.all([
    makeCertificate(directory.path, "first"),
    makeCertificate(directory.path, "second"),
  ]);
  const paths = { certFile: join(directory.path, "tls.crt"), keyFile: join(directory.path, "tls.key") };
  const put = (one: "certFile" | "keyFile", from: typeof first) => copyFile(from[one], paths[one]);
  await put("certFile", first);
  await put("keyFile", first);
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (message: string) => void errors.push(message) };
  const files = await TlsFiles.open(paths, { logger, lookMs: LOOK_MS });
  const seen: Buffer[] = [];
  files.follow(({ cert }) => seen.push(cert));
  const dispose = async (): Promise<void> => {
    await files.close();
    await directory[Symbol.asyncDispose]();
  };
  return { paths, first, second, put, errors, files, seen, [Symbol.asyncDispose]: dispose };
}

const looks = (count: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, count * LOOK_MS);
  });

describe("TLS files", () => {
  test("that change are used as soon as both are there, and told once", async () => {
    await using at = await world();
    await at.put("keyFile", at.second);
    await looks(5);
    expect(at.seen).toEqual([]);
    await at.put("certFile", at.second);
    await expect.poll(() => at.seen.length).toBe(1);
    expect(at.seen[0]).toEqual(await readFile(at.second.certFile));
    expect(at.files.pair.key).toEqual(await readFile(at.second.keyFile));
    await looks(5);
    expect(at.seen).toHaveLength(1);
  });

  test("that cannot be used leave the pair before them in use, and the log says so once", async () => {
    await using at = await world();
    const before = at.files.pair;
    await at.put("certFile", at.second);
    await expect.poll(() => at.errors.length).toBe(1);
    await looks(5);
    await writeFile(at.paths.certFile, "no certificate");
    await expect.poll(() => at.errors.length).toBe(2);
    await looks(5);
    expect(at.errors).toHaveLength(2);
    expect([at.files.pair, at.seen]).toEqual([before, []]);
    await at.put("certFile", at.second);
    await at.put("keyFile", at.second);
    await expect.poll(() => at.seen.length).toBe(1);
  });

  test("that cannot be used at the start are a refusal that names them", async () => {
    await using at = await world();
    const { certFile } = at.paths;
    const other = { certFile, keyFile: at.second.keyFile };
    const opening = TlsFiles.open(other, { logger: silentLogger });
    await expect(opening).rejects.toThrow(RefusedError);
    await expect(opening).rejects.toThrow(certFile);
    const absent = TlsFiles.open({ certFile, keyFile: "/nowhere/tls.key" }, { logger: silentLogger });
    await expect(absent).rejects.toThrow("/nowhere/tls.key");
  });
});
