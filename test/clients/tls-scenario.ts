/** The AWS CLI over https, against a certificate that signs itself: one object in parts, there and back. */
import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { mustRun, plainEnvironment } from "../scenario/run-program.ts";
import { temporaryDirectory } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { makeCertificate } from "../support/certificates.ts";
import { startEmbedded } from "../support/embedded.ts";
import { MIB, makeBytes } from "./test-bodies.ts";

export async function tlsScenario(tally: Tally, program: string): Promise<void> {
  await using directory = await temporaryDirectory();
  const tls = await makeCertificate(directory.path, "tls");
  await using server = await startEmbedded({ tls });
  const { accessKeyId, secretAccessKey } = server.credentials;
  const env = plainEnvironment({
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_CA_BUNDLE: tls.certFile,
    AWS_MAX_ATTEMPTS: "1",
    HOME: directory.path,
  });
  const [to, from] = [`${directory.path}/to`, `${directory.path}/from`];
  await writeFile(to, makeBytes(20 * MIB, "tls"));
  await tally.step("s3 mb, cp and cp back over https", async () => {
    for (const args of [
      ["mb", "s3://over-tls"],
      ["cp", "--no-progress", to, "s3://over-tls/large"],
      ["cp", "--no-progress", "s3://over-tls/large", from],
    ]) {
      await mustRun(program, ["--endpoint-url", server.endpoint, "s3", ...args], { env });
    }
    assert.ok((await readFile(from)).equals(await readFile(to)));
  });
  await tally.step("a certificate that nobody vouches for is refused by the client", async () => {
    const bare = plainEnvironment({ ...env, AWS_CA_BUNDLE: "/etc/ssl/certs/ca-certificates.crt" });
    const listing = mustRun(program, ["--endpoint-url", server.endpoint, "s3", "ls"], { env: bare });
    await assert.rejects(listing, /SSL|certificate/i);
  });
}
