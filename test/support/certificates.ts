/**
 * Certificates signed by themselves, for 127.0.0.1 and localhost, valid for a hundred years: made once with
 * openssl (an EC key, subject CN = name), so that the tests need nothing but Node. Their keys guard nothing.
 */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";

export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/** Copies, which a test may damage. */
export async function makeCertificate(
  directory: string,
  name: "first" | "second" | "tls",
): Promise<CertificateFiles> {
  const files = { certFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) };
  const kept = (file: string): URL => new URL(`certificates/${file}`, import.meta.url);
  await copyFile(kept(`${name}.crt`), files.certFile);
  await copyFile(kept(`${name}.key`), files.keyFile);
  return files;
}
