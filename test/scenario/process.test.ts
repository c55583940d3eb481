/**
 * The program as an operator meets it: each mistake is one line that says what, where and how to mend it,
 * with the exit code that scripts rely on; and a server that runs is asked, locked, and ended.
 */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UPLOAD_BYTES, halfAnUpload, untilRefused } from "./slow-upload.ts";
import { PROGRAM, STOP_MS_MAX, ServerProcess, credentials, temporaryDirectory } from "./server-process.ts";
import { plainEnvironment, runProgram } from "./run-program.ts";

type Said = { readonly code: number; readonly out: string; readonly err: string };

async function thermocline(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const call = { env: plainEnvironment(env), timeoutMs: 20_000 };
  const { code, out, err } = await runProgram(process.execPath, [PROGRAM, ...args], call);
  return { code, out: out.toString("utf8"), err };
}

const freePorts = ["--s3-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
const rootPair = {
  THERMOCLINE_ROOT_ACCESS_KEY: credentials.accessKey,
  THERMOCLINE_ROOT_SECRET_KEY: credentials.secretKey,
};

/** One line, and nothing else, on standard error. */
function oneLine(said: Said, code: number, pattern: RegExp): void {
  expect(said).toMatchObject({ code, out: "" });
  expect(said.err).toMatch(pattern);
  expect(said.err.trimEnd().split("\n")).toHaveLength(1);
}

describe("a mistake is one line", () => {
  test.each([
    ["a flag", ["dev", "--s3-adr", "127.0.0.1:1"], {}, /--s3-adr: unknown flag; did you mean --s3-addr\?/],
    ["a variable", ["dev"], { THERMOCLINE_DATADIR: "x" }, /did you mean THERMOCLINE_DATA_DIR\?/],
    ["a command", ["serve"], {}, /unknown command "serve"; did you mean server\?/],
    ["a size without its unit", ["dev", "--cache-bytes", "64M"], {}, /write one such as 64MiB/],
  ])("a mistyped %s is told with a suggestion, exit 2", async (_, args, env, pattern) => {
    oneLine(await thermocline(args, env), 2, pattern);
  });

  test("a mistyped key of the file is told with its line, exit 2", async () => {
    await using folder = await temporaryDirectory();
    const path = join(folder.path, "c.yaml");
    await writeFile(path, "s3:\n  adr: 127.0.0.1:1\n");
    oneLine(
      await thermocline(["dev", "--config", path]),
      2,
      /c\.yaml:2 \(s3\.adr\).*did you mean s3\.addr\?/,
    );
  });

  test("`server` refuses to start without keys, exit 2", async () => {
    await using folder = await temporaryDirectory();
    const said = await thermocline(["server", "--data-dir", join(folder.path, "data")]);
    oneLine(said, 2, /THERMOCLINE_ROOT_ACCESS_KEY: is not set/);
    expect(await readdir(folder.path)).toEqual([]);
  });

  test("`dev` refuses its well-known keys on an address that others can reach, exit 2", async () => {
    oneLine(await thermocline(["dev", "--s3-addr", "0.0.0.0:0"]), 2, /ROOT_ACCESS_KEY: is not set/);
    const said = await thermocline(["dev", "--s3-addr", "0.0.0.0:0"], rootPair);
    oneLine(said, 2, /is the known dev secret/);
  });

  test("a directory that holds something else is left alone, exit 1", async () => {
    await using folder = await temporaryDirectory();
    await writeFile(join(folder.path, "letters.txt"), "dear all");
    const said = await thermocline(["dev", "--data-dir", folder.path, ...freePorts]);
    oneLine(said, 1, /not a data directory \(it holds letters\.txt\)/);
    expect(await readFile(join(folder.path, "letters.txt"), "utf8")).toBe("dear all");
  });

  test("an existing empty directory is fine", async () => {
    await using folder = await temporaryDirectory();
    await mkdir(join(folder.path, "empty"));
    const server = await ServerProcess.start(join(folder.path, "empty"));
    expect(await server.stop()).toMatchObject({ code: 0 });
  });
});

describe("beside a server that runs", () => {
  test("a second process on its directory is refused, exit 1, and harms nothing", async () => {
    await using folder = await temporaryDirectory();
    const server = await ServerProcess.start(join(folder.path, "data"));
    const second = await thermocline(["dev", "--data-dir", server.directory, ...freePorts]);
    oneLine(second, 1, /another process uses .*data\. Stop it, or give this one its own --data-dir/);
    const verify = await thermocline(["verify", "--data-dir", server.directory]);
    oneLine(verify, 1, /another process uses .*: stop it first/);
    expect((await fetch(`${server.endpoint}/-/ready`)).status).toBe(200);
    expect(await server.stop()).toMatchObject({ code: 0 });
  });

  test("a port that is taken is told with how to mend it, exit 1", async () => {
    await using folder = await temporaryDirectory();
    const server = await ServerProcess.start(join(folder.path, "data"));
    const taken = server.endpoint.slice("http://".length);
    const other = ["dev", "--data-dir", join(folder.path, "other"), "--admin-addr", "127.0.0.1:0"];
    oneLine(
      await thermocline([...other, "--s3-addr", taken]),
      1,
      /cannot listen on .*choose another address/,
    );
    expect(await server.stop()).toMatchObject({ code: 0 });
    // The directory was let go: the next start takes it.
    const again = await ServerProcess.start(join(folder.path, "other"));
    expect(await again.stop()).toMatchObject({ code: 0 });
  });

  test("`status` tells how it is, exit 0; 1 with other keys; 3 when nobody is there", async () => {
    await using folder = await temporaryDirectory();
    const server = await ServerProcess.start(join(folder.path, "data"));
    const at = ["--admin-addr", server.adminEndpoint.slice("http://".length)];
    const table = await thermocline(["status", ...at], rootPair);
    expect(table).toMatchObject({ code: 0, err: "" });
    expect(table.out).toMatch(/^ready +true$/m);
    const json = await thermocline(["status", "-o", "json", ...at], rootPair);
    expect(JSON.parse(json.out)).toMatchObject({ ready: true, writesRefused: "none" });
    const stranger = { ...rootPair, THERMOCLINE_ROOT_SECRET_KEY: "another-secret" };
    oneLine(await thermocline(["status", ...at], stranger), 1, /answered 403/);
    await server.stop();
    oneLine(await thermocline(["status", ...at], rootPair), 3, /cannot be reached/);
  });

  test("SIGTERM lets a running upload end, refuses new connections, and exits 0 in time", async () => {
    await using folder = await temporaryDirectory();
    const server = await ServerProcess.start(join(folder.path, "data"));
    await using upload = await halfAnUpload(server.endpoint);
    const stopping = server.stop();
    await untilRefused(server.endpoint);
    await upload.finish();
    const { code, ms } = await stopping;
    expect(code, server.output).toBe(0);
    expect(ms).toBeLessThan(STOP_MS_MAX);
    const again = await ServerProcess.start(server.directory);
    expect(await upload.lengthAt(again.endpoint)).toBe(UPLOAD_BYTES);
    await again.stop();
  });

  test("a client that never ends its upload does not keep the process", async () => {
    await using folder = await temporaryDirectory();
    const flags = ["--shutdown-timeout", "1s"];
    const server = await ServerProcess.start(join(folder.path, "data"), { flags });
    await using upload = await halfAnUpload(server.endpoint);
    const { code, ms } = await server.stop();
    expect(code, server.output).toBe(0);
    expect(ms).toBeLessThan(STOP_MS_MAX);
    await expect(upload.outcome).rejects.toThrow();
  });
});

test("`config show` tells each value and its origin, and no secret", async () => {
  const secrets = {
    THERMOCLINE_ROOT_ACCESS_KEY: "some-access-key",
    THERMOCLINE_ROOT_SECRET_KEY: "hush-hush-root",
    THERMOCLINE_CLUSTER_SECRET: "hush-hush-cluster-secret",
    THERMOCLINE_COLD_SECRET_KEY: "hush-hush-cold",
    THERMOCLINE_COLD_ACCESS_KEY: "cold-access",
  };
  for (const form of ["table", "json"]) {
    const said = await thermocline(["config", "show", "-o", form, "--region", "eu-west-1"], secrets);
    expect(said.code).toBe(0);
    expect(said.out + said.err).not.toContain("hush");
    expect(said.out).toContain("********");
    expect(said.out).toContain("--region");
    expect(said.out).toContain("THERMOCLINE_ROOT_SECRET_KEY");
  }
});
