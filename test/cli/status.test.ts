/** status: a signed request, the answer as table or json, and exit 3 when nobody is there. */
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { statusTable } from "../../src/cli/commands/status.ts";
import { rootPair } from "../config/load.ts";
import { run } from "./run.ts";
import type { Outcome } from "./run.ts";

/** Runs `status` against a server that lives for this one call. */
async function statusFrom(listener: RequestListener, argv: readonly string[] = []): Promise<Outcome> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return await run(["status", `--admin-addr=127.0.0.1:${port}`, ...argv], { env: rootPair });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe("status", () => {
  test("prints the answer as a table", async () => {
    let seen: { readonly url: string | undefined; readonly authorization: string | undefined } | undefined;
    const outcome = await statusFrom((request, response) => {
      seen = { url: request.url, authorization: request.headers.authorization };
      response.end('{"state":"ready","log":{"lastIndex":7}}');
    });
    expect(outcome).toMatchObject({ exitCode: 0, err: "" });
    expect(outcome.out).toBe("NAME           VALUE\nstate          ready\nlog.lastIndex  7\n");
    expect(seen?.url).toBe("/-/status");
    expect(seen?.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=root-key\/\d{8}\/us-east-1\/s3\/aws4_request, /,
    );
  });

  test("prints the answer as json", async () => {
    const outcome = await statusFrom((_, response) => response.end('{"state":"ready"}'), ["-o", "json"]);
    expect(JSON.parse(outcome.out)).toEqual({ state: "ready" });
  });

  test("a refusal is exit 1", async () => {
    const outcome = await statusFrom((_, response) => response.writeHead(403).end());
    expect(outcome).toMatchObject({ exitCode: 1, out: "" });
    expect(outcome.err).toMatch(/answered 403; is the root pair the one the server was started with\?\n$/);
  });

  test("something else on that port is exit 1", async () => {
    const outcome = await statusFrom((_, response) => response.end("<html>"));
    expect(outcome.err).toMatch(/the answer is not JSON/);
    expect(outcome.exitCode).toBe(1);
  });

  test("a connection that breaks is exit 3", async () => {
    const outcome = await statusFrom((request) => request.socket.destroy());
    expect(outcome).toMatchObject({ exitCode: 3, out: "" });
  });

  test("nobody there is exit 3", async () => {
    const outcome = await run(["status", "--admin-addr=127.0.0.1:1"], { env: rootPair });
    expect(outcome).toMatchObject({ exitCode: 3, out: "" });
    expect(outcome.err).toMatch(
      /^thermocline: http:\/\/127\.0\.0\.1:1\/-\/status: cannot be reached \(ECONNREFUSED\); /,
    );
  });

  test("a server that listens everywhere is dialled on loopback", async () => {
    const outcome = await run(["status", "--admin-addr=0.0.0.0:1"], { env: rootPair });
    expect(outcome.err).toContain("http://127.0.0.1:1/");
  });

  test("without the root pair it is a usage error", async () => {
    expect(await run(["status"])).toMatchObject({ exitCode: 2 });
  });
});

test("lists and nulls have their place in the table", () => {
  expect(statusTable({ a: [1, { b: null }] })).toBe("NAME   VALUE\na.0    1\na.1.b  null\n");
});
