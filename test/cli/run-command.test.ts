/** The command line: which command runs, what help says, and which mistake ends with which exit code. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { version } from "../../src/cli/version.ts";
import { settings } from "../../src/config/settings.ts";
import { rootPair } from "../config/load.ts";
import { run } from "./run.ts";

describe("help", () => {
  test.each([["help"], ["--help"], ["-h"]])("%s lists every command on standard output", async (word) => {
    const { exitCode, out, err } = await run([word]);
    expect(exitCode).toBe(0);
    expect(err).toBe("");
    for (const command of commands) expect(out).toContain(`  ${command.name} `);
  });

  test.each([
    ["dev", "--help"],
    ["help", "dev"],
    ["--help", "dev"],
    ["dev", "-h"],
  ])("%s %s lists every setting", async (...argv) => {
    const { exitCode, out } = await run(argv);
    expect(exitCode).toBe(0);
    for (const setting of settings) {
      const spelling = setting.fileVariant === true ? `${setting.flag}[-file] <` : `${setting.flag} <`;
      expect(out).toContain(setting.sources.includes("flag") ? spelling : `${setting.name}:`);
    }
    expect(out).toContain("--peer-addr <an address> (not used yet)");
  });

  test("config show has help of its own", async () => {
    const { out } = await run(["config", "show", "--help"]);
    expect(out).toContain("Usage: thermocline config show");
    expect(out).toContain("-o, --output table|json");
  });

  test("no line is wider than a wide terminal", async () => {
    const texts = await Promise.all(commands.map(({ name }) => run([...name.split(" "), "--help"])));
    const lines = texts.flatMap(({ out }) => out.split("\n"));
    expect(lines.filter((line) => line.length > 130)).toEqual([]);
  });

  test("without a command, help is the answer to a mistake", async () => {
    const { exitCode, out, err } = await run([]);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err).toContain("Usage: thermocline <command>");
  });
});

describe("usage errors are one line and exit 2", () => {
  test.each([
    [["sever"], 'unknown command "sever"; did you mean server?'],
    [["xxxxxxxxx"], 'unknown command "xxxxxxxxx"; see thermocline help'],
    [["config"], "config needs one more word; write config show or config check"],
    [["config", "list"], 'unknown command "config list"; write config show or config check'],
    [["help", "sever"], 'unknown command "sever"; did you mean server?'],
    [["version", "now"], "now: version takes no such argument; remove it"],
    [["version", "-o", "xml"], '-o: "xml" is not a choice; write table or json'],
    [["version", "-o"], "-o needs a value; write table or json"],
    [["version", "-o=json", "--output=json"], "--output is given twice; keep one"],
    [["dev", "--help=yes"], "--help takes no value; write --help alone"],
    [["dev", "--s3-adr=x"], "--s3-adr: unknown flag; did you mean --s3-addr?"],
    [["dev", "extra"], "extra: unexpected argument; settings are written --name=value"],
  ])("%j", async (argv, line) => {
    expect(await run(argv)).toMatchObject({ exitCode: 2, out: "", err: `thermocline: ${line}\n` });
  });

  test("each problem has its line", async () => {
    const { err } = await run(["dev", "--a-b-c-d-e-f-g=1", "--region"]);
    expect(err.trimEnd().split("\n")).toHaveLength(2);
  });
});

describe("dev and server", () => {
  test("dev starts with a banner and its own pair", async () => {
    const { exitCode, servers } = await run(["dev", "--s3-addr=127.0.0.1:0"]);
    expect(exitCode).toBe(0);
    expect(servers).toMatchObject([
      {
        config: { s3: { addr: { port: 0 } }, rootAccessKey: "thermocline" },
        options: { banner: true, command: "dev" },
      },
    ]);
  });

  test("server starts without a banner", async () => {
    const { servers } = await run(["server"], { env: rootPair });
    expect(servers).toMatchObject([
      { config: { rootAccessKey: "root-key" }, options: { banner: false, command: "server" } },
    ]);
  });

  test.each(["dev", "server"])("%s reads only with --salvage, and that is no setting", async (command) => {
    const salvages = async (argv: readonly string[], env = {}): Promise<readonly unknown[]> =>
      (await run([command, ...argv], { env: { ...rootPair, ...env } })).servers.map(
        ({ options }) => options.salvage,
      );
    expect(await salvages([])).toEqual([false]);
    expect(await salvages(["--salvage"])).toEqual([true]);
    expect(await salvages(["--salvage", "--region=eu-west-1"])).toEqual([true]);
    expect(await salvages(["--salvage=true"])).toEqual([]);
    expect(await salvages([], { THERMOCLINE_SALVAGE: "true" })).toEqual([]);
    const { out } = await run(["help", command]);
    expect(out).toMatch(/^ +--salvage /m);
  });

  test("server refuses to start without the root pair", async () => {
    const { exitCode, err, servers } = await run(["server"]);
    expect({ exitCode, servers }).toEqual({ exitCode: 2, servers: [] });
    expect(err).toMatch(/^thermocline: THERMOCLINE_ROOT_ACCESS_KEY: is not set/);
  });

  test("the server's exit code is the command's", async () => {
    expect(await run(["dev"], { runServer: async () => 1 })).toMatchObject({ exitCode: 1 });
  });

  test("a failure of the world is one line and exit 1", async () => {
    const locked = Object.assign(new Error("the directory\nis locked"), { code: "LOCKED" });
    const outcome = await run(["dev"], { runServer: () => Promise.reject(locked) });
    expect(outcome).toMatchObject({ exitCode: 1, err: "thermocline: the directory is locked\n" });
  });

  test("a bug keeps its stack", async () => {
    const bug = new TypeError("x is not a function");
    await expect(run(["dev"], { runServer: () => Promise.reject(bug) })).rejects.toThrow(TypeError);
  });

  test("warnings go to standard error", async () => {
    const { err, exitCode } = await run(["dev", "--peer-addr=127.0.0.1:9"]);
    expect({ err, exitCode }).toEqual({
      err: "thermocline: warning: --peer-addr: accepted, but not used yet\n",
      exitCode: 0,
    });
  });
});

describe("verify", () => {
  test("sound", async () => {
    const outcome = await run(["verify"], { report: { ok: true, lines: ["3 segments", "sound"] } });
    expect(outcome).toMatchObject({ exitCode: 0, out: "3 segments\nsound\n" });
  });

  test("damaged, as json", async () => {
    const outcome = await run(["verify", "-o", "json"], { report: { ok: false, lines: ["bad"] } });
    expect(outcome.exitCode).toBe(1);
    expect(JSON.parse(outcome.out)).toEqual({ ok: false, lines: ["bad"] });
  });
});

describe("config", () => {
  test("show, as a table, tells value, origin and what is not used yet", async () => {
    const { exitCode, out } = await run(["config", "show", "--region=eu-west-1"], {
      env: { THERMOCLINE_ROOT_ACCESS_KEY: "root-key", THERMOCLINE_ROOT_SECRET_KEY: "very-secret" },
    });
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^region +eu-west-1 +--region$/m);
    expect(out).toMatch(/^s3\.addr +127\.0\.0\.1:9000 +default$/m);
    expect(out).toMatch(/^peer\.addr +127\.0\.0\.1:9002 +default +not used yet$/m);
    expect(out).toMatch(/^rootSecretKey +\*{8} +THERMOCLINE_ROOT_SECRET_KEY$/m);
    expect(out).not.toContain("very-secret");
  });

  test("show, as json, has a row for every setting", async () => {
    const { out } = await run(["config", "show", "-o", "json"]);
    const rows: unknown = JSON.parse(out);
    expect(rows).toHaveLength(settings.length);
    expect(rows).toContainEqual({
      name: "domain",
      value: null,
      origin: "default",
      from: "default",
      unit: "a domain",
      status: "used",
    });
  });

  test("show --for dev has the defaults of dev", async () => {
    expect((await run(["config", "show", "--for", "dev"])).out).toMatch(/^cold\.url +folder:/m);
    expect((await run(["config", "show"])).out).toMatch(/^cold\.url +none/m);
  });

  test("check holds the configuration to the server's rules", async () => {
    expect(await run(["config", "check"])).toMatchObject({ exitCode: 2 });
    expect(await run(["config", "check"], { env: rootPair })).toMatchObject({ exitCode: 0 });
    expect(await run(["config", "check", "--for=dev"])).toMatchObject({ exitCode: 0 });
    expect((await run(["config", "check", "-o", "json"], { env: rootPair })).out).toBe('{"ok":true}\n');
  });
});

describe("version", () => {
  test("is the package's", async () => {
    const manifest: unknown = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    );
    expect(manifest).toMatchObject({ version });
    expect(await run(["version"])).toMatchObject({ exitCode: 0, out: `${version}\n` });
    expect(await run(["--version"])).toMatchObject({ exitCode: 0, out: `${version}\n` });
    expect((await run(["version", "-o", "json"])).out).toBe(`{"version":"${version}"}\n`);
  });
});
