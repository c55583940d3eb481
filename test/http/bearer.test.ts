/** Bearer tokens: who may come with one, from where, and that nobody learns anything from a refusal. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { isConfidential } from "../../src/http/connection-security.ts";
import { OTHER_CREDENTIALS, ROOT_CREDENTIALS, send } from "./client.ts";
import type { Call } from "./client.ts";
import { hasProgram } from "../support/has-program.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

async function withEdge(run: (started: StartedEdge) => Promise<void>): Promise<void> {
  const started = await startEdge({ accessLog: true });
  try {
    await send(started.port, { method: "PUT", url: "/bkt" });
    await run(started);
  } finally {
    await started.close();
  }
}

const token = ({ accessKey, secretKey }: typeof ROOT_CREDENTIALS): string =>
  `Bearer ${accessKey}:${secretKey}`;

function call(authorization: string, more: Partial<Call> = {}): Call {
  return { url: "/bkt/k", credentials: null, ...more, headers: { authorization, ...more.headers } };
}

describe("a bearer token from this machine", () => {
  test("stands for its account, which may do what it may do", () =>
    withEdge(async ({ port, adminPort }) => {
      const put = await send(port, call(token(ROOT_CREDENTIALS), { method: "PUT", body: "by token" }));
      expect(put.status).toBe(200);
      expect((await send(port, { url: "/bkt/k" })).text).toBe("by token");
      expect((await send(port, call(token(ROOT_CREDENTIALS).replace("Bearer", "bearer")))).text).toBe(
        "by token",
      );
      expect((await send(port, call(token(OTHER_CREDENTIALS)))).code).toBe("AccessDenied");
      expect((await send(adminPort, call(token(ROOT_CREDENTIALS), { url: "/-/status" }))).status).toBe(200);
      expect((await send(adminPort, call(token(OTHER_CREDENTIALS), { url: "/-/status" }))).status).toBe(403);
    }));

  test.each([
    ["another secret", "Bearer rootkey:root-secret-keY", 403, "AccessDenied"],
    ["a secret that only begins right", "Bearer rootkey:root", 403, "AccessDenied"],
    ["no secret", "Bearer rootkey:", 403, "AccessDenied"],
    ["an unknown access key", "Bearer nobody:root-secret-key", 403, "InvalidAccessKeyId"],
    ["no colon", "Bearer rootkey", 400, "AuthorizationHeaderMalformed"],
    ["no access key", "Bearer :root-secret-key", 400, "AuthorizationHeaderMalformed"],
    ["nothing", "Bearer ", 400, undefined],
  ])("with %s is refused, and the answer repeats no secret", (_, authorization, status, code) =>
    withEdge(async ({ port, logLines }) => {
      const answer = await send(port, call(authorization, { method: "PUT", body: "x" }));
      if (code !== undefined) expect(answer.code).toBe(code);
      expect(answer.status).toBe(status);
      expect(answer.text).not.toContain("root-secret");
      expect(JSON.stringify(logLines)).not.toContain("root-secret");
      expect((await send(port, { url: "/bkt/k" })).code).toBe("NoSuchKey");
    }),
  );

  test("and a presigned query together are refused", () =>
    withEdge(async ({ port }) => {
      const url = "/bkt/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0";
      expect((await send(port, call(token(ROOT_CREDENTIALS), { url }))).code).toBe("InvalidRequest");
    }));

  test("does not vouch for chunks that claim to be signed", () =>
    withEdge(async ({ port }) => {
      const headers = { "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" };
      const answer = await send(port, call(token(ROOT_CREDENTIALS), { method: "PUT", body: "x", headers }));
      expect(answer.code).toBe("InvalidRequest");
    }));

  test.runIf(hasProgram("curl"))("lets curl -T upload a file, large ones too", () =>
    withEdge(async ({ port }) => {
      const folder = await mkdtemp(join(tmpdir(), "thermocline-curl-"));
      try {
        for (const size of [5, 3_000_000]) {
          await writeFile(join(folder, "file"), Buffer.alloc(size, "c"));
          const header = `Authorization: ${token(ROOT_CREDENTIALS)}`;
          const url = `http://127.0.0.1:${port}/bkt/curled`;
          const args = ["-sS", "--fail", "--noproxy", "*", "-T", join(folder, "file"), "-H", header, url];
          await promisify(execFile)("curl", args);
          expect((await send(port, { url: "/bkt/curled" })).body.length).toBe(size);
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    }),
  );
});

describe("from afar in clear text", () => {
  test.each([
    ["127.0.0.1", true],
    ["127.8.9.10", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["10.0.0.1", false],
    ["128.127.0.0", false],
    ["::ffff:10.127.0.1", false],
    ["fe80::1", false],
    [undefined, false],
  ])("%s is this machine: %s", (remoteAddress, expected) => {
    const socket = { remoteAddress } as IncomingMessage["socket"];
    expect(isConfidential(socket)).toBe(expected);
    expect(isConfidential({ remoteAddress, encrypted: true } as unknown as IncomingMessage["socket"])).toBe(
      true,
    );
  });

  test("a bearer token is refused, whether it is right or wrong, and a signature is not", () =>
    withEdge(async ({ edge, service }) => {
      // The listener as it is, told that its peer is elsewhere.
      const server = createServer(edge.serverOptions, (incoming, outgoing) => {
        Object.defineProperty(incoming.socket, "remoteAddress", { value: "192.0.2.7" });
        edge.s3Listener(incoming, outgoing);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      for (const authorization of [token(ROOT_CREDENTIALS), "Bearer rootkey:wrong"]) {
        const answer = await send(port, call(authorization, { method: "PUT", body: "x" }));
        expect([answer.status, answer.code]).toEqual([403, "AccessDenied"]);
        expect(answer.text).toContain("over TLS or from this machine only");
      }
      expect(service.world.objects.size).toBe(0);
      expect((await send(port, { method: "PUT", url: "/bkt/k", body: "x" })).status).toBe(200);
      server.close();
      server.closeAllConnections();
    }));
});
