/**
 * A server with a certificate: S3 and admin API over https, certificates that change under way, and what does
 * not speak TLS.
 */
import { execFile } from "node:child_process";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { adminRequest } from "../../src/cli/admin-request.ts";
import { load } from "../config/load.ts";
import { signRequest } from "../s3/signer.ts";
import { makeCertificate } from "../support/certificates.ts";
import { hasProgram } from "../support/has-program.ts";
import { startEmbedded } from "../support/embedded.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const run = promisify(execFile);

async function world() {
  const directory = await temporaryDirectory();
  const at = (name: string): string => `${directory.path}/${name}`;
  const [first, second] = await Promise.all([
    makeCertificate(directory.path, "first"),
    makeCertificate(directory.path, "second"),
  ]);
  const paths = { certFile: at("tls.crt"), keyFile: at("tls.key") };
  await copyFile(first.certFile, paths.certFile);
  await copyFile(first.keyFile, paths.keyFile);
  const lines: string[] = [];
  const server = await startEmbedded({ tls: paths }, (line) => lines.push(line));
  const dispose = async (): Promise<void> => {
    await server.close();
    await directory[Symbol.asyncDispose]();
  };
  return { at, first, second, paths, lines, server, [Symbol.asyncDispose]: dispose };
}

type World = Awaited<ReturnType<typeof world>>;

async function open(endpoint: string, ca: Buffer): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(endpoint).port), ca });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

/** The name in the certificate that a new connection gets. */
async function shownName({ server, first, second }: World): Promise<unknown> {
  const ca = Buffer.concat([await readFile(first.certFile), await readFile(second.certFile)]);
  const socket = await open(server.endpoint, ca);
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return name;
}

test.runIf(hasProgram("curl"))("the S3 API is served over https, by a bearer token too", async () => {
  await using at = await world();
  const { endpoint, credentials } = at.server;
  expect(endpoint).toMatch(/^https:/);
  await writeFile(at.at("file"), "over TLS");
  const header = `Authorization: Bearer ${credentials.accessKeyId}:${credentials.secretAccessKey}`;
  const curl = (...args: readonly string[]) =>
    run("curl", ["-sS", "--fail", "--noproxy", "*", "--cacert", at.paths.certFile, "-H", header, ...args]);
  await curl("-X", "PUT", `${endpoint}/bucket`);
  await curl("-T", at.at("file"), `${endpoint}/bucket/k`);
  expect((await curl(`${endpoint}/bucket/k`)).stdout).toBe("over TLS");
  const host = new URL(endpoint).host;
  const { headers } = signRequest({
    method: "GET",
    url: "/bucket/k",
    host,
    nowMs: Date.now(),
    headers: {},
    body: Buffer.alloc(0),
    credentials: { accessKey: credentials.accessKeyId, secretKey: credentials.secretAccessKey },
  });
  const ca = await readFile(at.paths.certFile);
  const status = await new Promise((resolve, reject) => {
    request(`${endpoint}/bucket/k`, { ca, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
  expect(status).toBe(200);
});

test("certificates that change are served to new connections, and open ones go on", async () => {
  await using at = await world();
  const ca = await readFile(at.first.certFile);
  const socket = await open(at.server.endpoint, ca);
  expect(await shownName(at)).toBe("first");
  await copyFile(at.second.certFile, at.paths.certFile);
  await copyFile(at.second.keyFile, at.paths.keyFile);
  await expect.poll(() => shownName(at), { timeout: 10_000 }).toBe("second");
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
  socket.write("GET /-/live HTTP/1.1\r\nhost: x\r\n\r\n");
  await expect.poll(() => answer).toContain("200 OK");
  socket.destroy();
});

test("the admin API is served over https, and status insists on the settings' certificate", async () => {
  await using at = await world();
  const addr = new URL(at.server.adminEndpoint).host;
  const { accessKeyId, secretAccessKey } = at.server.credentials;
  const ask = async (certFile: string, keyFile: string) => {
    const argv = [`--admin-addr=${addr}`, `--tls-cert-file=${certFile}`, `--tls-key-file=${keyFile}`];
    const env = {
      THERMOCLINE_ROOT_ACCESS_KEY: accessKeyId,
      THERMOCLINE_ROOT_SECRET_KEY: secretAccessKey,
    };
    return await adminRequest(load({ argv, env }).config, { path: "/-/status" });
  };
  expect(await ask(at.paths.certFile, at.paths.keyFile)).toMatchObject({ kind: "answered" });
  const other = await ask(at.second.certFile, at.second.keyFile);
  expect(other).toMatchObject({ kind: "unreachable" });
  expect(JSON.stringify(other)).toContain("another certificate");
});

test("what does not speak TLS is cut, and a handshake that hangs does not hold up the end", async () => {
  await using at = await world();
  const port = Number(new URL(at.server.endpoint).port);
  const plain = connectPlain(port, "127.0.0.1");
  plain.on("error", () => undefined);
  plain.resume();
  const cut = new Promise((resolve) => plain.once("close", resolve));
  plain.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await cut;
  const hanging = connectPlain(port, "127.0.0.1");
  hanging.on("error", () => undefined);
  await new Promise((resolve) => hanging.once("connect", resolve));
  const start = performance.now();
  await at.server.close();
  expect(performance.now() - start).toBeLessThan(8000);
  hanging.destroy();
});
