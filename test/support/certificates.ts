/** Certificates made on the spot, signed by themselves, for 127.0.0.1 and localhost. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

export async function makeCertificate(directory: string, name: string): Promise<CertificateFiles> {
  const files = { certFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) };
  await promisify(execFile)("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" "),
    ...["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
    ...["-keyout", files.keyFile, "-out", files.certFile],
  ]);
  return files;
}
